//! Every sentence about a place of the file.

use super::super::*;
use super::{Machine, config, problems};

#[test]
fn each_problem_has_its_sentence_and_place() {
    for (text, wanted) in [
        ("servr: {}\n", "1:1: unknown key `servr`: did you mean `server`?"),
        ("server:\n  lisen: x\n", "2:3: unknown key `server.lisen`: did you mean `listen`?"),
        ("body_limit: 1\n", "1:1: unknown key `body_limit`: did you mean `server.body_limit`?"),
        (
            "plugins: {zzz: 1}\n",
            "1:11: unknown key `plugins.zzz`: what can stand here is dir, lock, signers, budget_ms, memory_mb",
        ),
        (
            "- a\n",
            "1:1: this is a list, and a config is made of keys, each with its value behind it or below it, such as `providers:`. What can stand here is server, plugins, providers, models, strict, hedge_after_ms, side_requests, credentials, state",
        ),
        (
            "providers\n",
            "1:1: this is one value, and a config is made of keys, each with its value behind it or below it, such as `providers:`. What can stand here is server, plugins, providers, models, strict, hedge_after_ms, side_requests, credentials, state",
        ),
        (
            "server: 4356\n",
            "1:1: `server` takes keys of its own: listen, keys, allowed_origins, allowed_hosts, connections, body_limit, bodies_limit, body_timeout_ms, drain_ms",
        ),
        ("server:\n  listen:\n", "2:3: `server.listen` has no value: give it one, or take the line out"),
        ("server: {listen: 4356}\n", "1:18: `server.listen` takes an address with a port, such as `127.0.0.1:4356`"),
        (
            "server: {listen: localhost}\n",
            "1:18: `server.listen`: `localhost` is not an address with a port: write one such as `127.0.0.1:4356` or `[::1]:4356`",
        ),
        ("server: {listen: []}\n", "1:10: `server.listen` is an empty list: name an address, or take the line out"),
        (
            "server:\n  listen: [127.0.0.1:1, '[::]:4356']\n",
            "2:25: `server.listen`: [::]:4356 can be reached from other machines, so clients need a key. Add:\n\n  server:\n    keys:\n      - \"…\"   # what this prints: openssl rand -hex 24",
        ),
        (
            "server: {listen: '0.0.0.0:1', keys: [short]}\n",
            "1:38: `server.keys` has fewer than 16 characters, which can be guessed. Make one with: openssl rand -hex 24",
        ),
        ("server: {keys: abc}\n", "1:16: `server.keys` takes a list of keys, each on a line of its own after `- `"),
        ("server: {keys: [1234567890123456]}\n", "1:17: `server.keys` takes text: put the key in quotes"),
        (
            "server: {allowed_origins: '*'}\n",
            "1:27: `server.allowed_origins`: `*` is not a web page's origin: write `scheme://host` or `scheme://host:port`, such as `https://chat.example.com`",
        ),
        (
            "server: {body_limit: 64M}\n",
            "1:22: `server.body_limit` takes a number of bytes, or a number with B, KB, MB, GB, KiB, MiB or GiB, such as `64MiB`",
        ),
        (
            "server: {body_limit: 2GiB}\n",
            "1:22: `server.body_limit` must be between 1024 and 1073741824: a body is kept in memory while its request runs",
        ),
        (
            "plugins: {memory_mb: 0}\n",
            "1:22: `plugins.memory_mb` must be between 1 and 1024: every request under way may hold this much, and a component needs one to start",
        ),
        ("plugins: {budget_ms: fast}\n", "1:22: `plugins.budget_ms` takes a whole number"),
        ("plugins: {budget_ms: '20'}\n", "1:22: `plugins.budget_ms` takes a whole number"),
        ("plugins: {budget_ms: '${WORD}'}\n", "1:22: `plugins.budget_ms` takes a whole number"),
        ("plugins: {dir: ~/x}\n", "1:16: `plugins.dir` begins with `~`, which is not expanded: write ${HOME} instead"),
        (
            "providers: {OpenAI: {}}\n",
            "1:13: `OpenAI` is not a provider's id: an id is made of a-z, 0-9 and `-`, begins with a letter and has at most 32 characters",
        ),
        ("providers: {a: {enabled: no}}\n", "1:26: `providers.a.enabled` takes `true` or `false`"),
        (
            "providers: {a: {priority: -1}}\n",
            "1:27: `providers.a.priority` must be between 0 and 1000000: it only orders providers",
        ),
        (
            "providers: {a: {api_key: ''}}\n",
            "1:26: `providers.a.api_key` has no value: give it one, or take the line out",
        ),
        (
            "providers: {a: {api_key: \"sk-secret\\r\\nx: y\"}}\n",
            "1:26: `providers.a.api_key` holds white space or a character that no HTTP header may hold: check what was pasted. What is wanted is the key alone, without `Bearer` or a name before it",
        ),
        (
            "providers: {a: {api_base: 'https://a', origins: {api: 'https://b'}}}\n",
            "1:40: `providers.a.api_base` and `origins.api` differ: `api_base` is short for `origins.api`, so keep one of them",
        ),
        ("providers: {a: {settings: [1]}}\n", "1:27: `providers.a.settings` takes keys of the component's own"),
        (
            "providers: {a: {api_key: '${NOPE}'}}\n",
            "1:26: `providers.a.api_key` needs the environment variable NOPE, which is not set: set it, or write ${NOPE:-…} with a default",
        ),
        (
            "providers: {a: {api_key: '${EMPTY}'}}\n",
            "1:26: `providers.a.api_key` has no value: give it one, or take the line out",
        ),
        (
            "providers: {a: {api_key: '${NO PE}'}}\n",
            "1:26: `providers.a.api_key` has a `${` that is no ${NAME} or ${NAME:-default}: write $${ for a plain one",
        ),
        (
            "models: [a]\n",
            "1:9: `models` takes names, each with an address or a list of them: `fast: [openai:gpt-5-mini, openai:gpt-5-nano]`",
        ),
        ("models: {fast: []}\n", "1:10: `models.fast` has 0 addresses: it takes 1 to 8"),
        ("models: {fast: [a, a, a, a, a, a, a, a, a]}\n", "1:10: `models.fast` has 9 addresses: it takes 1 to 8"),
        ("models:\n  fast:\n", "2:7: `models.fast` has no value: give it one, or take the line out"),
        ("models: {fast: ['']}\n", "1:17: `models.fast` has no value: give it one, or take the line out"),
        ("models: {fast: [5]}\n", "1:17: `models.fast` takes an address, such as `openai:gpt-5`, or a list of them"),
        ("models: {fast: {a: b}}\n", "1:16: `models.fast` takes an address, such as `openai:gpt-5`, or a list of them"),
        (
            "models: {fast: [\"a\\nb\"]}\n",
            "1:17: `models.fast`: the model `a\\nb` holds a control character: take it out",
        ),
        ("models: {'': a}\n", "1:10: `models.`: the model is empty: name one, such as `openai:gpt-5`"),
        (
            "models: {a-*: ['b:*-*']}\n",
            "1:16: `models.a-*`: `b:*-*` has more `*` than the name: each stands for what one of the name's matched",
        ),
        ("strict: 1\n", "1:9: `strict` takes `true` or `false`"),
        ("state: {calls: nowhere}\n", "1:16: `state.calls` takes `file` or `memory`"),
        ("credentials: {store: cloud}\n", "1:22: `credentials.store` takes `file` or `keyring`"),
        (
            "providers: {openai: {quirks: [max-tokens, no-stream-option]}}\n",
            "1:43: `providers.openai.quirks`: unknown word `no-stream-option`: did you mean `no-stream-options`?",
        ),
        (
            "providers: {openai: {accounts: round-robin}}\n",
            "1:32: `providers.openai.accounts` takes `failover` or `balance` or `sticky`",
        ),
        ("a: [\n", "1:4: this is not YAML: unclosed bracket '['"),
    ] {
        assert_eq!(problems(text), [wanted], "{text}");
    }
}

