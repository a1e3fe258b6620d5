//! The folders of this user: config, data and cache, and the files in them that other rooms own.
//!
//! Every room asks here for its path, so one variable moves them all. Nothing here creates or reads a file.

use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;

use super::{ConfigError, Env, FILE_NAME};

/// Where this user's config, data and cache live. All are absolute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// Holds `bitrouter.yaml`.
    pub config_dir: PathBuf,
    /// Holds tokens, plugins and what the user accepted.
    pub data_dir: PathBuf,
    /// Holds what can be made again: compiled components, catalogues.
    pub cache_dir: PathBuf,
    /// What stands in the place of the data folder for all that a gateway writes by itself, logins apart: for a run that is to
    /// leave nothing behind.
    run_dir: Option<PathBuf>,
}

/// The platform's own folders, before our name is added.
#[derive(Clone, Debug)]
pub struct PlatformFolders {
    /// `~/.config`, `~/Library/Application Support`, `%APPDATA%`.
    pub config: PathBuf,
    /// `~/.local/share`, `~/Library/Application Support`, `%APPDATA%`.
    pub data: PathBuf,
    /// `~/.cache`, `~/Library/Caches`, `%LOCALAPPDATA%`.
    pub cache: PathBuf,
}

impl PlatformFolders {
    /// The folders of the machine this runs on; `None` where there is no home folder.
    pub fn of_this_machine() -> Option<Self> {
        let native = etcetera::base_strategy::choose_native_strategy().ok()?;
        // Apple keeps ~/Library/Preferences for property lists, so a config of ours goes where the data is.
        let config = if cfg!(target_vendor = "apple") { native.data_dir() } else { native.config_dir() };
        Some(PlatformFolders { config, data: native.data_dir(), cache: native.cache_dir() })
    }
}

impl Paths {
    /// `$BITROUTER_HOME` moves all three. Else a set `$XDG_…_HOME` wins on every platform, else the platform's own folder.
    pub fn find(env: Env<'_>) -> Result<Self, ConfigError> {
        Self::among(env, PlatformFolders::of_this_machine())
    }

    /// The same, with the platform's folders given.
    pub fn among(env: Env<'_>, platform: Option<PlatformFolders>) -> Result<Self, ConfigError> {
        if let Some(home) = env("BITROUTER_HOME").filter(|home| !home.is_empty()) {
            let home = PathBuf::from(home);
            return match home.is_absolute() {
                true => Ok(Self::under(&home)),
                false => Err(ConfigError::HomeNotAbsolute(home)),
            };
        }
        let folder = |variable: &str, platform: Option<&PathBuf>| {
            // The XDG specification has a relative path ignored.
            let set = env(variable).map(PathBuf::from).filter(|path| path.is_absolute());
            let base = set.or_else(|| platform.cloned()).ok_or(ConfigError::NoFolder)?;
            Ok(base.join("bitrouter"))
        };
        let platform = platform.as_ref();
        Ok(Paths {
            config_dir: folder("XDG_CONFIG_HOME", platform.map(|folders| &folders.config))?,
            data_dir: folder("XDG_DATA_HOME", platform.map(|folders| &folders.data))?,
            cache_dir: folder("XDG_CACHE_HOME", platform.map(|folders| &folders.cache))?,
            run_dir: None,
        })
    }

    /// Everything under one folder, as `$BITROUTER_HOME` has it.
    pub fn under(home: &Path) -> Self {
        Paths { config_dir: home.to_owned(), data_dir: home.to_owned(), cache_dir: home.join("cache"), run_dir: None }
    }

    /// The same for one run that leaves nothing behind: what was accepted, limits and states are in this folder. Logins, the
    /// config and compiled components stay where they are.
    #[must_use]
    pub fn for_one_run(self, folder: &Path) -> Self {
        Paths { run_dir: Some(folder.to_owned()), ..self }
    }

    /// Where a gateway keeps what it learns.
    fn own_dir(&self) -> &Path {
        self.run_dir.as_deref().unwrap_or(&self.data_dir)
    }

    /// Folders that no test reads or writes.
    #[cfg(test)]
    pub fn for_tests() -> Self {
        Self::under(Path::new("/nowhere"))
    }

    /// The user's own config.
    pub fn config_file(&self) -> PathBuf {
        self.config_dir.join(FILE_NAME)
    }

    /// Where components are dropped, unless `plugins.dir` says otherwise.
    pub fn plugins_dir(&self) -> PathBuf {
        self.data_dir.join("plugins")
    }

    /// What each plugin may do, as the user accepted it.
    pub fn plugins_lock(&self) -> PathBuf {
        self.own_dir().join("plugins.lock")
    }

