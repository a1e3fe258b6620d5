//! What a request says that its target cannot be told. Writers name the value itself, as the slice of the body in which
//! it stands; the JSON pointer is found only if somebody asks, so that a request that loses nothing pays nothing.

use super::request::{Part, What};
use crate::json;

/// What a translation could not carry, as JSON pointers into the client's body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// What the target is not told at all.
    pub dropped: Vec<String>,
    /// What it is told in other words: an effort for a budget, a lower temperature.
    pub approximated: Vec<String>,
}

impl Lost {
    /// Whether everything was carried.
    pub fn is_empty(&self) -> bool {
        self.dropped.is_empty() && self.approximated.is_empty()
    }
}

/// Collects values while a request is translated.
#[derive(Debug, Default)]
pub(crate) struct Losses<'a> {
    dropped: Vec<&'a [u8]>,
    approximated: Vec<&'a [u8]>,
}

impl<'a> Losses<'a> {
    /// This value of the body is not sent.
    pub(crate) fn dropped(&mut self, value: &'a [u8]) {
        self.dropped.push(value);
    }

    /// This part of a turn is not sent.
    pub(crate) fn part(&mut self, part: &Part<'a>) {
        self.dropped(part.raw);
        if let What::Ran(run) = &part.what {
            self.dropped_if(run.result);
        }
    }

    /// This value of the body, if it is there, is not sent.
    pub(crate) fn dropped_if(&mut self, value: Option<&'a [u8]>) {
        self.dropped.extend(value);
    }

    /// This value of the body is sent in other words.
    pub(crate) fn approximated(&mut self, value: &'a [u8]) {
        self.approximated.push(value);
    }

    /// The pointers, in the order of the body, each once, and none of what is within another. A value that is no part of
    /// the body (an item out of the store) has none.
    pub(crate) fn into_lost(self, body: &[u8]) -> Lost {
        Lost { dropped: pointers(body, self.dropped), approximated: pointers(body, self.approximated) }
    }
}

fn pointers(body: &[u8], values: Vec<&[u8]>) -> Vec<String> {
    let start = body.as_ptr() as usize;
    let within = |value: &[u8]| {
        let at = (value.as_ptr() as usize).checked_sub(start)?;
        (at + value.len() <= body.len()).then_some((at, at + value.len()))
    };
    let mut places: Vec<(usize, usize)> = values.into_iter().filter_map(within).collect();
    places.sort_unstable_by_key(|(start, end)| (*start, std::cmp::Reverse(*end)));
    let mut covered = 0;
    places.retain(|(start, end)| {
        let is_outermost = *start >= covered;
        covered = covered.max(*end);
        is_outermost
    });
    let places: Vec<usize> = places.into_iter().map(|(place, _)| place).collect();
    let mut walk = Walk { start, pointer: String::new(), found: Vec::with_capacity(places.len()) };
    walk.inside(body, &places, DEEPEST);
    walk.found
}

/// Values that lie deeper have no pointer: no reader or writer reports one.
const DEEPEST: usize = 128;

/// One walk over the body for all of its places, since a long history may lose something with each of its items.
struct Walk {
    start: usize,
    /// Of the value that is walked over.
    pointer: String,
    found: Vec<String>,
}

impl Walk {
    /// Finds the values inside this one that begin at these places, which are in order.
    fn inside(&mut self, value: &[u8], places: &[usize], depth: usize) {
        let mut rest = places;
        for (key, member) in json::members(value) {
            rest =
                self.step(member, rest, depth, || String::from_utf8_lossy(key).replace('~', "~0").replace('/', "~1"));
            if rest.is_empty() {
                return;
            }
        }
        for (index, item) in json::items(value).enumerate() {
            rest = self.step(item, rest, depth, || index.to_string());
            if rest.is_empty() {
                return;
            }
        }
    }

    /// Takes the places that lie in this member or item; those behind it are left.
    fn step<'p>(&mut self, value: &[u8], places: &'p [usize], depth: usize, name: impl Fn() -> String) -> &'p [usize] {
        let begin = value.as_ptr() as usize - self.start;
        let here = places.iter().take_while(|place| **place < begin + value.len()).count();
        let (here, rest) = places.split_at(here);
        let Some(first) = here.last().filter(|last| **last >= begin).and(here.first()) else { return rest };
        let outside = self.pointer.len();
        self.pointer.push('/');
        self.pointer.push_str(&name());
        if *first == begin {
            self.found.push(self.pointer.clone());
        } else if depth > 0 {
            self.inside(value, here, depth - 1);
        }
        self.pointer.truncate(outside);
        rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_where_it_stands() {
        let body = br#" {"n": 2, "messages": [{"a/b": [1, {"x": "n"}]}, {"n": [3]}]}"#;
        let second = json::items(json::get(body, "messages").unwrap()).nth(1).unwrap();
        let first = json::items(json::get(body, "messages").unwrap()).next().unwrap();
        let mut losses = Losses::default();
        losses.dropped(json::get(second, "n").unwrap());
        losses.dropped(json::get(first, "a/b").unwrap());
        losses.dropped(json::get(body, "n").unwrap());
        losses.dropped(json::get(body, "n").unwrap());
        losses.dropped(b"elsewhere");
        losses.approximated(second);
        losses.approximated(json::get(second, "n").unwrap());
        let lost = losses.into_lost(body);
        assert_eq!(lost.dropped, ["/n", "/messages/0/a~1b", "/messages/1/n"]);
        assert_eq!(lost.approximated, ["/messages/1"]);
    }
}
