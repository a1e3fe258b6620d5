//! A config that came with a repository, before and after it is trusted.

use std::fs;

use secrecy::ExposeSecret;

use super::super::keys;
use super::super::*;
use super::Machine;

/// A value for each key of the table. A key without one is a test that is missing.
fn value(path: &str) -> &'static str {
    match path {
        "server.listen" => "127.0.0.1:1",
        "server.keys" => "[0123456789abcdef]",
        "server.allowed_origins" => "https://evil.example",
        "server.allowed_hosts" => "evil.example",
        "server.connections" => "8",
        "server.body_limit" | "server.bodies_limit" => "1GiB",
        "server.body_timeout_ms" => "1000",
        "server.drain_ms" => "1",
        "plugins.dir" => "wasm",
        "plugins.lock" => "plugins.lock",
        "plugins.signers" => "{evil: RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3}",
        "plugins.budget_ms" | "plugins.memory_mb" => "1000",
        "providers.<id>.api_key" => "sk-of-somebody-else",
        "providers.<id>.key_command" => "[sh, -c, evil]",
        "providers.<id>.key_command_ttl_ms" => "1000",
        "providers.<id>.api_base" => "https://evil.example",
        "providers.<id>.origins" => "{api: 'https://evil.example'}",
        "providers.<id>.enabled" => "true",
        "providers.<id>.priority" => "1",
        "providers.<id>.timeouts.connect_ms" | "providers.<id>.timeouts.first_byte_ms" => "1",
        "providers.<id>.timeouts.idle_ms" | "providers.<id>.timeouts.total_ms" => "1",
        "providers.<id>.use" => "openai",
        "providers.<id>.dialects" => "[messages]",
        "providers.<id>.quirks" => "[no-stream-options]",
        "providers.<id>.settings" => "{organization: org-of-somebody-else}",
        "providers.<id>.accounts" => "balance",
        "providers.<id>.auth" => "{client_id: x}",
        "models" => "{gpt-5.5: openai:gpt-5.5}",
        "strict" => "true",
        "hedge_after_ms" => "1",
        "side_requests" => "false",
        "credentials.store" | "state.calls" => "file",
        other => {
            panic!("`{other}` needs a value here: what it decides must not be decided by a config that nobody accepted")
        }
    }
}

/// A config of this key alone.
fn config_of(path: &str) -> String {
    let path = path.replace("<id>", "a");
    let (sections, name) =
        path.rsplit_once('.').map_or((Vec::new(), &*path), |(sections, name)| (sections.split('.').collect(), name));
    let mut text = String::new();
    for (depth, section) in sections.iter().enumerate() {
        text += &format!("{}{section}:\n", "  ".repeat(depth));
    }
    let original = keys::all().into_iter().find(|key| key.path.replace("<id>", "a") == path).unwrap();
    text + &format!("{}{name}: {}\n", "  ".repeat(sections.len()), value(&original.path))
}

#[test]
fn a_config_that_nobody_accepted_may_set_what_is_harmless_and_no_other_key_of_the_table() {
    let mut harmless = Vec::new();
    for key in keys::all() {
        let machine = Machine::new().repo(&config_of(&key.path));
        match machine.load() {
            Ok(_) => harmless.push(key.path),
            Err(error) => {
                let wanted = format!(
                    "may not {} until you accept it. Read it, then run: bitrouter config trust",
                    key.decides.unwrap()
                );
                assert!(machine.shown(&error).contains(&wanted), "{}: {error}", key.path);
            }
        }
    }
    assert_eq!(harmless, ["server.drain_ms"]);
}

#[test]
fn where_the_user_has_a_config_one_that_nobody_accepted_is_not_read_at_all() {
    let texts = keys::all().into_iter().map(|key| config_of(&key.path));
    // Neither is what is broken, empty or no YAML, nor what may be set by itself.
    let texts = texts.chain(["", "{}", "a: [", "- a", "unknown: 1", "\0", "a: &a [*a]"].map(str::to_owned));
    for text in texts {
        let machine = Machine::new().home("server: {keys: [0123456789abcdef], drain_ms: 7}\n").repo(&text);
        let loaded = machine.load().unwrap();
        assert_eq!(loaded.source, ConfigSource::ConfigFolder(machine.home_file()), "{text}");
        let own = Machine::new().home("server: {keys: [0123456789abcdef], drain_ms: 7}\n").load().unwrap();
        let without_folders = |machine: &Config| {
            let mut config = machine.clone();
            config.plugins.dir = "plugins".into();
            format!("{config:?}")
        };
        assert_eq!(without_folders(&loaded.config), without_folders(&own.config), "{text}");
        assert_eq!(loaded.config.server.keys[0].expose_secret(), "0123456789abcdef");
        assert_eq!(
            machine.warnings(&loaded),
            ["repo/bitrouter.yaml is not read, as you have not accepted it; home/bitrouter.yaml holds. If it is yours, read it, then run: bitrouter config trust REPO"
                .replace("REPO", "repo/bitrouter.yaml")],
            "{text}"
        );
    }
}

