//! Texts by key that outlive their process: bounded, answered from memory, and handed to a store beside. States of calls are kept
//! so, and who owns an id.
//!
//! They may forget at any time. Nothing on a request's way waits for the store, but whoever misses a text may have it asked.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{KeptText, Terms, TextStore, is_over, now};

/// So many parts are locked apart.
const PARTS: usize = 16;
/// What a text holds beside itself and its key.
const ENTRY: usize = 128;
/// A text that is used says so to the store when so much has passed since the last time, in seconds: a day.
const SAID_AGAIN: u64 = 24 * 3600;

/// Texts of one kind.
pub(super) struct Texts {
    terms: &'static Terms,
    parts: [Mutex<Part>; PARTS],
    hasher: RandomState,
    store: Option<Arc<dyn TextStore>>,
    /// Whether the store is asked.
    keeps: AtomicBool,
    /// What the store has not got yet.
    news: Mutex<Vec<KeptText>>,
    /// Held while the store is asked, which is done by one at a time.
    asking: Mutex<()>,
}

#[derive(Default)]
struct Part {
    texts: HashMap<Arc<str>, Entry>,
    /// Oldest first, but for those that were used.
    order: VecDeque<Arc<str>>,
    bytes: usize,
}

struct Entry {
    text: Arc<str>,
    /// In seconds since 1970, to about a day.
    used: u64,
    /// Whether it was used since the order was last looked at.
    recent: bool,
}

impl Texts {
    /// None yet, and in memory alone.
    pub(super) fn new(terms: &'static Terms) -> Self {
        Texts {
            terms,
            parts: std::array::from_fn(|_| Mutex::default()),
            hasher: RandomState::new(),
            store: None,
            keeps: AtomicBool::new(false),
            news: Mutex::default(),
            asking: Mutex::default(),
        }
    }

    /// Texts that are kept there as well. Nothing is read yet: the first [`Self::exchange`] does that.
    pub(super) fn persisted_in(terms: &'static Terms, store: Arc<dyn TextStore>) -> Self {
        Texts { store: Some(store), keeps: AtomicBool::new(true), ..Texts::new(terms) }
    }

    /// Whether the store is asked from now on; what it has stays there.
    pub(super) fn keep_in_store(&self, keeps: bool) {
        self.keeps.store(keeps, Ordering::Relaxed);
        if !keeps {
            lock(&self.news).clear();
        }
    }

    /// Hands what is new to the store, and takes over what others have put there. Blocks. What could not be kept is tried
    /// again the next time.
    pub(super) fn exchange(&self) -> io::Result<()> {
        let Some(store) = self.store.as_ref().filter(|_| self.keeps.load(Ordering::Relaxed)) else { return Ok(()) };
        let _asking = lock(&self.asking);
        let news = std::mem::take(&mut *lock(&self.news));
        let now = now();
        let exchanged = store.exchange(&news, &mut |theirs| {
            if !is_over(theirs.used, now, self.terms.lasts) {
                self.put(theirs, false);
            }
        });
        if exchanged.is_err() {
            let mut all = lock(&self.news);
            let later = std::mem::replace(&mut *all, news);
            all.extend(later);
            // What memory has forgotten meanwhile need not be kept either.
            let mut bytes = 0;
            let kept = all.iter().rev().take_while(|kept| {
                bytes += size(&kept.key, &kept.text);
                bytes <= self.terms.limit
            });
            let forgotten = all.len() - kept.count();
            all.drain(..forgotten);
        }
        exchanged
    }

    /// The text of this key.
    pub(super) fn find(&self, key: &str) -> Option<Arc<str>> {
        let now = now();
        let (found, said) = self.part(key).find(key, now, self.terms)?;
        if said {
            self.tell(KeptText { key: key.into(), text: Arc::clone(&found), used: now });
        }
        Some(found)
    }

    /// Keeps a text, in the place of the one before.
    pub(super) fn keep(&self, key: String, text: &str) {
        self.put(KeptText { key: key.into(), text: text.into(), used: now() }, true);
    }

