//! A window of an account's limit in words: a bar, how much is used, and when it begins anew. `accounts` and `status` show it
//! alike.

use bitrouter_files::Timestamp;
use bitrouter_route::Window;

use super::span;

/// How many characters a bar has.
const BAR: usize = 20;

/// Its cells in a table: its name, a bar, how much is used, when it begins anew.
pub(super) fn cells(window: &Window, now: Timestamp) -> [String; 4] {
    [window.name.clone(), bar(window), used(window), resets(window, now)]
}

/// A bar; nothing where the share is not known.
fn bar(window: &Window) -> String {
    let Some(percent) = window.used() else { return String::new() };
    let full = (percent.clamp(0.0, 100.0) / 100.0 * BAR as f64).round() as usize;
    "█".repeat(full) + &"░".repeat(BAR - full)
}

/// The share and the units that are used, as far as they are told.
fn used(window: &Window) -> String {
    let share = window.used().map(|percent| format!("{percent:.0} % used"));
    match (share, window.remaining, window.limit) {
        (Some(share), Some(left), Some(limit)) => format!("{share}, {left} of {limit} left"),
        (Some(share), Some(left), None) => format!("{share}, {left} left"),
        (Some(share), None, Some(limit)) => format!("{share} of {limit}"),
        (Some(share), None, None) => share,
        (None, Some(left), Some(limit)) => format!("{left} of {limit} left"),
        (None, Some(left), None) => format!("{left} left"),
        (None, None, Some(limit)) => format!("of {limit}"),
        (None, None, None) => String::new(),
    }
}

/// When it begins anew, if that is told.
fn resets(window: &Window, now: Timestamp) -> String {
    let at = window.resets_at.and_then(|at| Timestamp::from_unix(i64::try_from(at).ok()?));
    let Some(at) = at else { return String::new() };
    match at.since(now) {
        Some(left) => format!("resets in {} ({at})", span::words(left.as_secs())),
        None => format!("reset at {at}"),
    }
}
