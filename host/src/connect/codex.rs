//! The Codex CLI: `config.toml` in `$CODEX_HOME`, by default `~/.codex`.
//!
//! Its `[model_providers.<id>]` says where requests go, and `model_provider` which one is used. The rest of the file is
//! kept as it is, comments and order included.

use std::fs;
use std::path::PathBuf;

use toml_edit::{DocumentMut, Item, Table, value};

use super::{Change, ConnectError, file_error, read, replace};

/// Our name in the client's config.
const ID: &str = "bitrouter";
/// The client's key that chooses a provider.
const CHOSEN: &str = "model_provider";
/// The client's table of providers.
const PROVIDERS: &str = "model_providers";

/// The gateway as a client sees it.
#[derive(Clone, Debug)]
pub struct GatewayAddress {
    /// Such as `http://127.0.0.1:4356/v1`.
    pub base_url: String,
    /// The environment variable from which the client takes the gateway's key, where it asks for one.
    pub key_variable: Option<&'static str>,
}

/// The Codex CLI's config.
#[derive(Debug)]
pub struct Codex {
    /// `config.toml`.
    pub file: PathBuf,
    backup: PathBuf,
}

impl Codex {
    /// The config that the CLI of this user reads.
    pub fn find(env: &dyn Fn(&str) -> Option<std::ffi::OsString>) -> Result<Self, ConnectError> {
        let home = env("CODEX_HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
        let home = home.or_else(|| Some(etcetera::home_dir().ok()?.join(".codex")));
        let home = home.ok_or(ConnectError::NoHome { client: "the Codex CLI", variable: "CODEX_HOME" })?;
        Ok(Codex { file: home.join("config.toml"), backup: home.join("config.toml.before-bitrouter") })
    }

    /// Makes the CLI use the gateway.
    pub fn connect(&self, gateway: &GatewayAddress) -> Result<Change, ConnectError> {
        let before = read(&self.file)?;
        let after = self.connected(before.as_deref().unwrap_or_default(), gateway)?;
        if before.as_ref() == Some(&after) {
            return Ok(Change::AlreadySo);
        }
        // A second `connect`, say with another address, leaves the backup of the first.
        let first = self.chosen(before.as_deref().unwrap_or_default())?.as_deref() != Some(ID);
        let kept = match (&before, first) {
            (Some(_), true) => Some(self.keep()?),
            _ => None,
        };
        if let Err(error) = replace(&self.file, &after) {
            if let Some(older) = kept {
                self.keep_no_more(older);
            }
            return Err(error);
        }
        if first && before.is_none() && self.backup.exists() {
            // It is of a file that was gone in between.
            fs::remove_file(&self.backup).map_err(file_error(&self.backup))?;
        }
        Ok(Change::Written { backup: self.backup.exists().then(|| self.backup.clone()) })
    }

    /// Keeps the file as it is beside it; the answer is what was kept there before.
    fn keep(&self) -> Result<Option<Vec<u8>>, ConnectError> {
        let older = fs::read(&self.backup).ok();
        match fs::copy(&self.file, &self.backup) {
            Ok(_) => Ok(older),
            Err(error) => {
                self.keep_no_more(older);
                Err(file_error(&self.backup)(error))
            }
        }
    }

    /// Leaves beside the file what was there before [`Codex::keep`].
    fn keep_no_more(&self, older: Option<Vec<u8>>) {
        // What cannot be taken away is no reason to say anything else than why the file is as it was.
        let _ = match older {
            Some(older) => fs::write(&self.backup, older),
            None => fs::remove_file(&self.backup),
        };
    }

    /// Takes the gateway out again.
    pub fn undo(&self) -> Result<Change, ConnectError> {
        let not_connected = || ConnectError::NotConnected { path: self.file.display().to_string() };
        let now = read(&self.file)?.ok_or_else(not_connected)?;
        let mut document = self.parse(&now)?;
        let Some(ours) = document.get(PROVIDERS).and_then(|providers| providers.get(ID)) else {
            return Err(not_connected());
        };
        let gateway = GatewayAddress {
            base_url: ours.get("base_url").and_then(Item::as_str).unwrap_or_default().to_owned(),
            key_variable: ours.get("env_key").map(|_| super::KEY_VARIABLE),
        };
        let before = read(&self.backup)?;
        let change = if self.connected(before.as_deref().unwrap_or_default(), &gateway)? == now {
            match &before {
                Some(before) => replace(&self.file, before)?,
                None => fs::remove_file(&self.file).map_err(file_error(&self.file))?,
            }
            Change::Restored
        } else {
            let chosen = before.as_deref().map(|before| self.chosen(before)).transpose()?.flatten();
            take_out(&mut document, chosen);
            replace(&self.file, &document.to_string())?;
            Change::TakenOut
        };
        if before.is_some() {
            fs::remove_file(&self.backup).map_err(file_error(&self.backup))?;
        }
        Ok(change)
    }

    /// The file's text with the gateway in it.
    fn connected(&self, text: &str, gateway: &GatewayAddress) -> Result<String, ConnectError> {
        let mut document = self.parse(text)?;
        let in_the_way =
            |key: &str| ConnectError::InTheWay { path: self.file.display().to_string(), key: key.to_owned() };
        document.insert(CHOSEN, value(ID));
        let providers = document.entry(PROVIDERS).or_insert_with(|| {
            let mut table = Table::new();
            table.set_implicit(true);
            Item::Table(table)
        });
        let providers = providers.as_table_like_mut().ok_or_else(|| in_the_way(PROVIDERS))?;
        let ours = providers.entry(ID).or_insert_with(|| Item::Table(Table::new()));
        let ours = ours.as_table_like_mut().ok_or_else(|| in_the_way("model_providers.bitrouter"))?;
        ours.insert("name", value("BitRouter"));
        ours.insert("base_url", value(&gateway.base_url));
        ours.insert("wire_api", value("responses"));
        ours.insert("supports_websockets", value(true));
        match gateway.key_variable {
            Some(variable) => drop(ours.insert("env_key", value(variable))),
            None => drop(ours.remove("env_key")),
        }
        Ok(document.to_string())
    }

    fn chosen(&self, text: &str) -> Result<Option<String>, ConnectError> {
        Ok(self.parse(text)?.get(CHOSEN).and_then(Item::as_str).map(str::to_owned))
    }

    fn parse(&self, text: &str) -> Result<DocumentMut, ConnectError> {
        text.parse::<DocumentMut>().map_err(|error| ConnectError::Broken {
            path: self.file.display().to_string(),
            reason: error.to_string().split_whitespace().collect::<Vec<_>>().join(" "),
        })
    }
}

/// Removes what `connect` wrote; `chosen` is the provider that was chosen before.
fn take_out(document: &mut DocumentMut, chosen: Option<String>) {
    if document.get(CHOSEN).and_then(Item::as_str) == Some(ID) {
        match chosen {
            Some(chosen) => drop(document.insert(CHOSEN, value(chosen))),
            None => drop(document.remove(CHOSEN)),
        }
    }
    let Some(providers) = document.get_mut(PROVIDERS).and_then(Item::as_table_like_mut) else { return };
    providers.remove(ID);
    if providers.is_empty() {
        document.remove(PROVIDERS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINE: &str = "# my config\nmodel = \"gpt-5.5\" # the good one\nmodel_provider = \"work\"\n\n\
                        [model_providers.work]\nname = \"Work\"\nbase_url = \"https://llm.example/v1\"\n\n[tui]\ntheme = 1\n";

    fn codex() -> (tempfile::TempDir, Codex) {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().as_os_str().to_owned();
        let codex = Codex::find(&|name| (name == "CODEX_HOME").then(|| path.clone())).unwrap();
        (home, codex)
    }

    fn gateway(port: u16) -> GatewayAddress {
        GatewayAddress { base_url: format!("http://127.0.0.1:{port}/v1"), key_variable: None }
    }

    #[test]
    fn connecting_adds_the_gateway_and_undoing_gives_back_every_byte() {
        let (_home, codex) = codex();
        fs::write(&codex.file, MINE).unwrap();
        assert!(matches!(codex.connect(&gateway(4356)).unwrap(), Change::Written { backup: Some(_) }));
        let text = fs::read_to_string(&codex.file).unwrap();
        assert!(
            text.starts_with("# my config\nmodel = \"gpt-5.5\" # the good one\nmodel_provider = \"bitrouter\"\n"),
            "{text}"
        );
        assert!(text.contains("[model_providers.work]") && text.contains("[tui]"), "{text}");
        let parsed: DocumentMut = text.parse().unwrap();
        assert_eq!(parsed[PROVIDERS][ID]["base_url"].as_str(), Some("http://127.0.0.1:4356/v1"));
        assert_eq!(parsed[PROVIDERS][ID]["wire_api"].as_str(), Some("responses"));
        assert_eq!(codex.connect(&gateway(4356)).unwrap(), Change::AlreadySo);
        assert!(matches!(codex.connect(&gateway(5000)).unwrap(), Change::Written { .. }));
        assert_eq!(codex.undo().unwrap(), Change::Restored);
        assert_eq!(fs::read_to_string(&codex.file).unwrap(), MINE);
        assert!(!codex.backup.exists());
    }

    /// A config on a disk of its own, and the link in the client's folder that leads there.
    #[cfg(target_os = "linux")]
    fn linked(codex: &Codex) -> Option<(bitrouter_tests::Disk, PathBuf)> {
        let disk = bitrouter_tests::Disk::of(1)?;
        let real = disk.folder().join("config.toml");
        fs::write(&real, MINE).unwrap();
        std::os::unix::fs::symlink(&real, &codex.file).unwrap();
        Some((disk, real))
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn where_the_file_cannot_be_written_nothing_of_ours_is_left() {
        let (home, codex) = codex();
        let Some((disk, real)) = linked(&codex) else { return };
        disk.read_only(true);
        for older in [None, Some("an older copy\n")] {
            older.iter().for_each(|older| fs::write(&codex.backup, older).unwrap());
            let error = codex.connect(&gateway(4356)).unwrap_err().to_string();
            let about = error.strip_prefix(&format!("{}: ", codex.file.display())).unwrap_or_default();
            assert!(about.contains("read-only") && about.contains("Nothing was changed"), "{error}");
            assert!(!about.contains(".tmp") && !about.contains("before-bitrouter"), "{error}");
            assert_eq!(fs::read_to_string(&codex.backup).ok().as_deref(), older);
            assert_eq!(fs::read_to_string(&real).unwrap(), MINE);
        }
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 2, "the link, and the older copy");
        assert_eq!(fs::read_dir(disk.folder()).unwrap().count(), 1);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_file_that_is_mounted_alone_is_written_in_place_and_given_back() {
        use std::os::unix::fs::MetadataExt;

        let (home, codex) = codex();
        let Some((disk, real)) = linked(&codex) else { return };
        disk.mounts_alone(&real);
        let inode = fs::metadata(&real).unwrap().ino();
        assert!(matches!(codex.connect(&gateway(4356)).unwrap(), Change::Written { backup: Some(_) }));
        assert!(fs::read_to_string(&real).unwrap().contains("http://127.0.0.1:4356/v1"));
        assert_eq!(codex.undo().unwrap(), Change::Restored);
        assert_eq!(fs::read_to_string(&real).unwrap(), MINE);
        assert_eq!(fs::metadata(&real).unwrap().ino(), inode, "it is the file that is mounted");
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
        assert_eq!(fs::read_dir(disk.folder()).unwrap().count(), 1);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_disk_that_is_full_costs_no_line_of_the_file() {
        let (_home, codex) = codex();
        let Some((disk, real)) = linked(&codex) else { return };
        disk.mounts_alone(&real);
        disk.fill();
        // In place there may be room for it, as a file has whole blocks: then it is done.
        match codex.connect(&gateway(4356)) {
            Ok(_) => assert!(fs::read_to_string(&real).unwrap().contains("bitrouter")),
            Err(_) => assert_eq!(fs::read_to_string(&real).unwrap(), MINE),
        }
    }

    #[test]
    fn a_config_that_was_not_there_is_gone_again() {
        let (_home, codex) = codex();
        assert_eq!(codex.connect(&gateway(4356)).unwrap(), Change::Written { backup: None });
        assert_eq!(codex.undo().unwrap(), Change::Restored);
        assert!(!codex.file.exists());
    }

    #[test]
    fn what_was_changed_since_is_kept() {
        let (_home, codex) = codex();
        fs::write(&codex.file, MINE).unwrap();
        codex.connect(&gateway(4356)).unwrap();
        let changed = fs::read_to_string(&codex.file).unwrap().replace("theme = 1", "theme = 2");
        fs::write(&codex.file, changed).unwrap();
        assert_eq!(codex.undo().unwrap(), Change::TakenOut);
        assert_eq!(fs::read_to_string(&codex.file).unwrap(), MINE.replace("theme = 1", "theme = 2"));
    }

    #[test]
    fn a_key_is_named_where_the_gateway_asks_for_one_and_undone_too() {
        let (_home, codex) = codex();
        fs::write(&codex.file, MINE).unwrap();
        let gateway = GatewayAddress { key_variable: Some(super::super::KEY_VARIABLE), ..gateway(4356) };
        codex.connect(&gateway).unwrap();
        assert!(fs::read_to_string(&codex.file).unwrap().contains("env_key = \"BITROUTER_API_KEY\""));
        assert_eq!(codex.undo().unwrap(), Change::Restored);
    }

    #[test]
    fn a_broken_config_is_named_and_left_alone() {
        let (_home, codex) = codex();
        for broken in ["model = ", "model_providers = 3\n", "[model_providers]\nbitrouter = true\n"] {
            fs::write(&codex.file, broken).unwrap();
            let error = codex.connect(&gateway(4356)).unwrap_err().to_string();
            assert!(error.contains("config.toml") && error.contains("Nothing was changed"), "{error}");
            assert_eq!(fs::read_to_string(&codex.file).unwrap(), broken);
            assert!(!codex.backup.exists());
        }
    }

    #[test]
    fn where_nothing_is_connected_there_is_nothing_to_undo() {
        let (_home, codex) = codex();
        assert!(matches!(codex.undo().unwrap_err(), ConnectError::NotConnected { .. }));
        fs::write(&codex.file, MINE).unwrap();
        assert!(matches!(codex.undo().unwrap_err(), ConnectError::NotConnected { .. }));
        assert_eq!(fs::read_to_string(&codex.file).unwrap(), MINE);
    }
}
