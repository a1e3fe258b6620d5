//! The results of queries on disk, so that they are there offline and after a restart. A file that cannot be read counts as
//! missing. It holds no secret: an answer is scrubbed before a component reads it.

use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use bitrouter_files::{PrivateFile, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::QueryResult;

/// The format's version.
const VERSION: u32 = 1;
/// Files that were not renewed for so long are of accounts, components or addresses that are gone.
const FORGET_AFTER: Duration = Duration::from_secs(60 * 24 * 3600);

/// A result, and when it came.
#[derive(Clone, Debug, PartialEq)]
pub struct CachedResult {
    /// What it says.
    pub result: QueryResult,
    /// When it came.
    pub at: Timestamp,
}

/// A file, for people too.
#[derive(Serialize, Deserialize)]
struct File {
    version: u32,
    provider: String,
    account: String,
    side: String,
    told_at: String,
    #[serde(rename = "found")]
    result: QueryResult,
}

/// The name of the file of one side request: another build of the component, another account under the label, or
/// another address has another file.
pub(super) fn name(parts: &[&str]) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part.len().to_le_bytes());
        digest.update(part);
    }
    let digest: String = digest.finalize()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    digest + ".json"
}

/// What a file holds, if it is there and whole.
pub(super) fn load(folder: &Path, name: &str) -> Option<CachedResult> {
    let text = fs::read(folder.join(name)).ok()?;
    let file: File = serde_json::from_slice(&text).ok().filter(|file: &File| file.version == VERSION)?;
    Some(CachedResult { result: file.result, at: file.told_at.parse().ok()? })
}

/// Writes an answer of this provider, account and side request.
pub(super) fn store(folder: &Path, name: &str, whose: [&str; 3], cached: &CachedResult) -> io::Result<()> {
    let [provider, account, side] = whose.map(str::to_owned);
    let file = File {
        version: VERSION,
        provider,
        account,
        side,
        told_at: cached.at.to_string(),
        result: cached.result.clone(),
    };
    forget_old(folder);
    PrivateFile::replace(&folder.join(name), serde_json::to_vec_pretty(&file)?)
}

fn forget_old(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let written = entry.metadata().and_then(|metadata| metadata.modified());
        let age = written.ok().and_then(|written| SystemTime::now().duration_since(written).ok());
        if age.is_some_and(|age| age > FORGET_AFTER) {
            // Another process may have been faster.
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Usage;
    use super::*;

    fn cached(plan: &str) -> CachedResult {
        let usage = Usage { windows: Vec::new(), plan: Some(plan.into()) };
        CachedResult { result: QueryResult::Usage(usage), at: "2026-01-31T09:00:00Z".parse().unwrap() }
    }

    #[test]
    fn an_answer_is_read_back_as_it_was_and_its_file_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("side");
        store(&folder, "a.json", ["p", "work", "usage"], &cached("plus")).unwrap();
        assert_eq!(load(&folder, "a.json"), Some(cached("plus")));
        #[cfg(unix)]
        for (path, mode) in [(folder.clone(), 0o700), (folder.join("a.json"), 0o600)] {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode, "{}", path.display());
        }
    }

    #[test]
    fn a_file_that_is_broken_or_of_another_version_is_none() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(load(folder.path(), "a.json"), None);
        for text in
            ["", "{", "{}", r#"{"version":9,"provider":"","account":"","side":"","told_at":"","found":{"models":[]}}"#]
        {
            fs::write(folder.path().join("a.json"), text).unwrap();
            assert_eq!(load(folder.path(), "a.json"), None, "{text}");
        }
    }

    #[test]
    fn names_differ_in_every_part_and_where_one_part_ends() {
        let names = [name(&["ab", "c"]), name(&["a", "bc"]), name(&["ab", "d"]), name(&["abc"])];
        let distinct: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), names.len());
    }

    #[test]
    fn a_file_that_nobody_renews_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let old = folder.path().join("old.json");
        fs::write(&old, "{}").unwrap();
        let long_ago = SystemTime::now() - 2 * FORGET_AFTER;
        fs::File::options().write(true).open(&old).unwrap().set_modified(long_ago).unwrap();
        store(folder.path(), "new.json", ["p", "work", "usage"], &cached("plus")).unwrap();
        assert!(!old.exists() && folder.path().join("new.json").exists());
    }
}
