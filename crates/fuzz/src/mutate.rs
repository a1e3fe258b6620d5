//! Makes new inputs of old ones. The same seed gives the same inputs, on every machine.

use std::ops::Range;

/// Bytes that mean something to somebody.
const BYTES: &[u8] = b"\0\t\n\r \"#&,-./0179:;=AFZ[\\]_afz{}\x7f\x80\xc3\xed\xef\xf4\xff";

/// No input is longer: what costs time in proportion to its length is tried more often.
const MAX_LEN: usize = 16 << 10;

/// What makes inputs.
pub(crate) struct Mutator<'c> {
    random: Random,
    corpus: &'c [Vec<u8>],
    words: &'c [&'c str],
    bytes: Vec<u8>,
}

impl<'c> Mutator<'c> {
    pub(crate) fn new(seed: u64, corpus: &'c [Vec<u8>], words: &'c [&'c str]) -> Self {
        Self { random: Random(seed), corpus, words, bytes: Vec::new() }
    }

    /// A file of the corpus with one to eight changes.
    pub(crate) fn next(&mut self) -> &[u8] {
        let file = self.random.below(self.corpus.len());
        self.bytes.clone_from(&self.corpus[file]);
        for _ in 0..=self.random.below(8) {
            self.change();
        }
        self.bytes.truncate(MAX_LEN);
        &self.bytes
    }

    fn change(&mut self) {
        let at = self.random.below(self.bytes.len() + 1);
        let range = self.range();
        match self.random.below(9) {
            0 => {
                let bit = 1 << self.random.below(8);
                self.bytes.get_mut(at).into_iter().for_each(|byte| *byte ^= bit);
            }
            1 => {
                let byte = BYTES[self.random.below(BYTES.len())];
                self.bytes.get_mut(at).into_iter().for_each(|old| *old = byte);
            }
            2 => self.bytes.insert(at, BYTES[self.random.below(BYTES.len())]),
            3 => drop(self.bytes.drain(range)),
            4 => self.bytes.truncate(at),
            5 => {
                let again = self.bytes[range].to_vec();
                let times = 1 + self.random.below(4);
                (0..times).for_each(|_| self.insert(at, &again));
            }
            6 if !self.words.is_empty() => {
                let word = self.words[self.random.below(self.words.len())];
                self.insert(at, word.as_bytes());
            }
            7 if !self.words.is_empty() => {
                let word = self.words[self.random.below(self.words.len())];
                self.bytes.splice(range, word.bytes());
            }
            // The end of another file: its beginning is what this one has.
            _ => {
                let other = &self.corpus[self.random.below(self.corpus.len())];
                let from = self.random.below(other.len() + 1);
                self.bytes.truncate(at);
                self.bytes.extend_from_slice(&other[from..]);
            }
        }
    }

    /// A part of the bytes, more often a short one.
    fn range(&mut self) -> Range<usize> {
        let from = self.random.below(self.bytes.len() + 1);
        let most = if self.random.below(4) == 0 { self.bytes.len() - from } else { 16.min(self.bytes.len() - from) };
        from..from + self.random.below(most + 1)
    }

    fn insert(&mut self, at: usize, bytes: &[u8]) {
        self.bytes.splice(at..at, bytes.iter().copied());
    }
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % bound.max(1) as u64) as usize
    }
}
