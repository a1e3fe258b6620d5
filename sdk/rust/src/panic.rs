//! What a panic says, in the host's log. The glue sets it up in each hook, as each runs in an instance of its own; without
//! it all that is known of a panic is that the component trapped.

use std::panic::PanicHookInfo;

use crate::{Level, log};

/// From here on a panic is told to the host before the instance traps.
pub(crate) fn tell() {
    // It captures nothing, so this allocates nothing.
    std::panic::set_hook(Box::new(told));
}

fn told(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map_or(String::new(), |at| [" at ", at.file(), ":", &at.line().to_string()].concat());
    log(Level::Error, &["panic", &place, ": ", panic.payload_as_str().unwrap_or("?")].concat());
}
