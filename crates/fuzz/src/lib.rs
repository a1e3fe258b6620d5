//! Feeds mutated bytes to what parses bytes from outside: a fuzzer that is a test.
//!
//! A target is a test beside the parser, whose name has `fuzz` in it. `cargo test` runs each for a moment, `cargo xtask fuzz`
//! for as long as it is told. It knows nothing of coverage: the corpus and the words of the format are what lead it into
//! the parser, and any toolchain runs it (docs/decisions/0022).

#![forbid(unsafe_code)]

mod mutate;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mutate::Mutator;

/// How long a target runs where `FUZZ_SECONDS` is not set: `cargo test` is not to wait for it.
const A_MOMENT: Duration = Duration::from_millis(200);

/// A corpus and the words of its format.
pub struct Fuzz {
    corpus: Vec<Vec<u8>>,
    words: &'static [&'static str],
    crate_folder: PathBuf,
}

impl Fuzz {
    /// What begins with the files of some folders of a crate, and inserts these words. The first argument is
    /// `env!("CARGO_MANIFEST_DIR")`.
    ///
    /// # Panics
    ///
    /// If a folder cannot be read or is empty.
    pub fn new(crate_folder: &str, folders: &[&str], words: &'static [&'static str]) -> Self {
        // At run time first: a checkout may have moved since the build.
        let crate_folder = std::env::var_os("CARGO_MANIFEST_DIR").map_or(crate_folder.into(), PathBuf::from);
        let corpus: Vec<_> = folders.iter().flat_map(|folder| files(&crate_folder.join(folder))).collect();
        assert!(!corpus.is_empty(), "the corpus in {} is empty", folders.join(", "));
        Self { corpus, words, crate_folder }
    }

    /// Hands the corpus, and then mutations of it until the time is over, to a target that panics where something is wrong.
    ///
    /// # Panics
    ///
    /// As the target does, after the bytes are written below `target/fuzz` and that is said.
    pub fn run(&self, target: impl Fn(&[u8])) {
        let seed = number("FUZZ_SEED").unwrap_or_else(now);
        let until = Instant::now() + number("FUZZ_SECONDS").map_or(A_MOMENT, Duration::from_secs);
        self.corpus.iter().for_each(|bytes| self.try_one(bytes, seed, &target));
        let mut mutator = Mutator::new(seed, &self.corpus, self.words);
        let mut runs = 0_u64;
        while Instant::now() < until {
            // The clock is asked now and then: many targets take less than it does.
            for _ in 0..16 {
                self.try_one(mutator.next(), seed, &target);
            }
            runs += 16;
        }
        println!("fuzz: {runs} inputs, seed {seed}");
    }

    fn try_one(&self, bytes: &[u8], seed: u64, target: &impl Fn(&[u8])) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| target(bytes))) {
            let written = self.keep(bytes);
            eprintln!(
                "fuzz: FUZZ_SEED={seed} found an input that fails: {written}. Put it into the corpus to play it again"
            );
            resume_unwind(panic);
        }
    }

    /// Writes an input that failed, and says where.
    fn keep(&self, bytes: &[u8]) -> String {
        let folder = self.crate_folder.join("../../target/fuzz");
        let file = folder.join(format!("{:016x}", now()));
        match fs::create_dir_all(&folder).and_then(|()| fs::write(&file, bytes)) {
            Ok(()) => file.display().to_string(),
            Err(error) => format!("it cannot be written ({error}), and is {:?}", String::from_utf8_lossy(bytes)),
        }
    }
}

/// How many cases of a property are tried: `PROPTEST_CASES`, else as many as are asked for. Without optimization it is an eighth,
/// as nobody is to wait for the tests of a crate that was touched.
pub fn cases(optimized: u32) -> u32 {
    let usual = if cfg!(debug_assertions) { optimized.div_ceil(8) } else { optimized };
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(usual)
}

fn files(folder: &Path) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_file()).collect();
    paths.sort();
    paths.iter().filter_map(|path| fs::read(path).ok()).collect()
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: &[&str] = &["needle"];

    fn fuzz() -> Fuzz {
        Fuzz { corpus: vec![b"a haystack of hay".to_vec()], words: WORDS, crate_folder: std::env::temp_dir() }
    }

    #[test]
    fn a_fuzzed_target_that_fails_on_a_word_is_found_out() {
        let finds = |bytes: &[u8]| assert!(!bytes.windows(6).any(|window| window == b"needle"));
        // With a bound on inputs, not on time: a slow machine finds it, too.
        let fuzz = fuzz();
        let mut mutator = Mutator::new(7, &fuzz.corpus, fuzz.words);
        let found = (0..10_000).any(|_| {
            let bytes = mutator.next().to_vec();
            catch_unwind(AssertUnwindSafe(|| finds(&bytes))).is_err()
        });
        assert!(found);
    }

    #[test]
    fn the_same_seed_gives_the_same_inputs() {
        let fuzz = fuzz();
        let inputs = |seed| {
            let mut mutator = Mutator::new(seed, &fuzz.corpus, fuzz.words);
            (0..100).map(|_| mutator.next().to_vec()).collect::<Vec<_>>()
        };
        assert_eq!(inputs(1), inputs(1));
        assert_ne!(inputs(1), inputs(2));
    }

    #[test]
    fn an_input_that_fails_is_kept() {
        let written = fuzz().keep(b"bytes");
        assert_eq!(fs::read(written).unwrap(), b"bytes");
    }
}
