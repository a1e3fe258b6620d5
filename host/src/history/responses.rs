//! The responses of clients whose requests were translated: what `previous_response_id` and `item_reference` name, and what is
//! answered at `/v1/responses/{id}`. Each belongs to its caller, for others it is not there; those of a WebSocket to their
//! connection, and they go with it.
//!
//! A response has the items of its own request and answer, and the name of the one before: a conversation of many turns holds
//! each of its items once. All of it is in memory, bounded, and the oldest is forgotten.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bitrouter_dialect::history::{Response, item_id, items_of, without_id};
use serde_json::Value;

use super::items::{Item, Items};
use super::{LASTS, is_over, now};
use crate::caller::Caller;

/// What all responses may hold.
const LIMIT: usize = 64 << 20;
/// What a response holds beside its texts, and for each item.
const ENTRY: usize = 256;
const PLACE: usize = 32;
/// The letters and digits by which this gateway tells its answers apart.
const OWN: usize = 24;

/// The responses of all callers.
#[derive(Debug)]
pub struct Responses {
    table: Mutex<Table>,
    limit: usize,
}

#[derive(Debug, Default)]
struct Table {
    responses: HashMap<Key, Stored>,
    /// Which response an item is of, and which of its output.
    items: HashMap<Key, (Box<str>, usize)>,
    /// Oldest first, but for those that were used.
    order: VecDeque<Key>,
    texts: Items,
    bytes: usize,
}

/// Whose a response is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ResponseOwner {
    /// Whoever has this key.
    Caller(Caller),
    /// A client's WebSocket, by its number.
    Connection(u64),
}

impl From<Caller> for ResponseOwner {
    fn from(caller: Caller) -> Self {
        ResponseOwner::Caller(caller)
    }
}

type Key = (ResponseOwner, Box<str>);

#[derive(Debug)]
struct Stored {
    previous: Option<Box<str>>,
    input: Vec<Item>,
    /// With the ids, which the items do not have.
    output: Vec<(Box<str>, Item)>,
    /// The response up to its output, and from there on.
    before: Box<[u8]>,
    after: Box<[u8]>,
    /// In seconds since 1970.
    used: u64,
    /// Whether it was used since the order was last looked at.
    recent: bool,
}

/// What one owner has.
pub struct OfOwner<'r> {
    responses: &'r Responses,
    owner: ResponseOwner,
}

impl Default for Responses {
    fn default() -> Self {
        Responses::within(LIMIT)
    }
}

impl Responses {
    /// With another limit.
    pub(super) fn within(limit: usize) -> Self {
        Responses { table: Mutex::default(), limit }
    }

