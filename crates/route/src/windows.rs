//! The windows of every account's limits, as its provider last reported them. The pipeline records them off the client's
//! path; commands and routing read them. `serve` has them written every few seconds, never on the way of a request.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use bitrouter_contract::described;
use serde::{Deserialize, Serialize};

use super::state::{AllWindows, RouteState};

/// The most windows that are kept of an account, the newest; providers have two to six.
const MOST_WINDOWS: usize = 16;
/// The longest name of a window that is kept, in characters.
const LONGEST_NAME: usize = 64;

/// One window of a rate limit or of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// The provider's name of it.
    pub name: String,
    /// 0 to 100, where the provider says it.
    pub used_percent: Option<f64>,
    /// How many units it holds.
    pub limit: Option<u64>,
    /// How many units are left.
    pub remaining: Option<u64>,
    /// Its length in seconds.
    pub length_seconds: Option<u64>,
    /// Seconds since 1970 at which it begins anew.
    pub resets_at: Option<u64>,
    /// Seconds since 1970 at which the provider reported it.
    pub told_at: u64,
}

impl Window {
    /// How much is used, 0 to 100, where that is reported or follows from what is left.
    pub fn used(&self) -> Option<f64> {
        self.used_percent.or_else(|| match (self.limit, self.remaining) {
            (_, Some(0)) => Some(100.0),
            (Some(limit @ 1..), Some(left)) => Some(100.0 - 100.0 * left.min(limit) as f64 / limit as f64),
            _ => None,
        })
    }
}

type OfAccount = BTreeMap<String, Window>;

/// The windows of all accounts.
#[derive(Default)]
pub struct Windows {
    reported: Mutex<AllWindows>,
    state: Option<Arc<dyn RouteState>>,
    /// Whether something was reported that the state does not hold.
    changed: AtomicBool,
}

impl Windows {
    /// The windows that this state held, which also keeps what is reported from now on.
    pub fn persisted_in(state: Arc<dyn RouteState>, windows: AllWindows) -> Self {
        Windows { reported: Mutex::new(windows), state: Some(state), changed: AtomicBool::new(false) }
    }

    /// Keeps what an account's provider reported: each window takes the place of the one of its name.
    pub fn record(&self, provider: &str, label: &str, reported: Vec<described::Window>) {
        self.record_at(provider, label, reported, now());
    }

    /// The same for what was reported at another time, in seconds since 1970: newer windows stay.
    pub fn record_at(&self, provider: &str, label: &str, reported: Vec<described::Window>, at: u64) {
        let reported = reported.into_iter().take(MOST_WINDOWS).map(|window| checked(window, at));
        let mut windows = lock(&self.reported);
        let account = windows.entry(provider.to_owned()).or_default().entry(label.to_owned()).or_default();
        if merge(account, reported, |before, reported| before <= reported) {
            self.changed.store(true, Ordering::Relaxed);
        }
    }

    /// The windows of an account by name; those that have begun anew since they were reported are left out.
    pub fn get(&self, provider: &str, label: &str) -> Vec<Window> {
        let now = now();
        let windows = lock(&self.reported);
        let account = windows.get(provider).and_then(|accounts| accounts.get(label));
        let lasts = |window: &&Window| window.resets_at.is_none_or(|at| at > now);
        account.into_iter().flat_map(BTreeMap::values).filter(lasts).cloned().collect()
    }

    /// Hands what was reported since the last time to the state, and takes over what other processes did. Blocks; what
    /// fails is logged and tried again the next time.
    pub fn save(&self) {
        let Some(state) = &self.state else { return };
        let news = self.changed.swap(false, Ordering::Relaxed);
        // Of two that were reported in the same second, what this process heard stays: the state may hold what it heard
        // before that.
        let exchanged = state.exchange_windows(news, &mut |kept| {
            let mut ours = lock(&self.reported);
            for (provider, accounts) in std::mem::take(kept) {
                for (label, windows) in accounts {
                    let account = ours.entry(provider.clone()).or_default().entry(label).or_default();
                    merge(account, windows.into_values(), |before, theirs| before < theirs);
                }
            }
            kept.clone_from(&ours);
        });
        if let Err(error) = exchanged {
            self.changed.fetch_or(news, Ordering::Relaxed);
            tracing::warn!(%error, "what is known of limits is not kept for the next start");
        }
    }
}

impl fmt::Debug for Windows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Windows").field("told", &self.reported).finish_non_exhaustive()
    }
}

