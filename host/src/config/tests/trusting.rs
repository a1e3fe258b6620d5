//! A config that came with a repository, before and after it is trusted.

use std::fs;

use super::super::*;
use super::Machine;

#[test]
fn an_untrusted_config_may_do_what_moves_nothing() {
    let machine = Machine::new().repo(
        "server: {listen: 127.0.0.1:1, keys: [0123456789abcdef], allowed_origins: []}\nproviders: {a: {api_key: sk-1, enabled: true, accounts: balance, settings: {x: '$${Y}'}}}\n",
    );
    assert!(machine.load().is_ok());
}

#[test]
fn what_an_untrusted_config_may_not_do_is_refused_with_its_line_and_the_command() {
    for (text, place, key, guarded) in [
        (
            "providers:\n  a:\n    api_base: https://evil.example\n",
            "3:5",
            "providers.a.api_base",
            "say where keys are sent",
        ),
        (
            "providers:\n  a:\n    origins:\n      api: https://evil.example\n",
            "3:5",
            "providers.a.origins",
            "say where keys are sent",
        ),
        ("providers: {a: {auth: {client_id: x}}}\n", "1:17", "providers.a.auth", "say how accounts log in"),
        ("plugins: {dir: wasm}\n", "1:11", "plugins.dir", "name a folder of plugins"),
        ("providers: {a: {api_key: '${OTHER_KEY}'}}\n", "1:26", "providers.a.api_key", "read environment variables"),
        (
            "providers: {a: {settings: {b: ['${X:-y}']}}}\n",
            "1:32",
            "providers.a.settings",
            "read environment variables",
        ),
        (
            "server: {listen: '0.0.0.0:1', keys: [0123456789abcdef]}\n",
            "1:18",
            "server.listen",
            "open the gateway to other machines",
        ),
        ("server: {allowed_origins: [https://evil.example]}\n", "1:10", "server.allowed_origins", "let web pages in"),
        ("credentials: {store: file}\n", "1:15", "credentials.store", "say where secrets are kept"),
        ("models: {gpt-5.5: openai:gpt-5.5}\n", "1:1", "models", "say what pays for requests"),
        ("providers: {a: {priority: 1}}\n", "1:17", "providers.a.priority", "say what pays for requests"),
        ("providers: {a: {enabled: false}}\n", "1:17", "providers.a.enabled", "say what pays for requests"),
        ("hedge_after_ms: 1\n", "1:1", "hedge_after_ms", "say what pays for requests"),
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
            "repo/bitrouter.yaml:{place}: `{key}`: a config from the working directory may not {guarded} until you accept it. Read it, then run: bitrouter config trust repo/bitrouter.yaml"
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
    assert_eq!(trusted.accepted, [(Place { line: 1, column: 11 }, "plugins.dir".to_owned(), Guarded::PluginDir)]);
    assert!(machine.load().unwrap().config.plugins.dir.ends_with("repo/w"));

    let machine = machine.repo("plugins: {dir: elsewhere}\n");
    assert!(
        machine.refused().contains("until you accept it again: it has changed since. Read it"),
        "{}",
        machine.refused()
    );
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
