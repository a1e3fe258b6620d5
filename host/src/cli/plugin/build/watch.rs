//! `--watch`: builds again when a file of the project has changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

use super::Project;
use crate::cli::print;

/// How often the files are looked at: an author does not notice it, nor does a laptop's battery.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// What tools make by themselves: a change there is none of the author's.
const MADE: [&str; 7] = ["target", "node_modules", "__pycache__", "dist", "zig-cache", "zig-out", "build"];

/// Runs `build` now and after each change, until the process is ended.
pub(super) fn forever(project: &Project, build: impl Fn()) -> ! {
    loop {
        // Taken before: what changes while it builds is built again.
        let before = state(project.folder());
        build();
        print::note("waiting for a change… (Ctrl-C ends it)");
        while state(project.folder()) == before {
            thread::sleep(LOOK_EVERY);
        }
        // An editor writes several files one after the other.
        thread::sleep(LOOK_EVERY / 4);
    }
}

/// Every source file with the moment of its last change.
pub(super) fn state(folder: &Path) -> Vec<(PathBuf, Option<SystemTime>)> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            let name = name.to_string_lossy();
            let Ok(kind) = entry.file_type() else { continue };
            let is_made = MADE.contains(&&*name) || name.starts_with('.') && name != ".cargo";
            if kind.is_dir() && !is_made {
                folders.push(path);
            } else if kind.is_file()
                && !name.starts_with('.')
                && !name.ends_with(".wasm")
                && !name.ends_with(".part")
                && name != "Cargo.lock"
            {
                files.push((path, entry.metadata().ok().and_then(|about| about.modified().ok())));
            }
        }
    }
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_counts_and_what_tools_make_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let at = |place: &str| {
            let file = folder.path().join(place);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "x").unwrap();
        };
        ["src/lib.rs", "target/x.rs", "acme.wasm", ".git/index", "Cargo.lock", ".cargo/config.toml"]
            .iter()
            .for_each(|it| at(it));
        let mut seen: Vec<_> = state(folder.path())
            .into_iter()
            .map(|(path, _)| path.strip_prefix(folder.path()).unwrap().to_owned())
            .collect();
        seen.sort();
        assert_eq!(seen, [PathBuf::from(".cargo/config.toml"), PathBuf::from("src/lib.rs")]);
    }
}
