//! Noticing that a file has changed, appeared or gone, by looking from time to time.
//!
//! `serve` runs it. Looking is what works everywhere: editors that rename, files that are not there yet, folders of other
//! machines. A change is applied once nothing has changed for a moment, so that no half of a file is read.

use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::reload::{Reloader, watched};
use crate::config::LoadOptions;

/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How long everything must stay as it is before a change is applied: longer than an editor takes to write a file, or a
/// linker a component.
const SETTLED: Duration = Duration::from_millis(300);

/// How files look from outside, those of a folder among them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fingerprint(Vec<(PathBuf, Option<Look>)>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Look {
    len: u64,
    modified: Option<SystemTime>,
    /// Another file of the same name is another file, however much it looks like the one before.
    inode: u64,
}

impl Fingerprint {
    /// Of these files, whether they are there or not, of a lock that somebody prepared, and of the components in a folder.
    pub(super) fn of(files: Vec<PathBuf>, lock: Option<&Path>, folder: &Path) -> Self {
        let entries = fs::read_dir(folder).map(|entries| entries.flatten().map(|entry| entry.path()));
        let mut components: Vec<PathBuf> = entries.into_iter().flatten().filter(|path| is_component(path)).collect();
        components.sort();
        let look = |file: PathBuf| {
            let look = fs::metadata(&file).ok().map(|metadata| Look::of(&metadata));
            (file, look)
        };
        let lock = lock.map(Path::to_owned);
        Fingerprint(files.into_iter().chain(lock).chain(components).map(look).collect())
    }

    /// Of what a start reads: the files before the config is read, which says where the folder is.
    pub fn before_start(options: &LoadOptions) -> Self {
        Self::of(watched(options), None, Path::new(""))
    }

    /// The same with the components of this folder, and what says which are accepted.
    #[must_use]
    pub fn with_components(mut self, lock: Option<&Path>, folder: &Path) -> Self {
        self.0.extend(Self::of(Vec::new(), lock, folder).0);
        self
    }
}

/// How long it takes until none of these files was written to for [`SETTLED`]; nothing where that is so already.
pub(super) fn still_in(files: &[PathBuf]) -> Option<Duration> {
    let modified = |file: &PathBuf| fs::metadata(file).ok()?.modified().ok();
    let youngest = files.iter().filter_map(modified).max()?;
    // A time that is yet to come says nothing of the file.
    let age = SystemTime::now().duration_since(youngest).ok()?;
    SETTLED.checked_sub(age).filter(|wait| !wait.is_zero())
}

impl Look {
    fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        let inode = std::os::unix::fs::MetadataExt::ino(metadata);
        #[cfg(not(unix))]
        let inode = 0;
        Look { len: metadata.len(), modified: metadata.modified().ok(), inode }
    }
}

fn is_component(path: &Path) -> bool {
    matches!(path.extension().and_then(|extension| extension.to_str()), Some("wasm" | "json" | "cwasm" | "minisig"))
}

impl Reloader {
    /// Reloads whenever something has changed on disk, for as long as it is polled.
    pub async fn watch(self: Arc<Self>) {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            if !self.look(Reloader::has_news).await {
                continue;
            }
            let mut last = self.look(Reloader::fingerprint).await;
            loop {
                tokio::time::sleep(SETTLED).await;
                let now = self.look(Reloader::fingerprint).await;
                if now == last {
                    break;
                }
                last = now;
            }
            // Somebody else may have reloaded meanwhile, or the file is as it was.
            if self.look(Reloader::has_news).await {
                let _ = self.reload().await;
            }
        }
    }

    /// Looks at files without holding up requests: a folder may be on another machine.
    async fn look<T: Default + Send + 'static>(self: &Arc<Self>, look: fn(&Reloader) -> T) -> T {
        let this = Arc::clone(self);
        tokio::task::spawn_blocking(move || look(&this)).await.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(home: &Path) -> Fingerprint {
        Fingerprint::of(vec![home.join("bitrouter.yaml")], None, &home.join("plugins"))
    }

    #[test]
    fn a_file_that_was_written_a_moment_ago_is_waited_for() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("bitrouter.yaml");
        assert_eq!(still_in(std::slice::from_ref(&file)), None, "there is none");
        let written = fs::File::create(&file).unwrap();
        assert!(still_in(std::slice::from_ref(&file)).is_some_and(|wait| wait <= SETTLED));
        written.set_modified(SystemTime::now() - SETTLED).unwrap();
        assert_eq!(still_in(std::slice::from_ref(&file)), None);
        written.set_modified(SystemTime::now() + 100 * SETTLED).unwrap();
        assert_eq!(still_in(&[file]), None, "of a clock that was wrong");
    }

    #[test]
    fn what_changes_between_the_look_before_a_start_and_the_reading_is_news() {
        let home = tempfile::tempdir().unwrap();
        let options = LoadOptions {
            file: None,
            working_dir: home.path().join("work"),
            paths: crate::config::Paths::under(home.path()),
        };
        let folder = home.path().join("plugins");
        let at_once = || Fingerprint::before_start(&options).with_components(None, &folder);
        let before = Fingerprint::before_start(&options);
        fs::write(home.path().join("bitrouter.yaml"), "a: 1").unwrap();
        assert_ne!(before.with_components(None, &folder), at_once());
        assert_eq!(at_once(), Fingerprint::of(watched(&options), None, &folder));
    }

    #[test]
    fn a_file_that_appears_changes_is_replaced_or_goes_is_noticed() {
        let home = tempfile::tempdir().unwrap();
        let (config, folder) = (home.path().join("bitrouter.yaml"), home.path().join("plugins"));
        let mut last = look(home.path());
        assert_eq!(last, look(home.path()), "nothing is there, and nothing happened");
        let steps: [&dyn Fn(); 6] = [
            &|| fs::write(&config, "a: 1").unwrap(),
            &|| fs::write(&config, "a: 12").unwrap(),
            // As many editors do; of the same length, and perhaps of the same time.
            &|| {
                fs::write(home.path().join("new"), "b: 12").unwrap();
                fs::rename(home.path().join("new"), &config).unwrap();
            },
            &|| fs::remove_file(&config).unwrap(),
            &|| {
                fs::create_dir(&folder).unwrap();
                fs::write(folder.join("x.wasm"), "").unwrap();
            },
            &|| fs::rename(folder.join("x.wasm"), folder.join("y.wasm")).unwrap(),
        ];
        for (number, step) in steps.iter().enumerate() {
            step();
            let now = look(home.path());
            assert_ne!(now, last, "step {number}");
            last = now;
        }
        fs::write(folder.join("notes.txt"), "no component").unwrap();
        assert_eq!(look(home.path()), last);
    }
}