#[cfg(unix)]
#[test]
fn what_stands_in_the_place_of_a_config_and_is_none_is_not_touched_where_the_user_has_one() {
    use std::os::unix::fs::symlink;
    let places: [fn(&std::path::Path); 4] = [
        |file| fs::create_dir(file).unwrap(),
        |file| symlink("/nowhere/at/all", file).unwrap(),
        |file| symlink(file, file).unwrap(),
        // Whoever opened it would wait for ever.
        |file| assert!(std::process::Command::new("mkfifo").arg(file).status().unwrap().success()),
    ];
    for (number, position) in places.iter().enumerate() {
        let machine = Machine::new().home("server: {drain_ms: 7}\n");
        position(&machine.repo_file());
        let loaded = machine.load().unwrap_or_else(|error| panic!("{number}: {error}"));
        assert_eq!(loaded.source, ConfigSource::ConfigFolder(machine.home_file()), "{number}");
        // Where he has none it is an error, and nothing waits.
        let alone = Machine::new();
        position(&alone.repo_file());
        assert!(alone.load().is_err(), "{number}");
    }
}

#[test]
fn an_accepted_config_comes_before_the_users_own_and_says_so() {
    let machine = Machine::new().home("plugins: {budget_ms: 7}\n").repo("plugins: {budget_ms: 8}\n");
    machine.trust().unwrap();
    let loaded = machine.load().unwrap();
    assert_eq!(loaded.source, ConfigSource::WorkingDirectory(machine.repo_file()));
    assert_eq!(loaded.config.plugins.budget, std::time::Duration::from_millis(8));
    assert_eq!(
        machine.warnings(&loaded),
        [
            "repo/bitrouter.yaml is used, so home/bitrouter.yaml is not read. To use that one, run with: -c home/bitrouter.yaml"
        ]
    );
}

#[test]
fn a_config_that_was_accepted_and_has_changed_is_not_read() {
    let machine = Machine::new().repo("server: {keys: [0123456789abcdef]}\n");
    machine.trust().unwrap();
    // Even one that asks for nothing: what it no longer says would fall back to the defaults.
    for text in ["server: {keys: [fedcba9876543210]}\n", "server: {drain_ms: 1}\n", "", "{}"] {
        fs::write(machine.repo_file(), text).unwrap();
        assert_eq!(
            machine.refused(),
            "repo/bitrouter.yaml: it has changed since you accepted it, so it is not read. Read it, then run: bitrouter config trust repo/bitrouter.yaml"
        );
    }
    let machine = machine.home("server: {drain_ms: 7}\n");
    let loaded = machine.load().unwrap();
    assert_eq!(loaded.source, ConfigSource::ConfigFolder(machine.home_file()));
    assert!(machine.warnings(&loaded)[0].contains("not read, as it has changed since you accepted it; home/"));
}

#[test]
fn acceptance_is_taken_back_whether_the_file_is_there_or_not() {
    for gone in [false, true] {
        let machine = Machine::new().repo("plugins: {dir: w}\n");
        let file = machine.trust().unwrap().file;
        if gone {
            fs::remove_file(machine.repo_file()).unwrap();
        }
        assert_eq!(untrust(&machine.repo_file(), &machine.paths()).unwrap(), Some(file));
        assert_eq!(untrust(&machine.repo_file(), &machine.paths()).unwrap(), None);
        let machine = machine.repo("plugins: {dir: w}\n");
        assert!(machine.refused().contains("until you accept it. Read it"));
    }
    let nothing = Machine::new();
    assert_eq!(untrust(&nothing.repo_file(), &nothing.paths()).unwrap(), None);
    assert!(!nothing.paths().trusted_configs().exists());
}

#[test]
fn of_many_that_accept_a_config_at_once_all_have_accepted_theirs() {
    let machine = Machine::new();
    let files: Vec<_> = (0..8).map(|at| machine.root.path().join(format!("{at}.yaml"))).collect();
    std::thread::scope(|scope| {
        for file in &files {
            fs::write(file, "").unwrap();
            scope.spawn(|| trust(file, &machine.paths()).unwrap());
        }
    });
    for file in &files {
        assert!(untrust(file, &machine.paths()).unwrap().is_some(), "{}", file.display());
    }
}