    /// The key under which this user's cache is written.
    pub fn cache_key(&self) -> PathBuf {
        self.data_dir.join("cache.key")
    }

    /// The token store.
    pub fn token_store(&self) -> PathBuf {
        self.data_dir.join("oauth-tokens.json")
    }

    /// Where a running gateway is asked and told, by this user alone. Beside the data, so that gateways with different
    /// homes never meet, and that it is found whatever `XDG_RUNTIME_DIR` a shell or a service has.
    pub fn control_socket(&self) -> PathBuf {
        self.own_dir().join("control.sock")
    }

    /// What side requests brought.
    pub fn query_cache_dir(&self) -> PathBuf {
        self.run_dir.as_deref().unwrap_or(&self.cache_dir).join("side")
    }

    /// What was last heard of the accounts' limits.
    pub fn windows(&self) -> PathBuf {
        self.run_dir.as_deref().unwrap_or(&self.cache_dir).join("windows.json")
    }

    /// The limits that were reached, for the next start.
    pub fn cooldowns(&self) -> PathBuf {
        self.own_dir().join("cooldowns.json")
    }

    /// Opaque state of tool calls, for the next start.
    pub fn call_states(&self) -> PathBuf {
        self.own_dir().join("call-states.jsonl")
    }

    /// Who owns responses that providers keep, for the next start.
    pub fn response_owners(&self) -> PathBuf {
        self.own_dir().join("response-owners.jsonl")
    }

    /// Who owns everything else that providers keep, for the next start.
    pub fn object_owners(&self) -> PathBuf {
        self.own_dir().join("object-owners.jsonl")
    }

    /// What was written into the settings of clients, and what they were before.
    pub fn connected(&self) -> PathBuf {
        self.data_dir.join("connected")
    }

    /// The configs that the user accepted.
    pub fn trusted_configs(&self) -> PathBuf {
        self.data_dir.join("trusted-configs.json")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;

    fn platform() -> Option<PlatformFolders> {
        let [config, data, cache] = ["/p/config", "/p/data", "/p/cache"].map(PathBuf::from);
        Some(PlatformFolders { config, data, cache })
    }

    fn among(set: &[(&str, &str)]) -> Result<Paths, ConfigError> {
        let env = |name: &str| set.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value));
        Paths::among(&env, platform())
    }

    #[test]
    fn the_platforms_folders_are_used_when_nothing_is_set() {
        let paths = among(&[]).unwrap();
        assert_eq!(paths.config_file(), Path::new("/p/config/bitrouter/bitrouter.yaml"));
        assert_eq!(paths.plugins_dir(), Path::new("/p/data/bitrouter/plugins"));
        assert_eq!(paths.cache_dir, Path::new("/p/cache/bitrouter"));
    }

    #[test]
    fn a_set_xdg_folder_wins_over_the_platforms() {
        let paths = among(&[("XDG_DATA_HOME", "/x"), ("XDG_CACHE_HOME", "")]).unwrap();
        assert_eq!(paths.token_store(), Path::new("/x/bitrouter/oauth-tokens.json"));
        assert_eq!(paths.config_dir, Path::new("/p/config/bitrouter"));
        assert_eq!(paths.cache_dir, Path::new("/p/cache/bitrouter"));
    }

    #[test]
    fn a_relative_xdg_folder_is_ignored_as_its_specification_says() {
        assert_eq!(among(&[("XDG_CONFIG_HOME", "here")]).unwrap().config_dir, Path::new("/p/config/bitrouter"));
    }

    #[test]
    fn bitrouter_home_moves_everything_and_wins_over_xdg() {
        let paths = among(&[("BITROUTER_HOME", "/b"), ("XDG_DATA_HOME", "/x")]).unwrap();
        assert_eq!(paths, Paths::under(Path::new("/b")));
        assert_eq!(paths.cache_dir, Path::new("/b/cache"));
        assert_eq!(paths.plugins_lock(), Path::new("/b/plugins.lock"));
        assert_eq!(paths.trusted_configs(), Path::new("/b/trusted-configs.json"));
    }

    #[test]
    fn a_relative_bitrouter_home_is_refused() {
        let error = among(&[("BITROUTER_HOME", "b")]).unwrap_err().to_string();
        assert_eq!(error, "BITROUTER_HOME is `b`, which depends on where you stand: set it to an absolute path");
    }

    #[test]
    fn a_machine_without_a_home_folder_is_told_what_to_set() {
        let error = Paths::among(&|_| None, None).unwrap_err().to_string();
        assert_eq!(error, "no home folder was found to keep config and data in: set BITROUTER_HOME to a folder");
    }
}
