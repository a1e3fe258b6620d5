//! Whether a folder is this user's alone: nobody else may change it, nor put another in its place.

use std::io;
use std::path::Path;

/// Makes the folder and all above it, and sees to it that only this user may enter it.
pub(super) fn make_private(folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // Of the real folders: a link's own place is one of those that are looked at.
        check(folder)?;
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

/// Refuses a folder, or a file, that others may change, or that lies in one where they may rename it.
#[cfg(unix)]
pub(crate) fn check(folder: &Path) -> io::Result<()> {
    let real = folder.canonicalize()?;
    for place in real.ancestors().chain(folder.ancestors()) {
        if place.as_os_str().is_empty() {
            continue;
        }
        let found = place.metadata()?;
        if let Some(why) = problem(&Folder::of(&found)) {
            let sentence = format!("{} {why}", place.display());
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, sentence));
        }
    }
    Ok(())
}

/// Nothing is known of who may change a folder here.
#[cfg(not(unix))]
pub(crate) fn check(_: &Path) -> io::Result<()> {
    Ok(())
}

/// What decides whom a folder obeys.
#[cfg(unix)]
struct Folder {
    owner: u32,
    group: u32,
    mode: u32,
    us: u32,
    our_group: u32,
}

#[cfg(unix)]
impl Folder {
    fn of(found: &std::fs::Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        let (us, our_group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        Folder { owner: found.uid(), group: found.gid(), mode: found.mode(), us, our_group }
    }
}

#[cfg(unix)]
fn problem(folder: &Folder) -> Option<String> {
    let Folder { owner, group, mode, us, our_group } = *folder;
    // In a folder with the sticky bit, such as /tmp, only an owner renames what is his.
    let sticky = mode & 0o1000 != 0;
    if owner != us && owner != 0 {
        return Some(format!("belongs to user {owner}, who could put other code there"));
    }
    if mode & 0o002 != 0 && !sticky {
        return Some("may be changed by everybody. Make it yours: chmod o-w".into());
    }
    // Many systems give each user a group of his own, and let it write.
    if mode & 0o020 != 0 && !sticky && group != our_group && group != 0 {
        return Some(format!("may be changed by group {group}. Make it yours: chmod g-w"));
    }
    None
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_folder_that_others_may_change_is_refused_wherever_on_the_way_it_lies() {
        let home = tempfile::tempdir().unwrap();
        let inner = home.path().join("shared/cache/components");
        make_private(&inner).unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode(&inner), 0o700);
        for (place, mode, fine) in [
            ("shared", 0o777, false),
            ("shared", 0o755, true),
            ("shared/cache", 0o707, false),
            ("shared/cache", 0o1777, true),
            ("shared/cache", 0o700, true),
        ] {
            let place = home.path().join(place);
            std::fs::set_permissions(&place, std::fs::Permissions::from_mode(mode)).unwrap();
            let made = make_private(&inner);
            assert_eq!(made.is_ok(), fine, "{} with {mode:o}: {made:?}", place.display());
            if let Err(error) = made {
                assert!(error.to_string().contains("may be changed by everybody"), "{error}");
            }
        }
        // Through a link, the place that it leads to counts.
        let link = home.path().join("link");
        std::os::unix::fs::symlink(home.path().join("shared/cache"), &link).unwrap();
        std::fs::set_permissions(home.path().join("shared"), std::fs::Permissions::from_mode(0o777)).unwrap();
        assert!(make_private(&link.join("components")).is_err());
    }

    #[test]
    fn what_belongs_to_another_user_or_group_is_refused() {
        let ours = Folder { owner: 1000, group: 1000, mode: 0o40700, us: 1000, our_group: 1000 };
        assert_eq!(problem(&ours), None);
        assert_eq!(problem(&Folder { owner: 0, mode: 0o40755, ..ours }), None);
        assert_eq!(problem(&Folder { mode: 0o40775, ..ours }), None);
        assert!(problem(&Folder { owner: 1001, ..ours }).is_some_and(|why| why.contains("user 1001")));
        assert!(problem(&Folder { owner: 1001, mode: 0o41777, ..ours }).is_some());
        assert!(problem(&Folder { group: 100, mode: 0o40775, ..ours }).is_some_and(|why| why.contains("group 100")));
        assert_eq!(problem(&Folder { owner: 0, group: 100, mode: 0o41777, ..ours }), None);
        // A gateway that runs as root does not trust what a user owns either.
        assert!(problem(&Folder { owner: 1000, us: 0, ..ours }).is_some());
    }
}
