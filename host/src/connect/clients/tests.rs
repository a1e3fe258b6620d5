//! Each client in a home of its own, from `cases/CLIENT/before` to `cases/CLIENT/after` and back; `BLESS=1` writes what comes
//! out, which is read before it is committed. And the same for a home without any file, and for files as Windows has them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use tempfile::TempDir;

use super::super::*;
use super::CLIENTS;

/// What files there are below a folder, and what is in them.
type Files = BTreeMap<PathBuf, String>;

struct Home {
    folder: TempDir,
    client: &'static Client,
}

impl Home {
    fn of(client: &'static Client, files: &Files) -> Self {
        let home = Home { folder: tempfile::tempdir().unwrap(), client };
        for (path, text) in files {
            home.write(path, text);
        }
        home
    }

    fn write(&self, path: &Path, text: &str) {
        let path = self.folder.path().join("home").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn files(&self) -> Files {
        files_below(&self.folder.path().join("home"))
    }

    fn connection(&self) -> Connection<'static> {
        Connection::of(self.client, &self.folder.path().join("records"))
    }

    fn plan(&self, gateway: &Gateway) -> Result<Plan, ConnectError> {
        let env = |name: &str| (name == "SHELL").then(|| OsString::from("/bin/bash"));
        let machine = Machine { env: &env, home: Some(self.folder.path().join("home")) };
        match self.client.way {
            Way::Files(plan) => plan(&machine, gateway),
            Way::Steps(_) => panic!("{} has no files", self.client.id),
        }
    }

    fn connect(&self, gateway: &Gateway) -> Result<Change, ConnectError> {
        self.connection().connect(&self.plan(gateway)?)
    }
}

fn files_below(folder: &Path) -> Files {
    fn add(folder: &Path, root: &Path, files: &mut Files) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.path() {
                path if path.is_dir() => add(&path, root, files),
                path => {
                    drop(files.insert(path.strip_prefix(root).unwrap().to_owned(), fs::read_to_string(&path).unwrap()));
                }
            }
        }
    }
    let mut files = Files::new();
    add(folder, folder, &mut files);
    files
}

fn cases(client: &Client, which: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/connect/cases").join(client.id).join(which)
}

fn gateway() -> Gateway {
    let models = [("fast", None), ("gpt-6.1-sol", Some(400_000))];
    let models = models.map(|(id, context)| Model { id: id.to_owned(), context }).to_vec();
    Gateway { origin: "http://127.0.0.1:4356".to_owned(), models, ..Gateway::default() }
}

fn with_files() -> impl Iterator<Item = &'static Client> {
    CLIENTS.into_iter().filter(|client| matches!(client.way, Way::Files(_)))
}

