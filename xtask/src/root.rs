//! Where things are. Every verb asks it; nothing in here touches the disk.

use std::path::PathBuf;

/// The project's folder.
pub(crate) struct Root(PathBuf);

impl Root {
    /// The folder above this crate's, as cargo says it at run time: a checkout may have moved since the build.
    pub(crate) fn find() -> Self {
        let own = std::env::var_os("CARGO_MANIFEST_DIR").map_or(env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
        Self(own.parent().map_or(PathBuf::from("."), PathBuf::from))
    }

    /// A file or folder of the project.
    pub(crate) fn join(&self, path: &str) -> PathBuf {
        self.0.join(path)
    }

    /// The project's folder itself.
    pub(crate) fn path(&self) -> &PathBuf {
        &self.0
    }

    /// Where cargo puts native builds of the workspace.
    pub(crate) fn native_target(&self) -> PathBuf {
        std::env::var_os("CARGO_TARGET_DIR").map_or(self.join("target"), |target| self.0.join(target))
    }

    /// A binary of the workspace, built with the release profile.
    pub(crate) fn binary(&self, name: &str) -> PathBuf {
        self.native_target().join("release").join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
    }
}