    /// What this owner has.
    pub fn of(&self, owner: impl Into<ResponseOwner>) -> OfOwner<'_> {
        OfOwner { responses: self, owner: owner.into() }
    }

    /// Forgets all that this owner has.
    pub fn forget(&self, owner: ResponseOwner) {
        let mut table = self.lock();
        let its: Vec<Key> = table.responses.keys().filter(|(whose, _)| *whose == owner).cloned().collect();
        its.iter().for_each(|key| table.remove(key));
        table.order.retain(|(whose, _)| *whose != owner);
    }

    /// Forgets what nobody has asked for.
    pub fn forget_unused(&self) {
        self.forget_unused_at(now());
    }

    pub(super) fn forget_unused_at(&self, now: u64) {
        let mut table = self.lock();
        let over: Vec<Key> =
            table.responses.iter().filter(|(_, it)| is_over(it.used, now, LASTS)).map(|(key, _)| key.clone()).collect();
        over.iter().for_each(|key| table.remove(key));
        let Table { order, responses, .. } = &mut *table;
        order.retain(|key| responses.contains_key(key));
    }

    /// What they hold, in bytes.
    pub fn held(&self) -> usize {
        self.lock().held()
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // A panic may leave a response without its place in the order: it is found still.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OfOwner<'_> {
    /// Keeps a response that is whole: what its request said (a list of items), and which one it continued.
    pub fn keep(&self, previous: Option<&str>, input: &[u8], response: &[u8]) {
        let Some(parts) = Response::read(response).filter(|_| input.len() + response.len() <= self.responses.limit / 4)
        else {
            return;
        };
        let mut table = self.responses.lock();
        let Table { texts, .. } = &mut *table;
        let input: Vec<Item> = items_of(input).map(|item| texts.take_in(item)).collect();
        let id = |item: &[u8]| -> Box<str> { item_id(item).unwrap_or_default().into() };
        let output: Vec<_> = parts.output.iter().map(|&item| (id(item), texts.take_in(&without_id(item)))).collect();
        let key: Key = (self.owner, Box::from(&*parts.id));
        table.remove(&key);
        for (place, (item, _)) in output.iter().enumerate().filter(|(_, (id, _))| !id.is_empty()) {
            table.items.insert((self.owner, item.clone()), (key.1.clone(), place));
        }
        let stored = Stored {
            previous: previous.map(Box::from),
            input,
            output,
            before: parts.before.into(),
            after: parts.after.into(),
            used: now(),
            recent: false,
        };
        table.bytes += stored.size();
        table.responses.insert(key.clone(), stored);
        table.order.push_back(key);
        while table.held() > self.responses.limit
            && let Some(oldest) = table.order.pop_front()
        {
            table.forget(oldest);
        }
    }

    /// Whether anything is kept for anybody's conversations at all.
    pub fn is_empty(&self) -> bool {
        self.responses.lock().responses.is_empty()
    }

    /// The response, as it was answered.
    pub fn response(&self, id: &str) -> Option<Vec<u8>> {
        let mut table = self.responses.lock();
        let stored = table.get(&(self.owner, id.into()))?;
        let mut out = stored.before.to_vec();
        for (place, (id, item)) in stored.output.iter().enumerate() {
            if place > 0 {
                out.push(b',');
            }
            out.extend(with_members(item, &[("id", &**id)]));
        }
        out.extend_from_slice(&stored.after);
        Some(out)
    }

    /// What the response's own request said, each item with an id: those that came without get one.
    pub fn input(&self, id: &str) -> Option<Vec<Vec<u8>>> {
        let mut table = self.responses.lock();
        let stored = table.get(&(self.owner, id.into()))?;
        let own = id.rsplit('_').next().unwrap_or_default();
        let named = |(place, item): (usize, &Item)| match item_id(item) {
            Some(_) => item.to_vec(),
            None => with_members(item, &[("id", &*format!("msg_{own}_in{place}"))]),
        };
        Some(stored.input.iter().enumerate().map(named).collect())
    }

    /// Forgets a response; false if it was not there. Those that continued it cannot be continued any more.
    pub fn remove(&self, id: &str) -> bool {
        let key = (self.owner, Box::from(id));
        let mut table = self.responses.lock();
        let there = table.get(&key).is_some();
        table.remove(&key);
        table.order.retain(|other| *other != key);
        there
    }
}

impl bitrouter_dialect::history::Kept for OfOwner<'_> {
    fn conversation(&self, response: &str, each: &mut dyn FnMut(&[u8])) -> bool {
        let Some(items) = self.responses.lock().conversation(self.owner, response) else { return false };
        items.iter().for_each(|item| each(item));
        true
    }

    fn item(&self, id: &str, each: &mut dyn FnMut(&[u8])) -> bool {
        let mut table = self.responses.lock();
        if let Some((answer, place)) = in_input(id) {
            let stored = table.get(&(self.owner, format!("resp_{answer}").into()));
            let item = stored.and_then(|stored| stored.input.get(place));
            item.into_iter().for_each(|item| each(item));
            return item.is_some();
        }
        let key: Key = (self.owner, id.into());
        let Some((response, place)) = table.items.get(&key).cloned() else { return false };
        let Some(stored) = table.get(&(self.owner, response)) else { return false };
        let Some((_, item)) = stored.output.get(place) else { return false };
        each(item);
        true
    }
}

