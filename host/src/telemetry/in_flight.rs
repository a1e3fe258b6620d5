//! The requests that are under way, for `status`.
//!
//! `RequestRecord` enters each when it begins and takes it out when it ends. A slot is used again by the next request, so
//! that after a while nothing is allocated. Every thread has a shelf of its own, so that threads do not wait for each other.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::{RequestRecord, Sink};

/// As many as threads that serve requests, about: more threads share.
const SHELVES: usize = 16;

/// How far a request has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Its body is read, or its target is chosen.
    #[default]
    Preparing,
    /// A provider was asked and has not begun to answer.
    Waiting,
    /// The answer has begun.
    Answering,
}

/// An answer under way, as the task sees it that ends overdue ones: an answer looks at its own deadlines only while its
/// client reads.
pub trait Answering: Send {
    /// Ends it if a deadline has long passed.
    fn look(&mut self);
    /// Ends it, as the gateway ends.
    fn stop(&mut self);
}

/// One request under way.
#[derive(Clone, Debug)]
pub struct UnderWay {
    /// The gateway's id of it.
    pub id: Arc<str>,
    /// The client's dialect.
    pub dialect: &'static str,
    /// When it came.
    pub started: Instant,
    /// How far it is.
    pub phase: Phase,
    /// The provider that was asked last; empty while none was.
    pub provider: Arc<str>,
    /// The account's label.
    pub account: Arc<str>,
    /// The provider's own name of the model.
    pub model: String,
    /// Targets asked.
    pub attempts: u32,
    answer: Option<Weak<Mutex<dyn Answering>>>,
}

/// All requests under way.
#[derive(Default)]
pub struct InFlight {
    shelves: [Mutex<Shelf>; SHELVES],
}

#[derive(Default)]
struct Shelf {
    slots: Vec<Option<UnderWay>>,
    free: Vec<usize>,
    /// Room for the next model's name: the last one's.
    name: String,
}

/// Where a request stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct InFlightSlot {
    shelf: usize,
    slot: usize,
}

impl InFlight {
    /// Enters a request.
    pub(super) fn enter(&self, id: &Arc<str>, dialect: &'static str, started: Instant) -> InFlightSlot {
        let number = shelf_of_this_thread();
        let mut shelf = self.shelf(number);
        let nobody = Arc::clone(nobody());
        let request = UnderWay {
            id: Arc::clone(id),
            dialect,
            started,
            phase: Phase::Preparing,
            provider: Arc::clone(&nobody),
            account: nobody,
            model: std::mem::take(&mut shelf.name),
            attempts: 0,
            answer: None,
        };
        let slot = match shelf.free.pop() {
            Some(slot) => {
                shelf.slots[slot] = Some(request);
                slot
            }
            None => {
                shelf.slots.push(Some(request));
                shelf.slots.len() - 1
            }
        };
        InFlightSlot { shelf: number, slot }
    }

    /// Says how far a request is.
    pub(super) fn update(&self, InFlightSlot { shelf, slot }: InFlightSlot, update: impl FnOnce(&mut UnderWay)) {
        if let Some(request) = &mut self.shelf(shelf).slots[slot] {
            update(request);
        }
    }

    /// Takes a request out.
    fn leave(&self, InFlightSlot { shelf, slot }: InFlightSlot) {
        let mut shelf = self.shelf(shelf);
        if let Some(mut request) = shelf.slots[slot].take() {
            request.model.clear();
            shelf.name = request.model;
        }
        shelf.free.push(slot);
    }

    /// The answer of this request is under way.
    pub(super) fn answers(&self, slot: InFlightSlot, answer: Weak<Mutex<dyn Answering>>) {
        self.update(slot, |request| request.answer = Some(answer));
    }

    /// Ends the answers whose deadlines have passed without their clients' reading them.
    pub fn end_unread(&self) {
        self.each_answer(|answer| answer.look());
    }

    /// Ends every answer under way and tells its client.
    pub fn stop(&self) {
        self.each_answer(|answer| answer.stop());
    }

    fn each_answer(&self, with: impl Fn(&mut dyn Answering)) {
        let mut answers: Vec<Weak<Mutex<dyn Answering>>> = Vec::new();
        for number in 0..SHELVES {
            let shelf = self.shelf(number);
            answers.extend(shelf.slots.iter().flatten().filter_map(|request| request.answer.clone()));
        }
        // One that ends here leaves its shelf, so none may be held.
        for answer in answers.iter().filter_map(Weak::upgrade) {
            with(&mut *answer.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// Those under way, the oldest first.
    pub fn list(&self) -> Vec<UnderWay> {
        let mut all: Vec<UnderWay> = Vec::new();
        for number in 0..SHELVES {
            all.extend(self.shelf(number).slots.iter().flatten().cloned());
        }
        all.sort_by_key(|request| request.started);
        all
    }

    fn shelf(&self, number: usize) -> MutexGuard<'_, Shelf> {
        // Nothing that runs under the lock leaves a shelf half changed.
        self.shelves[number].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for InFlight {
    fn ended(&self, request: &RequestRecord) {
        self.leave(request.under_way().slot);
    }
}

/// One text for all that is not known yet.
pub(super) fn nobody() -> &'static Arc<str> {
    static NOBODY: std::sync::LazyLock<Arc<str>> = std::sync::LazyLock::new(|| "".into());
    &NOBODY
}

fn shelf_of_this_thread() -> usize {
    static THREADS: AtomicUsize = AtomicUsize::new(0);
    thread_local!(static SHELF: Cell<Option<usize>> = const { Cell::new(None) });
    SHELF.with(|shelf| {
        shelf.get().unwrap_or_else(|| {
            let number = THREADS.fetch_add(1, Ordering::Relaxed) % SHELVES;
            shelf.set(Some(number));
            number
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_listed_from_its_beginning_to_its_end_with_what_is_known_of_it() {
        let all = InFlight::default();
        let (first, second) = (Arc::from("req_1"), Arc::from("req_2"));
        let one = all.enter(&first, "responses", Instant::now());
        let two = all.enter(&second, "messages", Instant::now());
        all.update(one, |request| {
            request.phase = Phase::Waiting;
            request.model.push_str("gpt-5");
        });
        let listed = all.list();
        let shown: Vec<_> =
            listed.iter().map(|request| (&*request.id, request.phase, request.model.as_str())).collect();
        assert_eq!(shown, [("req_1", Phase::Waiting, "gpt-5"), ("req_2", Phase::Preparing, "")]);
        all.leave(one);
        assert_eq!(all.list().len(), 1);
        all.leave(two);
        assert!(all.list().is_empty());
    }

    #[test]
    fn a_slot_is_used_again_and_shows_nothing_of_who_was_there_before() {
        let all = InFlight::default();
        let id = Arc::from("req");
        for _ in 0..1000 {
            let slot = all.enter(&id, "responses", Instant::now());
            assert_eq!(all.list()[0].model, "");
            all.update(slot, |request| request.model.push_str("a-model"));
            all.leave(slot);
        }
        let slots: usize = all.shelves.iter().map(|shelf| shelf.lock().unwrap().slots.len()).sum();
        assert_eq!(slots, 1);
    }

    #[test]
    fn a_request_may_end_on_another_thread_than_it_began_on() {
        let all = Arc::new(InFlight::default());
        let slot = all.enter(&Arc::from("req"), "responses", Instant::now());
        let there = Arc::clone(&all);
        std::thread::spawn(move || there.leave(slot)).join().unwrap();
        assert!(all.list().is_empty());
    }
}
