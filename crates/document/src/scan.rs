//! Where the quotes and brackets of a JSON text are, as bit masks of 64 bytes each.
//! Called once for each body, and for the rare new value that a later edit reaches into. It looks at every byte, so it
//! must do next to nothing for each; what the marks mean is `index`'s business.

use wide::u8x16;

/// How many bytes one [`Block`] covers.
const WIDTH: usize = 64;

/// Bits 0, 2, 4, …
const EVEN: u64 = 0x5555_5555_5555_5555;

/// The marks of 64 bytes; the lowest bit is the first byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Block {
    /// Quotes that open or close a string, that is, those no backslash escapes.
    pub(crate) quotes: u64,
    /// `{`, `}`, `[` and `]` outside strings.
    pub(crate) brackets: u64,
}

/// The marks of a whole text: 16 bytes for 64, so a quarter of the text's size. They are kept because each level that
/// is indexed later walks them again, and that takes a tenth of the time that finding them took.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    blocks: Vec<Block>,
}

impl Marks {
    /// Scans a text from its first byte to its last.
    pub(crate) fn of(text: &[u8]) -> Self {
        let mut blocks = Vec::with_capacity(text.len().div_ceil(WIDTH));
        let mut state = Carry::default();
        let (whole, rest) = text.as_chunks::<WIDTH>();
        blocks.extend(whole.iter().map(|bytes| state.block(bytes)));
        if !rest.is_empty() {
            let mut last = [b' '; WIDTH];
            last[..rest.len()].copy_from_slice(rest);
            blocks.push(state.block(&last));
        }
        Self { blocks }
    }

    /// The first unescaped quote at `from` or behind it.
    #[inline]
    pub(crate) fn quote(&self, from: usize) -> Option<usize> {
        let mut index = from / WIDTH;
        let mut bits = self.blocks.get(index)?.quotes & (!0 << (from % WIDTH));
        while bits == 0 {
            index += 1;
            bits = self.blocks.get(index)?.quotes;
        }
        Some(index * WIDTH + bits.trailing_zeros() as usize)
    }

    /// True if the byte at `at` is a quote that no backslash escapes.
    #[inline]
    pub(crate) fn is_quote(&self, at: usize) -> bool {
        self.blocks.get(at / WIDTH).is_some_and(|block| block.quotes >> (at % WIDTH) & 1 == 1)
    }

    /// The brackets outside strings at `from` and behind it.
    #[inline]
    pub(crate) fn brackets(&self, from: usize) -> Brackets<'_> {
        let index = from / WIDTH;
        let bits = self.blocks.get(index).map_or(0, |block| block.brackets & (!0 << (from % WIDTH)));
        Brackets { blocks: &self.blocks, index, bits }
    }
}

/// The positions of brackets, in order.
pub(crate) struct Brackets<'a> {
    blocks: &'a [Block],
    index: usize,
    bits: u64,
}

impl Iterator for Brackets<'_> {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        while self.bits == 0 {
            self.index += 1;
            self.bits = self.blocks.get(self.index)?.brackets;
        }
        let at = self.index * WIDTH + self.bits.trailing_zeros() as usize;
        self.bits &= self.bits - 1;
        Some(at)
    }
}

/// What one block leaves to the next.
#[derive(Default)]
struct Carry {
    /// 1 if the next byte is escaped by a backslash before it.
    escaped: u64,
    /// All ones if the next byte is inside a string.
    in_string: u64,
}

impl Carry {
    #[inline(always)]
    fn block(&mut self, bytes: &[u8; WIDTH]) -> Block {
        let lanes = Lanes::load(bytes);
        // Most of a long text: one mask instead of two.
        if self.escaped == 0 && !lanes.has_quote_or_backslash() {
            let brackets = if self.in_string == 0 { lanes.brackets() } else { 0 };
            return Block { quotes: 0, brackets };
        }
        let mut quotes = lanes.equal(b'"');
        let backslashes = lanes.equal(b'\\');
        if backslashes | self.escaped != 0 {
            quotes &= !self.escaped(backslashes);
        }
        if quotes == 0 {
            let brackets = if self.in_string == 0 { lanes.brackets() } else { 0 };
            return Block { quotes, brackets };
        }
        let inside = prefix_xor(quotes) ^ self.in_string;
        // An arithmetic shift spreads the last byte's state over the whole next block.
        self.in_string = ((inside as i64) >> 63) as u64;
        Block { quotes, brackets: lanes.brackets() & !inside }
    }