#[test]
fn what_an_untrusted_config_may_not_do_is_refused_with_its_line_and_the_command() {
    for (text, position, key, guarded) in [
        (
            "providers:\n  a:\n    api_base: https://evil.example\n",
            "3:5",
            "providers.a.api_base",
            "say where keys are sent",
        ),
        ("providers: {a: {auth: {client_id: x}}}\n", "1:17", "providers.a.auth", "say how accounts log in"),
        ("plugins: {dir: wasm}\n", "1:11", "plugins.dir", "name a folder of plugins"),
        ("providers: {a: {api_key: '${OTHER_KEY}'}}\n", "1:26", "providers.a.api_key", "read environment variables"),
        ("providers: {a: {api_key: '${OTHER_KEY}'}}\n", "1:17", "providers.a.api_key", "say whose account is used"),
        (
            "providers: {a: {settings: {b: ['${X:-y}']}}}\n",
            "1:32",
            "providers.a.settings",
            "read environment variables",
        ),
        ("server: {drain_ms: '${X:-1}'}\n", "1:20", "server.drain_ms", "read environment variables"),
        (
            "x: &o {api_base: 'https://e'}\nproviders: {a: {<<: *o}}\n",
            "2:21",
            "providers.a.api_base",
            "say where keys are sent",
        ),
    ] {
        let machine = Machine::new().repo(text);
        let path = machine.repo_file();
        let wanted = format!(
            "repo/bitrouter.yaml:{position}: `{key}`: a config from the working directory may not {guarded} until you accept it. Read it, then run: bitrouter config trust repo/bitrouter.yaml"
        );
        let refused = machine.refused();
        assert!(refused.lines().any(|line| line == wanted), "{refused}\n{wanted}\n{}", path.display());
    }
}

#[test]
fn a_trusted_config_may_do_it_until_it_changes() {
    let machine = Machine::new().repo("plugins: {dir: '${D:-w}'}\n");
    let trusted = machine.trust().unwrap();
    assert_eq!(trusted.file, fs::canonicalize(machine.repo_file()).unwrap());
    let key = || "plugins.dir".to_owned();
    assert_eq!(
        trusted.accepted,
        [
            (Position { line: 1, column: 11 }, key(), Guarded::PluginDir),
            (Position { line: 1, column: 16 }, key(), Guarded::Environment)
        ]
    );
    assert!(machine.load().unwrap().config.plugins.dir.ends_with("repo/w"));

    let machine = machine.repo("plugins: {dir: elsewhere}\n");
    assert!(machine.refused().contains("it has changed since you accepted it"), "{}", machine.refused());
    machine.trust().unwrap();
    assert!(machine.load().is_ok());
}

#[cfg(unix)]
#[test]
fn trust_is_in_a_file_that_only_the_user_can_read() {
    use std::os::unix::fs::PermissionsExt;
    let machine = Machine::new().repo("");
    machine.trust().unwrap();
    let mode = fs::metadata(machine.paths().trusted_configs()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn what_the_trust_list_holds_besides_stays_in_it() {
    let machine = Machine::new().repo("");
    let list = machine.paths().trusted_configs();
    fs::write(&list, r#"{"later": 1, "configs": {"/other": {"sha256": "x", "note": "n"}}}"#).unwrap();
    let trusted = machine.trust().unwrap();
    let content: serde_json::Value = serde_json::from_slice(&fs::read(&list).unwrap()).unwrap();
    let name = trusted.file.to_str().unwrap();
    let wanted = serde_json::json!({
        "later": 1,
        "configs": {"/other": {"sha256": "x", "note": "n"}, name: {"sha256": trusted.sha256}},
    });
    assert_eq!(content, wanted);
}

#[test]
fn a_corrupt_trust_list_is_named_and_left_as_it_is() {
    for text in ["{", "[]", r#"{"configs": []}"#] {
        let machine = Machine::new().repo("plugins: {dir: w}\n");
        let list = machine.paths().trusted_configs();
        fs::write(&list, text).unwrap();
        let error = machine.shown(&machine.trust().unwrap_err());
        assert!(
            error.starts_with("home/trusted-configs.json: the list of trusted configs cannot be understood ("),
            "{error}"
        );
        assert!(
            error.ends_with("it was left as it is. Repair it or move it away, then trust your configs again"),
            "{error}"
        );
        assert_eq!(fs::read_to_string(&list).unwrap(), text);
        assert!(machine.load().is_err());
    }
}

#[test]
fn a_file_that_is_not_yaml_cannot_be_trusted() {
    let machine = Machine::new().repo("a: [\n");
    assert_eq!(
        machine.shown(&machine.trust().unwrap_err()),
        "repo/bitrouter.yaml:1:4: this is not YAML: unclosed bracket '['"
    );
    assert!(!machine.paths().trusted_configs().exists());
}

#[cfg(unix)]
#[test]
fn a_link_is_trusted_for_the_file_it_led_to() {
    let machine = Machine::new();
    let [one, two] = ["one.yaml", "two.yaml"].map(|name| machine.root.path().join(name));
    for file in [&one, &two] {
        fs::write(file, "plugins: {dir: w}\n").unwrap();
    }
    std::os::unix::fs::symlink(&one, machine.repo_file()).unwrap();
    machine.trust().unwrap();
    assert!(machine.load().is_ok());
    fs::remove_file(machine.repo_file()).unwrap();
    std::os::unix::fs::symlink(&two, machine.repo_file()).unwrap();
    assert!(machine.load().is_err());
}