    fn part(&self, key: &str) -> MutexGuard<'_, Part> {
        lock(&self.parts[self.hasher.hash_one(key) as usize % PARTS])
    }

    /// Puts a text to the others; `ours` if the store is to be told.
    fn put(&self, kept: KeptText, ours: bool) {
        let limit = self.terms.limit / PARTS;
        if size(&kept.key, &kept.text) > limit {
            return;
        }
        self.part(&kept.key).keep(kept.clone(), ours, limit);
        if ours {
            self.tell(kept);
        }
    }

    fn tell(&self, kept: KeptText) {
        if self.store.is_some() && self.keeps.load(Ordering::Relaxed) {
            lock(&self.news).push(kept);
        }
    }
}

impl Part {
    /// The text, and whether the store should be told that it is used.
    fn find(&mut self, key: &str, now: u64, terms: &Terms) -> Option<(Arc<str>, bool)> {
        let entry = self.texts.get_mut(key).filter(|entry| !is_over(entry.used, now, terms.lasts))?;
        entry.recent = true;
        let said = entry.used.saturating_add(SAID_AGAIN) < now;
        if said {
            entry.used = now;
        }
        Some((Arc::clone(&entry.text), said))
    }

    /// What is ours is newer than what was there; what came from others may be older.
    fn keep(&mut self, kept: KeptText, ours: bool, limit: usize) {
        let KeptText { key, text, used } = kept;
        if !ours && self.texts.get(&key).is_some_and(|known| known.used > used) {
            return;
        }
        self.bytes += size(&key, &text);
        match self.texts.insert(Arc::clone(&key), Entry { text, used, recent: false }) {
            Some(old) => self.bytes -= size(&key, &old.text),
            None => self.order.push_back(key),
        }
        while self.bytes > limit
            && let Some(oldest) = self.order.pop_front()
        {
            self.forget(oldest);
        }
    }

    /// Forgets one that was not used since the last time that it was its turn.
    fn forget(&mut self, oldest: Arc<str>) {
        match self.texts.get_mut(&oldest) {
            Some(entry) if entry.recent => {
                entry.recent = false;
                self.order.push_back(oldest);
            }
            _ => {
                let forgotten = self.texts.remove(&oldest).map_or(0, |entry| size(&oldest, &entry.text));
                self.bytes -= forgotten;
            }
        }
    }
}

fn size(key: &str, text: &str) -> usize {
    key.len() + text.len() + ENTRY
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What a panic left is whole: every change is made in one step.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::super::CALL_STATES;
    use super::*;

    #[test]
    fn the_oldest_are_forgotten_and_what_is_held_stays_within_its_limit() {
        let texts = Texts::new(&CALL_STATES);
        let limit = CALL_STATES.limit / PARTS;
        let long = "x".repeat(64 << 10);
        for key in 0..2000 {
            texts.keep(format!("key_{key}"), &long);
            assert!(texts.find("key_0").is_some(), "what is used stays");
        }
        assert_eq!(texts.find("key_1"), None);
        assert!(texts.find("key_1999").is_some());
        for part in &texts.parts {
            let part = part.lock().unwrap();
            let held: usize = part.texts.iter().map(|(key, entry)| size(key, &entry.text)).sum();
            assert_eq!((part.bytes, part.order.len()), (held, part.texts.len()));
            assert!(held <= limit);
        }
        texts.keep("huge".into(), &"x".repeat(CALL_STATES.limit));
        assert_eq!(texts.find("huge"), None);
    }

    #[test]
    fn what_nobody_used_for_long_is_over_and_what_is_used_says_so_once_a_day() {
        let (mut part, terms, day) = (Part::default(), &CALL_STATES, SAID_AGAIN);
        part.keep(KeptText { key: "k".into(), text: "t".into(), used: 1000 }, true, terms.limit);
        assert!(!part.find("k", 1000 + day, terms).unwrap().1);
        assert!(part.find("k", 1001 + day, terms).unwrap().1);
        assert!(!part.find("k", 1002 + day, terms).unwrap().1);
        assert!(part.find("k", 1001 + 8 * day, terms).is_some());
        assert!(part.find("k", 1002 + 16 * day, terms).is_none());
    }
}