#[test]
fn an_origin_that_is_none_is_refused_with_its_own_reason() {
    for (text, position) in [
        ("providers: {a: {api_base: 'http://example.com'}}\n", "1:27: `providers.a.api_base`"),
        ("providers: {a: {origins: {api: 'https://me:secret@a'}}}\n", "1:32: `providers.a.origins.api`"),
        ("providers: {a: {origins: {api: 'https://a?key=secret'}}}\n", "1:32: `providers.a.origins.api`"),
    ] {
        let refused = problems(text);
        assert!(refused[0].starts_with(&format!("{position}: the address `")), "{refused:?}");
        assert!(!refused[0].contains("secret"), "{refused:?}");
    }
}

#[test]
fn all_problems_come_at_once_in_the_order_of_the_file() {
    let machine = Machine::new().home("strict: 1\nplugins:\n  budget_ms: 0\nservr:\n");
    let lines = check(&machine.options(), &|_| None);
    let starts: Vec<bool> = ["1:9: `strict`", "3:14: `plugins.budget_ms`", "4:1: unknown key `servr`"]
        .iter()
        .zip(&lines)
        .map(|(start, line)| line.starts_with(&format!("{}:{start}", machine.home_file().display())))
        .collect();
    assert_eq!(starts, [true, true, true], "{lines:#?}");
    assert_eq!(lines.len(), 3);
}

#[test]
fn the_listen_flag_obeys_the_rule_of_the_key() {
    let mut config = config("");
    let refused = config.listen_on("0.0.0.0:80").unwrap_err().to_string();
    assert!(refused.starts_with("`--listen`: 0.0.0.0:80 can be reached from other machines"), "{refused}");
    let refused = config.listen_on("80").unwrap_err().to_string();
    assert!(refused.starts_with("`--listen`: `80` is not an address with a port"), "{refused}");
    config.server.keys.push("0123456789abcdef".into());
    config.listen_on("0.0.0.0:80").unwrap();
    assert_eq!(config.server.listen, ["0.0.0.0:80".parse().unwrap()]);
    assert!(config.server.listen_named);
}

#[test]
fn a_config_cannot_write_to_the_terminal_through_an_error() {
    let refused = problems("\"\\e[2Jx\": 1\n");
    assert!(refused[0].starts_with("1:1: unknown key `\u{fffd}[2Jx`"), "{refused:?}");
}
