//! A window of an account's limit in words: a bar, and how much is used. `accounts` and `status` show it alike.

use crate::route::Window;

/// How many characters a bar has.
const BAR: usize = 20;

/// How much is used, 0 to 100, where that is told or follows from what is left.
fn percent(window: &Window) -> Option<f64> {
    let by_units = || {
        let (limit, left) = (window.limit.filter(|limit| *limit > 0)?, window.remaining?);
        Some(100.0 - 100.0 * left.min(limit) as f64 / limit as f64)
    };
    window.used_percent.or_else(by_units)
}

/// A bar; nothing where the share is not known.
pub(super) fn bar(window: &Window) -> String {
    let Some(percent) = percent(window) else { return String::new() };
    let full = (percent.clamp(0.0, 100.0) / 100.0 * BAR as f64).round() as usize;
    "█".repeat(full) + &"░".repeat(BAR - full)
}

/// The share and the units that are used, as far as they are told.
pub(super) fn used(window: &Window) -> String {
    let share = percent(window).map(|percent| format!("{percent:.0} % used"));
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