/// Puts windows in the place of those of their names, where the moments at which both were reported are `in_order`, and keeps
/// the newest; true if there was one.
fn merge(account: &mut OfAccount, reported: impl Iterator<Item = Window>, in_order: fn(u64, u64) -> bool) -> bool {
    let mut changed = false;
    for window in reported {
        let newer = account
            .get(&window.name)
            .is_none_or(|before| in_order(before.told_at, window.told_at) && *before != window);
        if newer {
            account.insert(window.name.clone(), window);
            changed = true;
        }
    }
    while account.len() > MOST_WINDOWS {
        let oldest = account.values().min_by_key(|window| window.told_at).map(|window| window.name.clone());
        oldest.and_then(|name| account.remove(&name));
    }
    changed
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// A window without what makes no sense.
fn checked(reported: described::Window, now: u64) -> Window {
    Window {
        name: reported.name.chars().filter(|letter| !letter.is_control()).take(LONGEST_NAME).collect(),
        used_percent: reported.used_percent.filter(|used| used.is_finite()).map(|used| used.clamp(0.0, 100.0)),
        limit: reported.limit,
        remaining: reported.remaining,
        length_seconds: reported.length_seconds,
        resets_at: reported.resets_at.or_else(|| now.checked_add(reported.resets_in_seconds?)),
        told_at: now,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic while the lock is held leaves nothing half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::FileState;

    fn persisted_in(file: &Path) -> Windows {
        let state = FileState::new(file.with_file_name("cooldowns.json"), file.to_owned());
        let windows = state.load().windows;
        Windows::persisted_in(Arc::new(state), windows)
    }

    fn reported(name: &str) -> described::Window {
        described::Window { name: name.into(), ..described::Window::default() }
    }

    #[test]
    fn a_window_takes_the_place_of_the_one_of_its_name_in_its_account_alone() {
        let windows = Windows::default();
        let used = |percent| described::Window { used_percent: Some(percent), ..reported("weekly") };
        windows.record("codex", "work", vec![used(10.0), reported("primary")]);
        windows.record("codex", "home", vec![used(90.0)]);
        windows.record("codex", "work", vec![used(20.0)]);
        let work = windows.get("codex", "work");
        let names: Vec<_> = work.iter().map(|window| (window.name.as_str(), window.used_percent)).collect();
        assert_eq!(names, [("primary", None), ("weekly", Some(20.0))]);
        assert_eq!(windows.get("codex", "home")[0].used_percent, Some(90.0));
        assert_eq!(windows.get("codex", "nobody"), []);
        assert_eq!(windows.get("other", "work"), []);
    }

    #[test]
    fn what_makes_no_sense_is_not_kept() {
        let windows = Windows::default();
        let odd = described::Window {
            name: format!("two\r\nlines{}", "x".repeat(1000)),
            used_percent: Some(f64::NAN),
            resets_in_seconds: Some(u64::MAX),
            ..reported("")
        };
        windows.record("p", "a", vec![odd, described::Window { used_percent: Some(1e9), ..reported("much") }]);
        let kept = windows.get("p", "a");
        assert_eq!((kept[0].name.as_str(), kept[0].used_percent), ("much", Some(100.0)));
        assert_eq!(kept[1].name.len(), 64);
        assert!(kept[1].name.starts_with("twolines"));
        assert_eq!((kept[1].used_percent, kept[1].resets_at), (None, None));
    }

    #[test]
    fn windows_are_bounded_whatever_a_component_answers() {
        let windows = Windows::default();
        for round in 0..3 {
            windows.record("p", "a", (0..1000).map(|number| reported(&format!("{round}-{number}"))).collect());
        }
        assert_eq!(windows.get("p", "a").len(), 16);
    }

    #[test]
    fn what_was_told_later_stays() {
        let windows = Windows::default();
        let used = |percent| vec![described::Window { used_percent: Some(percent), ..reported("weekly") }];
        windows.record_at("p", "a", used(2.0), 2000);
        windows.record_at("p", "a", used(1.0), 1000);
        assert_eq!((windows.get("p", "a")[0].used_percent, windows.get("p", "a")[0].told_at), (Some(2.0), 2000));
        windows.record_at("p", "a", used(3.0), 2000);
        assert_eq!(windows.get("p", "a")[0].used_percent, Some(3.0));
    }

    #[test]
    fn windows_outlive_their_process_and_those_of_two_processes_are_merged() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("cache/windows.json");
        let used = |percent| vec![described::Window { used_percent: Some(percent), ..reported("weekly") }];
        let (ours, theirs) = (persisted_in(&file), persisted_in(&file));
        ours.save();
        assert!(!file.exists(), "nothing was told");
        let now = now();
        ours.record_at("p", "a", used(10.0), now - 5);
        ours.save();
        theirs.record_at("p", "a", used(20.0), now);
        theirs.record_at("p", "b", used(30.0), now);
        theirs.save();
        assert_eq!(persisted_in(&file).get("p", "a")[0].used_percent, Some(20.0));
        ours.record_at("p", "c", used(40.0), now);
        ours.save();
        let after = persisted_in(&file);
        let percent = |label: &str| after.get("p", label)[0].used_percent;
        assert_eq!([percent("a"), percent("b"), percent("c")], [Some(20.0), Some(30.0), Some(40.0)]);
        assert_eq!(ours.get("p", "a")[0].used_percent, Some(20.0), "what another process heard is known here too");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn of_what_was_told_twice_in_one_second_the_last_stays_also_after_a_save() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("windows.json");
        let windows = persisted_in(&file);
        let now = now();
        for percent in [10.0, 20.0] {
            let used = described::Window { used_percent: Some(percent), ..reported("weekly") };
            windows.record_at("p", "a", vec![used], now);
            windows.save();
            assert_eq!(windows.get("p", "a")[0].used_percent, Some(percent));
            assert_eq!(persisted_in(&file).get("p", "a")[0].used_percent, Some(percent));
        }
    }

    #[test]
    fn a_file_of_windows_that_is_broken_is_as_good_as_none() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("windows.json");
        std::fs::write(&file, "{ \"version\": 1, \"accounts\": [").unwrap();
        let windows = persisted_in(&file);
        assert_eq!(windows.get("p", "a"), []);
        windows.record("p", "a", vec![reported("weekly")]);
        windows.save();
        assert_eq!(persisted_in(&file).get("p", "a").len(), 1);
    }

    #[test]
    fn a_window_that_has_begun_anew_says_nothing() {
        let windows = Windows::default();
        let past = described::Window { resets_at: Some(1), resets_in_seconds: Some(1000), ..reported("past") };
        let coming = described::Window { resets_in_seconds: Some(1000), ..reported("coming") };
        windows.record("p", "a", vec![past, coming]);
        let kept = windows.get("p", "a");
        assert_eq!(kept.len(), 1);
        assert_eq!(kept[0].resets_at, Some(kept[0].told_at + 1000));
    }
}
