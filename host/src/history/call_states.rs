//! Opaque state of calls that clients have no place for: kept beside the conversation, by account and by the call's id.
//!
//! The pipeline keeps what a translated answer brought and looks for it when the call comes back. It is bounded, is answered
//! from memory, and may forget at any time: what is not found is left out of the request, never made up.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bitrouter_dialect::translate::{Owner, States};

use super::{CallStore, KeptCall, is_over, now};

/// What all states may hold. One of a call has a few kilobytes, so this is some thousand turns.
pub(super) const LIMIT: usize = 32 << 20;
/// So many parts are locked apart.
const PARTS: usize = 16;
/// What a state holds beside its text.
const ENTRY: usize = 128;
/// A state that is used says so to the store when so much has passed since the last time, in seconds: a day.
const SAID_AGAIN: u64 = 24 * 3600;

/// The states of all accounts.
pub struct CallStates {
    parts: [Mutex<Part>; PARTS],
    hasher: RandomState,
    store: Option<Arc<dyn CallStore>>,
    /// Whether the store is asked.
    keeps: AtomicBool,
    /// What the store has not got yet.
    news: Mutex<Vec<KeptCall>>,
    /// Held while the store is asked, which is done by one at a time.
    asking: Mutex<()>,
}

#[derive(Default)]
struct Part {
    states: HashMap<Arc<str>, Entry>,
    /// Oldest first, but for those that were used.
    order: VecDeque<Arc<str>>,
    bytes: usize,
}

struct Entry {
    state: Arc<str>,
    /// In seconds since 1970, to about a day.
    used: u64,
    /// Whether it was used since the order was last looked at.
    recent: bool,
}

impl Default for CallStates {
    fn default() -> Self {
        CallStates {
            parts: std::array::from_fn(|_| Mutex::default()),
            hasher: RandomState::new(),
            store: None,
            keeps: AtomicBool::new(false),
            news: Mutex::default(),
            asking: Mutex::default(),
        }
    }
}

impl CallStates {
    /// States that are kept there as well. Nothing is read yet: the first [`Self::exchange`] does that.
    pub fn persisted_in(store: Arc<dyn CallStore>) -> Self {
        CallStates { store: Some(store), keeps: AtomicBool::new(true), ..CallStates::default() }
    }

    /// Whether the store is asked from now on; what it has stays there.
    pub fn keep_in_store(&self, keeps: bool) {
        self.keeps.store(keeps, Ordering::Relaxed);
        if !keeps {
            lock(&self.news).clear();
        }
    }

    /// Hands what is new to the store, and takes over what others have put there. Blocks. What could not be kept is tried
    /// again the next time.
    pub fn exchange(&self) -> io::Result<()> {
        let Some(store) = self.store.as_ref().filter(|_| self.keeps.load(Ordering::Relaxed)) else { return Ok(()) };
        let _asking = lock(&self.asking);
        let news = std::mem::take(&mut *lock(&self.news));
        let now = now();
        let exchanged = store.exchange(&news, &mut |theirs| {
            if !is_over(theirs.used, now) {
                self.put(theirs, false);
            }
        });
        if exchanged.is_err() {
            let mut all = lock(&self.news);
            let later = std::mem::replace(&mut *all, news);
            all.extend(later);
            // What memory has forgotten meanwhile need not be kept either.
            let mut bytes = 0;
            let kept = all.iter().rev().take_while(|call| {
                bytes += size(&call.key, &call.state);
                bytes <= LIMIT
            });
            let forgotten = all.len() - kept.count();
            all.drain(..forgotten);
        }
        exchanged
    }

    fn part(&self, key: &str) -> MutexGuard<'_, Part> {
        lock(&self.parts[self.hasher.hash_one(key) as usize % PARTS])
    }

    /// Puts a state to the others; `ours` if the store is to be told.
    fn put(&self, call: KeptCall, ours: bool) {
        if size(&call.key, &call.state) > LIMIT / PARTS {
            return;
        }
        self.part(&call.key).keep(call.clone(), ours);
        if ours {
            self.tell(call);
        }
    }

    fn tell(&self, call: KeptCall) {
        if self.store.is_some() && self.keeps.load(Ordering::Relaxed) {
            lock(&self.news).push(call);
        }
    }
}

impl States for CallStates {
    fn find(&self, owner: &Owner<'_>, call: &str) -> Option<String> {
        let (key, now) = (key(owner, call), now());
        let (found, said) = self.part(&key).find(&key, now)?;
        let text = found.to_string();
        if said {
            self.tell(KeptCall { key: key.into(), state: found, used: now });
        }
        Some(text)
    }