impl Table {
    fn held(&self) -> usize {
        self.bytes + self.texts.bytes()
    }

    /// A response that is asked for.
    fn get(&mut self, key: &Key) -> Option<&Stored> {
        let now = now();
        let stored = self.responses.get_mut(key).filter(|stored| !is_over(stored.used, now, LASTS))?;
        (stored.used, stored.recent) = (now, true);
        Some(stored)
    }

    /// All items from the conversation's first request on; none where one of its responses is forgotten.
    fn conversation(&mut self, owner: ResponseOwner, response: &str) -> Option<Vec<Item>> {
        let mut turns = Vec::new();
        let mut next = Some(Box::from(response));
        while let Some(id) = next {
            let stored = self.get(&(owner, id))?;
            let output = stored.output.iter().map(|(_, item)| item);
            turns.push(stored.input.iter().chain(output).cloned().collect::<Vec<_>>());
            next = stored.previous.clone();
        }
        Some(turns.into_iter().rev().flatten().collect())
    }

    /// Forgets one that was not used since the last time that it was its turn.
    fn forget(&mut self, oldest: Key) {
        match self.responses.get_mut(&oldest) {
            Some(stored) if stored.recent => {
                stored.recent = false;
                self.order.push_back(oldest);
            }
            _ => self.remove(&oldest),
        }
    }

    /// Forgets one, but for its place in the order.
    fn remove(&mut self, key: &Key) {
        let Some(stored) = self.responses.remove(key) else { return };
        self.bytes -= stored.size();
        for (id, item) in stored.output {
            self.items.remove(&(key.0, id));
            self.texts.give_back(&item);
        }
        stored.input.into_iter().for_each(|item| self.texts.give_back(&item));
    }
}

impl Stored {
    fn size(&self) -> usize {
        let ids: usize = self.output.iter().map(|(id, _)| 2 * id.len() + PLACE).sum();
        ENTRY + self.before.len() + self.after.len() + ids + self.input.len() * PLACE
    }
}

/// An object with these members before its own.
fn with_members(object: &[u8], members: &[(&str, &str)]) -> Vec<u8> {
    let rest = object.trim_ascii_start().strip_prefix(b"{").unwrap_or_default().trim_ascii_start();
    let mut out = b"{".to_vec();
    for (name, value) in members {
        out.extend(format!("\"{name}\":{}", Value::from(*value)).into_bytes());
        out.push(b',');
    }
    if rest.first() == Some(&b'}') {
        out.pop();
    }
    out.extend_from_slice(rest);
    out
}

/// The place in a request that an item was named by, and what tells the request's answer from others.
fn in_input(id: &str) -> Option<(&str, usize)> {
    let (answer, place) = id.strip_prefix("msg_")?.split_once("_in")?;
    Some((answer, place.parse().ok()?))
}

/// Whether this gateway gave a response or an item its id, so that nobody else can know it: `resp_` or an item's prefix, what
/// tells its answers apart, and an item's place.
pub fn is_own(id: &str) -> bool {
    let mut parts = id.split('_');
    let prefix = parts.next().unwrap_or_default();
    let answer = parts.next().unwrap_or_default();
    let hex = |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let place = parts.next();
    let place = place.map(|place| place.strip_prefix("in").unwrap_or(place));
    let placed = place.is_some_and(|place| !place.is_empty() && place.bytes().all(|byte| byte.is_ascii_digit()));
    let named = match prefix {
        "resp" => place.is_none(),
        "msg" | "rs" | "fc" | "ctc" | "tsc" => placed,
        _ => false,
    };
    named && parts.next().is_none() && answer.len() == OWN && hex(answer)
}