    /// The bytes that a backslash escapes: those behind a run of backslashes of odd length.
    #[inline(always)]
    fn escaped(&mut self, backslashes: u64) -> u64 {
        let backslashes = backslashes & !self.escaped;
        let follows = backslashes << 1 | self.escaped;
        let odd_starts = backslashes & !EVEN & !follows;
        // A run that starts at an even place carries into an even place exactly when it is of even length.
        let (even_starts, carry) = odd_starts.overflowing_add(backslashes);
        self.escaped = u64::from(carry);
        (EVEN ^ (even_starts << 1)) & follows
    }
}

/// For each bit, whether the number of set bits up to and including it is odd.
#[inline(always)]
fn prefix_xor(mut bits: u64) -> u64 {
    bits ^= bits << 1;
    bits ^= bits << 2;
    bits ^= bits << 4;
    bits ^= bits << 8;
    bits ^= bits << 16;
    bits ^ bits << 32
}

/// 64 bytes in four registers.
struct Lanes([u8x16; 4]);

impl Lanes {
    #[inline(always)]
    fn load(bytes: &[u8; WIDTH]) -> Self {
        let (quarters, _) = bytes.as_chunks::<16>();
        Self([0, 1, 2, 3].map(|quarter| u8x16::new(quarters[quarter])))
    }

    #[inline(always)]
    fn equal(&self, byte: u8) -> u64 {
        let wanted = u8x16::splat(byte);
        self.mask(|lane| lane.simd_eq(wanted))
    }

    #[inline(always)]
    fn has_quote_or_backslash(&self) -> bool {
        let (quote, backslash) = (u8x16::splat(b'"'), u8x16::splat(b'\\'));
        let [a, b, c, d] = self.0.map(|lane| lane.simd_eq(quote) | lane.simd_eq(backslash));
        (a | b | c | d).any()
    }

    /// `[` and `{`, `]` and `}` differ in one bit.
    #[inline(always)]
    fn brackets(&self) -> u64 {
        let (bit, open, close) = (u8x16::splat(0x20), u8x16::splat(b'{'), u8x16::splat(b'}'));
        self.mask(|lane| {
            let folded = lane | bit;
            folded.simd_eq(open) | folded.simd_eq(close)
        })
    }

    #[inline(always)]
    fn mask(&self, test: impl Fn(u8x16) -> u8x16) -> u64 {
        let [a, b, c, d] = self.0.map(|lane| u64::from(test(lane).to_bitmask()));
        a | b << 16 | c << 32 | d << 48
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Block, Marks, WIDTH};

    /// The same marks, one byte at a time.
    fn reference(text: &[u8]) -> Vec<Block> {
        let mut blocks = vec![Block::default(); text.len().div_ceil(WIDTH)];
        let (mut escaped, mut in_string) = (false, false);
        for (at, &byte) in text.iter().enumerate() {
            let (block, bit) = (&mut blocks[at / WIDTH], 1 << (at % WIDTH));
            match byte {
                b'"' if !escaped => {
                    in_string = !in_string;
                    block.quotes |= bit;
                }
                b'{' | b'}' | b'[' | b']' if !in_string => block.brackets |= bit,
                _ => {}
            }
            escaped = byte == b'\\' && !escaped;
        }
        blocks
    }

    fn text() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            4 => prop::collection::vec(prop::sample::select(br#"{}[]",:a \"#.to_vec()), 1..8),
            2 => (1..140_usize).prop_map(|run| vec![b'\\'; run]),
            2 => (1..140_usize).prop_map(|run| vec![b'x'; run]),
            1 => prop::collection::vec(any::<u8>(), 1..80),
        ];
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn marks_are_those_of_a_byte_at_a_time(text in text()) {
            prop_assert_eq!(Marks::of(&text).blocks, reference(&text));
        }
    }

    #[test]
    fn a_run_of_backslashes_escapes_a_quote_at_every_alignment_if_it_is_odd() {
        for start in 0..2 * WIDTH {
            for run in 0..2 * WIDTH + 2 {
                let text = [&vec![b' '; start], b"\"".as_slice(), &vec![b'\\'; run], b"\"{"].concat();
                assert_eq!(Marks::of(&text).blocks, reference(&text), "{run} backslashes behind {start}");
            }
        }
    }

    #[test]
    fn quotes_and_brackets_are_found_from_any_place() {
        let text = [b"[\"".as_slice(), &[b'x'; 200], b"\"]"].concat();
        let marks = Marks::of(&text);
        assert_eq!((marks.quote(0), marks.quote(2), marks.quote(203)), (Some(1), Some(202), None));
        assert_eq!(marks.brackets(0).collect::<Vec<_>>(), [0, 203]);
        assert_eq!(marks.brackets(1).collect::<Vec<_>>(), [203]);
        assert!(marks.is_quote(202) && !marks.is_quote(203) && !marks.is_quote(100_000));
    }
}
