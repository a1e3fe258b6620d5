//! Runs every case of a folder, and compares with what is expected.

use std::fs;
use std::path::{Path, PathBuf};

use crate::diff;
use crate::hooks::Hooks;
use crate::run::{Case, run};

/// How one case came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As `expected.txt` says.
    Held,
    /// `expected.txt` was written, and did not say so before.
    Written,
    /// Otherwise, or not at all: the difference, or why, in lines.
    Failed(String),
}

/// How the cases of a folder came out, in order of their names.
#[derive(Debug, Default)]
pub struct Report {
    /// Each case's folder, hook (none where its input cannot be read), and how it came out.
    pub cases: Vec<(PathBuf, Option<&'static str>, Outcome)>,
}

impl Report {
    /// What is wrong, with the case's folder.
    pub fn failed(&self) -> impl Iterator<Item = (&Path, &str)> {
        self.cases.iter().filter_map(|(folder, _, outcome)| match outcome {
            Outcome::Failed(why) => Some((folder.as_path(), why.as_str())),
            Outcome::Held | Outcome::Written => None,
        })
    }

    /// How many cases were written anew.
    pub fn written(&self) -> usize {
        self.cases.iter().filter(|(_, _, outcome)| *outcome == Outcome::Written).count()
    }
}

/// Runs the cases in `folder`, each in a folder of its own. With `bless` what comes out is written as what is expected. `driver` is
/// made for each case: no case is to know of another.
pub fn check<'d>(folder: &Path, bless: bool, mut driver: impl FnMut() -> Box<dyn Hooks + 'd>) -> Report {
    let cases = folders(folder).into_iter().map(|folder| {
        let (hook, outcome) = match Case::read(&folder) {
            Ok(case) => (Some(case.hook()), outcome(&mut *driver(), &case, &folder, bless)),
            Err(why) => (None, Outcome::Failed(why)),
        };
        (folder, hook, outcome)
    });
    Report { cases: cases.collect() }
}

fn outcome(hooks: &mut dyn Hooks, case: &Case, folder: &Path, bless: bool) -> Outcome {
    let actual = match run(hooks, case) {
        Ok(actual) => actual,
        Err(why) => return Outcome::Failed(why),
    };
    let file = folder.join("expected.txt");
    let expected = fs::read_to_string(&file).map(|text| text.replace("\r\n", "\n"));
    if expected.as_ref().is_ok_and(|expected| *expected == actual) {
        return Outcome::Held;
    }
    if bless {
        return match fs::write(&file, actual) {
            Ok(()) => Outcome::Written,
            Err(error) => Outcome::Failed(format!("{} cannot be written: {error}", file.display())),
        };
    }
    Outcome::Failed(match expected {
        Ok(expected) => diff::lines(&expected, &actual).join("\n"),
        Err(_) => format!("there is no expected.txt; what came out is:\n{}", actual.trim_end()),
    })
}

/// The folders of cases, in order of their names. One that holds folders alone, as `plugin record` writes it, is several.
fn folders(parent: &Path) -> Vec<PathBuf> {
    let entries = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut folders: Vec<PathBuf> = entries(parent).filter(|path| path.is_dir()).collect();
    folders.sort();
    let is_several = |folder: &PathBuf| entries(folder).next().is_some() && entries(folder).all(|path| path.is_dir());
    let each = |folder: PathBuf| if is_several(&folder) { self::folders(&folder) } else { vec![folder] };
    folders.into_iter().flat_map(each).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_folders_is_several_cases_and_an_empty_one_is_told() {
        let parent = tempfile::tempdir().unwrap();
        for case in ["b/call", "b/limits", "a"] {
            fs::create_dir_all(parent.path().join(case)).unwrap();
            fs::write(parent.path().join(case).join("call.json"), "{}").unwrap();
        }
        fs::create_dir(parent.path().join("c")).unwrap();
        let expected = ["a", "b/call", "b/limits", "c"].map(|case| parent.path().join(case));
        assert_eq!(folders(parent.path()), expected);
    }
}
