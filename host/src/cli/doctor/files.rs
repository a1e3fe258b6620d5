//! Whether the files of this user are this user's alone.

use std::path::Path;

use bitrouter_files::shell_word;

use super::{CheckResult, Report};
use crate::config::Paths;

/// Looks at the files that hold secrets, and at those that decide what is believed.
pub(super) fn look(paths: &Paths, report: &mut Report) {
    let secret =
        [paths.token_store(), paths.cache_key(), paths.call_states(), paths.response_owners(), paths.object_owners()];
    let decisive = [paths.plugins_lock(), paths.trusted_configs()];
    let others = secret.iter().map(|file| (file, 0o077)).chain(decisive.iter().map(|file| (file, 0o022)));
    let faults: Vec<String> = others.filter_map(|(file, bits)| open_to_others(file, bits)).collect();
    if faults.is_empty() && paths.data_dir.exists() {
        report.add("files", CheckResult::Well(format!("{} is yours alone", paths.data_dir.display())));
    }
    faults.into_iter().for_each(|fault| report.add("files", CheckResult::Wrong(fault)));
}

#[cfg(unix)]
fn open_to_others(file: &Path, bits: u32) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let mode = std::fs::metadata(file).ok()?.mode() & 0o777;
    (mode & bits != 0).then(|| {
        let what = if bits == 0o022 { "change" } else { "open" };
        format!(
            "{}: other users of this machine can {what} it (mode {mode:03o}). Run: chmod 600 {}",
            file.display(),
            shell_word(file)
        )
    })
}

#[cfg(not(unix))]
fn open_to_others(_: &Path, _: u32) -> Option<String> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_that_others_can_open_is_named_with_the_command_that_mends_it() {
        let home = tempfile::tempdir().unwrap();
        let paths = Paths::under(home.path());
        std::fs::write(paths.token_store(), "{}").unwrap();
        let said = |mode| {
            std::fs::set_permissions(paths.token_store(), std::fs::Permissions::from_mode(mode)).unwrap();
            let mut report = Report::default();
            look(&paths, &mut report);
            report.text()
        };
        assert!(said(0o600).contains("is yours alone"));
        assert!(said(0o644).contains(&format!("Run: chmod 600 {}", paths.token_store().display())));
    }
}