#[test]
fn each_client_is_connected_and_every_byte_is_given_back() {
    for client in with_files() {
        let before = files_below(&cases(client, "before"));
        assert!(!before.is_empty(), "{} has no case", client.id);
        let home = Home::of(client, &before);
        assert!(matches!(home.connect(&gateway()).unwrap(), Change::Written(_)), "{}", client.id);
        let after = home.files();
        if std::env::var_os("BLESS").is_some() {
            for (path, text) in &after {
                let path = cases(client, "after").join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
        }
        assert_eq!(after, files_below(&cases(client, "after")), "{}: BLESS=1 writes what comes out", client.id);
        let plan = home.plan(&gateway()).unwrap();
        assert_eq!(
            home.connection().pointing(&plan, "http://127.0.0.1:4356").unwrap(),
            Pointing::Here,
            "{}",
            client.id
        );
        assert!(matches!(home.connection().pointing(&plan, "http://127.0.0.1:435").unwrap(), Pointing::Elsewhere(_)));
        assert_eq!(home.connect(&gateway()).unwrap(), Change::AlreadySo, "{}", client.id);
        assert!(matches!(home.connection().undo().unwrap(), Change::Restored(_)), "{}", client.id);
        assert_eq!(home.files(), before, "{}", client.id);
        assert!(matches!(home.connection().undo(), Err(ConnectError::NotConnected { .. })));
    }
}

#[test]
fn files_that_were_not_there_are_gone_again() {
    for client in with_files() {
        let home = Home::of(client, &Files::new());
        home.connect(&gateway()).unwrap();
        assert!(!home.files().is_empty());
        let change = home.connection().undo().unwrap();
        assert!(matches!(change, Change::Restored(_)), "{}: {change:?}", client.id);
        assert_eq!(home.files(), Files::new(), "{}", client.id);
    }
}

#[test]
fn lines_of_windows_a_byte_order_mark_and_a_last_line_without_an_end_are_kept() {
    let windows = |text: &String| text.replace('\n', "\r\n");
    let marked = |text: &String| format!("\u{feff}{text}");
    for client in with_files() {
        let of = |which: &str| files_below(&cases(client, which));
        for change in [&windows as &dyn Fn(&String) -> String, &marked] {
            let changed =
                |files: Files| files.iter().map(|(path, text)| (path.clone(), change(text))).collect::<Files>();
            let before = changed(of("before"));
            let home = Home::of(client, &before);
            home.connect(&gateway()).unwrap();
            let (after, was_there) = (home.files(), |path: &PathBuf| before.contains_key(path));
            for (path, text) in changed(of("after")).iter().filter(|(path, _)| was_there(path)) {
                assert_eq!(&after[path], text, "{}", client.id);
            }
            home.connection().undo().unwrap();
            assert_eq!(home.files(), before, "{}", client.id);
        }
        let before: Files = of("before").into_iter().map(|(path, text)| (path, text.trim_end().to_owned())).collect();
        let home = Home::of(client, &before);
        home.connect(&gateway()).unwrap();
        home.connection().undo().unwrap();
        assert_eq!(home.files(), before, "{}", client.id);
    }
}

#[test]
fn another_address_or_model_takes_the_place_of_the_first_and_undo_goes_back_before_both() {
    for client in with_files() {
        let before = files_below(&cases(client, "before"));
        let home = Home::of(client, &before);
        home.connect(&gateway()).unwrap();
        let other = Gateway { origin: "https://gateway.lan".into(), model: Some("openai:o".into()), ..gateway() };
        assert!(matches!(home.connect(&other).unwrap(), Change::Written(_)), "{}", client.id);
        let all: String = home.files().into_values().collect();
        assert!(all.contains("https://gateway.lan") && !all.contains("127.0.0.1:4356"), "{}: {all}", client.id);
        assert!(all.contains("openai:o"), "{}: {all}", client.id);
        home.connection().undo().unwrap();
        assert_eq!(home.files(), before, "{}", client.id);
    }
}

#[test]
fn what_was_changed_since_is_kept_and_the_rest_taken_out() {
    for client in with_files() {
        let before = files_below(&cases(client, "before"));
        let home = Home::of(client, &before);
        home.connect(&gateway()).unwrap();
        let plan = home.plan(&gateway()).unwrap();
        for file in &plan.files {
            let path = file.path.strip_prefix(home.folder.path().join("home")).unwrap();
            let text = fs::read_to_string(&file.path).unwrap();
            let added = match file.format {
                Format::Json => format!("\n{text}\n\n"),
                Format::Jsonc => format!("// added since\n{text}"),
                _ => format!("# added since\n{text}"),
            };
            home.write(path, &added);
        }
        assert!(matches!(home.connection().undo().unwrap(), Change::TakenOut(_)), "{}", client.id);
        let now = home.files();
        for (path, text) in &before {
            let without: String = now[path].lines().filter(|line| !line.contains("added since")).collect();
            let spaces = |text: &str| text.replace("},}", "}}").replace('"', "").split_whitespace().collect::<String>();
            let (without, text) = (spaces(&without), spaces(&text.lines().collect::<String>()));
            assert!(!without.contains("4356") && !without.contains("itrouter"), "{}: {}", client.id, now[path]);
            assert_eq!(without.len(), text.len(), "{}:\n{without}\n{text}", client.id);
        }
    }
}

#[test]
fn a_value_that_was_changed_since_is_its_users() {
    let client = &super::claude_code::CLIENT;
    let home = Home::of(client, &Files::new());
    home.connect(&gateway()).unwrap();
    let (path, text) = home.files().pop_first().unwrap();
    home.write(&path, &text.replace("http://127.0.0.1:4356", "https://other.example"));
    assert!(matches!(home.connection().undo().unwrap(), Change::TakenOut(_)));
    let left: serde_json::Value = serde_json::from_str(&home.files()[&path]).unwrap();
    assert_eq!(left, serde_json::json!({ "env": { "ANTHROPIC_BASE_URL": "https://other.example" } }));
}

#[test]
fn what_a_client_says_anew_by_itself_goes_with_the_rest() {
    let home = Home::of(&super::cline::CLIENT, &Files::new());
    home.connect(&gateway()).unwrap();
    let (path, text) = home.files().pop_first().unwrap();
    home.write(&path, &text.replace("2026-01-01T00", "2026-12-31T09"));
    home.connection().undo().unwrap();
    assert_eq!(home.files(), Files::new());
}

#[test]
fn remarks_alone_stay_where_they_are_and_are_not_taken_out() {
    let path = PathBuf::from(".codex/config.toml");
    let home = Home::of(&super::codex::CLIENT, &Files::from([(path.clone(), "# mine".to_owned())]));
    home.connect(&gateway()).unwrap();
    let text = home.files()[&path].clone();
    assert!(text.starts_with("# mine\nmodel_provider = \"bitrouter\"\n"), "{text}");
    home.write(&path, &format!("{text}\n[tui]\nnotifications = true\n"));
    home.connection().undo().unwrap();
    let text = &home.files()[&path];
    assert!(text.contains("# mine") && text.contains("[tui]") && !text.contains("itrouter"), "{text}");
}

#[test]
fn a_client_keeps_its_vendors_models_where_the_gateway_has_them() {
    let own = ["claude-sonnet-5", "gpt-6.1-sol", "gemini-3-pro"];
    let models = own.map(|id| Model { id: id.to_owned(), context: None }).to_vec();
    let gateway = Gateway { models, ..gateway() };
    for client in [&super::claude_code::CLIENT, &super::codex::CLIENT, &super::gemini::CLIENT] {
        let home = Home::of(client, &Files::new());
        home.connect(&gateway).unwrap();
        let all: String = home.files().into_values().collect();
        assert!(!own.iter().any(|model| all.contains(model)), "{}: {all}", client.id);
    }
}

#[test]
fn a_client_that_has_to_be_told_a_model_is_not_connected_without_one() {
    let home = Home::of(&super::opencode::CLIENT, &Files::new());
    let error = home.connect(&Gateway { models: Vec::new(), ..gateway() }).unwrap_err().to_string();
    assert!(error.contains("--model MODEL") && error.contains("bitrouter login"), "{error}");
    assert_eq!(home.files(), Files::new());
}

#[test]
fn the_gateways_key_is_written_where_no_repository_keeps_it_and_shown_nowhere() {
    const KEY: &str = "canary-0123456789abcdef";
    for client in with_files() {
        let gateway = Gateway { key: Some(SecretString::from(KEY.to_owned())), ..gateway() };
        let home = Home::of(client, &Files::new());
        let preview = format!("{:?}", home.connection().preview(&home.plan(&gateway).unwrap()).unwrap());
        assert!(!preview.contains(KEY), "{}: {preview}", client.id);
        home.connect(&gateway).unwrap();
        let all: String = home.files().into_values().collect();
        let by_hand = ["codex", "goose", "vscode", "zed"].contains(&client.id);
        assert_eq!(all.contains(KEY), !by_hand, "{}: {all}", client.id);

        let home = Home::of(client, &Files::new());
        fs::create_dir_all(home.folder.path().join("home/.git")).unwrap();
        let Change::Written(files) = home.connect(&gateway).unwrap() else { panic!("{} is not written", client.id) };
        let all: String = home.files().into_values().collect();
        assert!(!all.contains(KEY), "{}: {all}", client.id);
        assert_eq!(files.iter().any(|file| file.key_by.is_some()), !by_hand, "{}", client.id);
    }
}

#[test]
fn a_broken_file_is_named_with_its_line_and_left_alone() {
    let broken = [
        ("claude-code", ".claude/settings.json", "{\n  \"a\": 1\n  \"b\": 2\n}\n", "line 2"),
        ("claude-code", ".claude/settings.json", "{ \"env\": 3 }\n", "`env`"),
        ("claude-code", ".claude/settings.json", "{\n  // not for this one\n}\n", "omments are not allowed on line 2"),
        ("codex", ".codex/config.toml", "a = 1\nmodel = \n", "line 2"),
        ("codex", ".codex/config.toml", "model_providers = 3\n", "`model_providers`"),
        ("codex", ".codex/config.toml", "[model_providers]\nbitrouter = true\n", "`model_providers.bitrouter`"),
        ("vscode", ".config/Code/User/chatLanguageModels.json", "{}\n", "`the top of the file`"),
        ("continue", ".continue/config.yaml", "name: a\nmodels: [\n", "line"),
        ("continue", ".continue/config.yaml", "name: a\nmodels: [{ name: b }]\n", "--print"),
        ("aider", ".aider.conf.yml", "- a\n- b\n", "openai-api-base"),
    ];
    for (id, path, text, said) in broken {
        let client = with_files().find(|client| client.id == id).unwrap();
        let files = Files::from([(PathBuf::from(path), text.to_owned())]);
        let home = Home::of(client, &files);
        let error = home.connect(&gateway()).unwrap_err().to_string();
        assert!(error.contains(path) && error.contains("Nothing was changed") && error.contains(said), "{error}");
        assert_eq!(home.files(), files);
        assert!(!home.connection().is_recorded());
    }
}

#[test]
#[cfg(unix)]
fn a_link_stays_a_link_and_a_file_that_may_not_be_written_is_left_alone() {
    use std::os::unix::fs::{PermissionsExt, symlink};

    let client = &super::codex::CLIENT;
    let home = Home::of(client, &files_below(&cases(client, "before")));
    let (file, real) = (home.folder.path().join("home/.codex/config.toml"), home.folder.path().join("dotfiles.toml"));
    fs::rename(&file, &real).unwrap();
    symlink(&real, &file).unwrap();
    let before = fs::read_to_string(&real).unwrap();
    home.connect(&gateway()).unwrap();
    assert!(file.is_symlink() && fs::read_to_string(&real).unwrap().contains("4356"));
    home.connection().undo().unwrap();
    assert!(file.is_symlink());
    assert_eq!(fs::read_to_string(&real).unwrap(), before);

    fs::set_permissions(&real, fs::Permissions::from_mode(0o444)).unwrap();
    let error = home.connect(&gateway()).unwrap_err().to_string();
    assert!(error.contains("may not be written") && error.contains("Nothing was changed"), "{error}");
    assert_eq!(fs::read_to_string(&real).unwrap(), before);
    assert!(!home.connection().is_recorded());
}

#[test]
fn where_the_second_file_cannot_be_written_the_first_is_what_it_was() {
    let client = &super::gemini::CLIENT;
    let before = files_below(&cases(client, "before"));
    let home = Home::of(client, &before);
    let settings = home.folder.path().join("home/.gemini/settings.json");
    let mut permissions = fs::metadata(&settings).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&settings, permissions).unwrap();
    home.connect(&gateway()).unwrap_err();
    assert_eq!(home.files(), before);
    assert!(!home.connection().is_recorded());
}