    fn keep(&self, owner: &Owner<'_>, call: &str, state: &str) {
        self.put(KeptCall { key: key(owner, call).into(), state: state.into(), used: now() }, true);
    }
}

impl Part {
    /// The state, and whether the store should be told that it is used.
    fn find(&mut self, key: &str, now: u64) -> Option<(Arc<str>, bool)> {
        let entry = self.states.get_mut(key).filter(|entry| !is_over(entry.used, now))?;
        entry.recent = true;
        let said = entry.used.saturating_add(SAID_AGAIN) < now;
        if said {
            entry.used = now;
        }
        Some((Arc::clone(&entry.state), said))
    }

    /// What is ours is newer than what was there; what came from others may be older.
    fn keep(&mut self, call: KeptCall, ours: bool) {
        let KeptCall { key, state, used } = call;
        if !ours && self.states.get(&key).is_some_and(|known| known.used > used) {
            return;
        }
        self.bytes += size(&key, &state);
        match self.states.insert(Arc::clone(&key), Entry { state, used, recent: false }) {
            Some(old) => self.bytes -= size(&key, &old.state),
            None => self.order.push_back(key),
        }
        while self.bytes > LIMIT / PARTS
            && let Some(oldest) = self.order.pop_front()
        {
            self.forget(oldest);
        }
    }

    /// Forgets one that was not used since the last time that it was its turn.
    fn forget(&mut self, oldest: Arc<str>) {
        match self.states.get_mut(&oldest) {
            Some(entry) if entry.recent => {
                entry.recent = false;
                self.order.push_back(oldest);
            }
            _ => {
                let forgotten = self.states.remove(&oldest).map_or(0, |entry| size(&oldest, &entry.state));
                self.bytes -= forgotten;
            }
        }
    }
}

fn size(key: &str, state: &str) -> usize {
    key.len() + state.len() + ENTRY
}

/// The state itself says its owner once more: a key that two would share brings nobody what is another's.
fn key(owner: &Owner<'_>, call: &str) -> String {
    [owner.provider, "\n", owner.account, "\n", call].concat()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What a panic left is whole: every change is made in one step.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: Owner<'_> = Owner { provider: "p", account: "a", model: "m" };

    #[test]
    fn a_state_is_found_by_its_account_alone() {
        let states = CallStates::default();
        states.keep(&OWNER, "call_1", "one");
        states.keep(&OWNER, "call_1", "two");
        assert_eq!(states.find(&OWNER, "call_1").as_deref(), Some("two"));
        assert_eq!(states.find(&Owner { account: "b", ..OWNER }, "call_1"), None);
        assert_eq!(states.find(&OWNER, "call_2"), None);
    }

    #[test]
    fn the_oldest_are_forgotten_and_what_is_held_stays_within_its_limit() {
        let states = CallStates::default();
        let long = "x".repeat(64 << 10);
        for call in 0..2000 {
            states.keep(&OWNER, &format!("call_{call}"), &long);
            assert!(states.find(&OWNER, "call_0").is_some(), "what is used stays");
        }
        assert_eq!(states.find(&OWNER, "call_1"), None);
        assert!(states.find(&OWNER, "call_1999").is_some());
        for part in &states.parts {
            let part = part.lock().unwrap();
            let held: usize = part.states.iter().map(|(key, entry)| size(key, &entry.state)).sum();
            assert_eq!((part.bytes, part.order.len()), (held, part.states.len()));
            assert!(held <= LIMIT / PARTS);
        }
        states.keep(&OWNER, "huge", &"x".repeat(LIMIT));
        assert_eq!(states.find(&OWNER, "huge"), None);
    }

    #[test]
    fn what_nobody_used_for_long_is_over_and_what_is_used_says_so_once_a_day() {
        let mut part = Part::default();
        let call = KeptCall { key: "k".into(), state: "s".into(), used: 1000 };
        part.keep(call, true);
        let day = SAID_AGAIN;
        assert!(!part.find("k", 1000 + day).unwrap().1);
        assert!(part.find("k", 1001 + day).unwrap().1);
        assert!(!part.find("k", 1002 + day).unwrap().1);
        assert!(part.find("k", 1001 + 8 * day).is_some());
        assert!(part.find("k", 1002 + 16 * day).is_none());
    }
}
