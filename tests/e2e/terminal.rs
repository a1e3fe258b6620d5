//! What a person sees: how wide tables are, what stands between two lines, and that a command ends when nobody reads.

use bitrouter_tests::{ChatGpt, Gateway, KEY, Setup};
use serde_json::json;

/// A home with an account of each kind.
fn with_accounts() -> Setup {
    let setup = Gateway::start().with_key("OPENAI_API_KEY", KEY);
    let origins =
        json!({"api": "http://127.0.0.1:9/api", "account": "http://127.0.0.1:9/account", "auth": "http://127.0.0.1:9"});
    let setup = setup.with("/providers/openai-codex/origins", origins);
    let chatgpt = ChatGpt::start();
    setup.logged_in("openai-codex", "default", chatgpt.login()).logged_in("openai-codex", "work", chatgpt.login())
}

#[test]
#[cfg(target_os = "linux")]
fn tables_fit_the_terminal_and_break_no_word() {
    let setup = with_accounts();
    for command in ["accounts", "providers", "models", "route gpt-5.5", "route openai-codex:gpt-5.5", "plugin list"] {
        let shown = |columns: u32| {
            let line = format!("stty cols {columns} rows 40; bitrouter {command}");
            setup.begin_on_a_terminal(&line).ends().ok().stdout
        };
        let natural = shown(400);
        for columns in [100, 80, 60] {
            let text = shown(columns);
            for word in text.split_whitespace() {
                assert!(natural.contains(word), "{command}, {columns}: `{word}` is half of a word: {text}");
            }
            // A word that is wider than the terminal cannot be helped, and neither can a sentence below a table.
            let table = text.lines().take_while(|line| !line.trim().is_empty() && !line.starts_with("note:"));
            for line in table.filter(|line| line.split_whitespace().count() > 1 && !line.starts_with("skipped:")) {
                let longest = line.split_whitespace().map(str::len).max().unwrap_or_default();
                assert!(
                    line.trim_end().chars().count() <= (columns as usize).max(longest + 20),
                    "{command}, {columns}: {line}"
                );
            }
        }
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_status_that_is_watched_ends_when_nobody_reads() {
    let gateway = Gateway::start().with_key("OPENAI_API_KEY", KEY).run();
    for command in ["status --watch", "status --watch --json", "status", "status --json"] {
        let ran = gateway.setup().begin_on_a_terminal(&format!("bitrouter {command} | head -n 1; echo it ended"));
        let ran = ran.ends().ok();
        assert!(ran.stdout.contains("it ended") && !ran.stdout.contains("error:"), "{command}: {ran:?}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn no_line_of_the_log_stands_inside_the_first_lines_of_serve() {
    // Components are compiled, which is logged.
    let setup = Gateway::start().with_key("OPENAI_API_KEY", KEY).with_key("RUST_LOG", "bitrouter=debug");
    let serve = setup.begin_on_a_terminal("bitrouter serve --listen 127.0.0.1:0");
    serve.says("ready:").says("component compiled");
    let text = serve.text();
    let (banner, _) = text.split_once("component compiled").unwrap();
    let (_, after) = banner.split_once("ready:").expect("the log comes after what is ready");
    assert!(after.contains("openai"), "{text}");
    let (head, _) = text.split_once("ready:").unwrap();
    assert!(!head.contains("INFO") && !head.contains("DEBUG"), "{head}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_start_without_flags_logs_nothing_of_digests() {
    let setup = Gateway::start().with_key("OPENAI_API_KEY", KEY);
    let serve = setup.begin_on_a_terminal("bitrouter serve --listen 127.0.0.1:0");
    serve.says("ready:").says("openai  env");
    assert!(!serve.text().contains("digest") && !serve.text().contains("INFO"), "{}", serve.text());
}

#[test]
fn a_quiet_gateway_says_nothing_but_what_is_wrong() {
    let setup = Gateway::start().with_key("OPENAI_API_KEY", "\"in quotes\"");
    let mut serve = setup.begin(&["serve", "--quiet", "--listen", "127.0.0.1:0"]);
    serve.says("is in quotes");
    serve.interrupt();
    serve.types_no_more();
    let ran = serve.ends();
    assert!(!ran.stderr.contains("listening") && !ran.stderr.contains("INFO"), "{ran:?}");
    setup.command(&["serve", "--quiet", "--log", "info"]).fails().says("cannot be used with");
}

#[test]
fn bars_are_ascii_where_there_is_nothing_else_and_colours_have_no_say() {
    let shown = |name: &str, value: &str| {
        let chatgpt = ChatGpt::start();
        let setup = Gateway::start().with_chatgpt(&chatgpt).with_side_requests().with_key(name, value);
        setup.command(&["accounts", "--refresh"]).ok().stdout
    };
    for (name, value) in [("LC_ALL", "C"), ("TERM", "dumb")] {
        let text = shown(name, value);
        assert!(text.contains("##") && text.contains("..") && text.is_ascii(), "{name}: {text}");
    }
    let text = shown("NO_COLOR", "1");
    assert!(text.contains("█") && text.contains("░"), "{text}");
}

#[test]
fn providers_and_accounts_say_who_pays_and_what_ends() {
    let setup = with_accounts();
    setup.command(&["providers"]).ok().says("BILLING").says("subscription").says("pay-per-token");
    let accounts = setup.command(&["accounts"]).ok().says("renewed by itself");
    assert!(!accounts.stdout.contains("ends in"), "{accounts:?}");
    let mut entry = setup.tokens()[0].clone();
    entry["secret"].as_object_mut().unwrap().remove("refresh_token");
    let setup = setup.with_entry(entry);
    setup.command(&["accounts"]).ok().says("ends in").says("renewed by itself");
    let json = setup.command(&["accounts", "--json"]).ok().json();
    let renewed = |label: &str| {
        let accounts = json["accounts"].as_array().unwrap().iter();
        let mut of_label = accounts.filter(|account| account["label"] == label);
        of_label.next().unwrap()["renewed_by_itself"].clone()
    };
    assert_eq!((renewed("default"), renewed("work")), (json!(false), json!(true)));
}

#[test]
fn a_key_that_was_copied_with_more_than_itself_is_told_wherever_it_stands() {
    for (key, why) in [
        ("\"sk-canary-0123456789\"", "is in quotes"),
        ("'sk-canary-0123456789'", "is in quotes"),
        ("Bearer sk-canary-0123456789", "begins with `Bearer`"),
        ("export OPENAI_API_KEY=sk-canary-0123456789", "name of a variable"),
        ("sk-canary-0123456789,", "ends with a comma"),
        ("sk-canary\u{200b}-0123456789", "a character that no credential has"),
    ] {
        let by_environment = Gateway::start().with_key("OPENAI_API_KEY", key).command(&["providers"]).ok();
        let by_config = Gateway::start().with("/providers/openai/api_key", json!(key)).command(&["providers"]);
        // A config whose key no header may hold is refused as a whole.
        let in_config = if by_config.ok { why } else { "What is wanted is the key alone" };
        assert!(!by_config.says(in_config).stdout.contains("canary"));
        let setup = Gateway::start();
        let mut login = setup.begin(&["login", "openai", "--api-key-stdin"]);
        login.types(key).types_no_more();
        let by_input = login.ends().fails();
        for ran in [by_environment, by_input] {
            assert!(!format!("{ran:?}").contains("canary"), "{ran:?}");
            ran.says(why);
        }
        assert!(setup.tokens().is_empty());
    }
}

#[test]
fn a_login_without_a_provider_says_which_there_are() {
    let setup = Gateway::start();
    let ran = setup.command(&["login"]).fails().says("bitrouter login PROVIDER").says("openai, openai-codex");
    assert_eq!(ran.code, Some(2));
}

#[test]
#[cfg(target_os = "linux")]
fn a_login_without_a_provider_asks_for_one_on_a_terminal() {
    let setup = Gateway::start();
    let login = setup.begin_on_a_terminal("bitrouter login");
    login.says("Which provider do you log in to?").says("openai-codex  ").types_as_it_is("\r");
    login.says("API key");
}

#[test]
fn a_group_of_commands_alone_says_that_one_is_missing() {
    let setup = Gateway::start();
    for command in ["plugin", "config"] {
        let ran = setup.command(&[command]).fails().says("requires a subcommand");
        assert_eq!(ran.code, Some(2), "{ran:?}");
    }
    let ran = setup.command(&["connect"]).fails().says("name a client");
    assert_eq!(ran.code, Some(2), "{ran:?}");
}

#[test]
fn a_damaged_store_is_named_with_what_is_in_it_and_what_to_do() {
    for (text, what) in [("[]", "it holds a list"), ("", "it is empty"), ("{", "not JSON"), ("null", "it holds null")] {
        let setup = Gateway::start();
        std::fs::write(setup.token_file(), text).unwrap();
        let ran = setup.command(&["accounts"]).fails().says("oauth-tokens.json").says(what);
        ran.says("correct it, or move it away");
    }
}

#[test]
fn a_config_is_begun_with_every_key_and_never_written_over() {
    let setup = Gateway::start().without_config();
    setup.command(&["init"]).ok().says("bitrouter.yaml");
    setup.command(&["config", "check"]).ok().says("no problems");
    setup.command(&["init"]).fails().says("stays as it is");
    setup.command(&["init", "-c", "mine/b.yaml"]).ok();
    setup.command(&["config", "check", "-c", "mine/b.yaml"]).ok();
}

#[test]
fn manual_pages_are_written_for_every_command() {
    let setup = Gateway::start();
    setup.command(&["manual", "man1"]).ok();
    for page in ["bitrouter.1", "bitrouter-serve.1", "bitrouter-plugin-trust.1"] {
        let text = std::fs::read_to_string(setup.working_directory().join("man1").join(page)).unwrap();
        assert!(text.contains(".TH"), "{page}: {text}");
    }
}

#[test]
fn the_doctor_says_what_keeps_requests_from_being_served() {
    let chatgpt = ChatGpt::start();
    // Who else has the usual port on this machine is not this test's affair.
    let listen = serde_json::json!(bitrouter_tests::free_port().to_string());
    let setup = Gateway::start().with_chatgpt(&chatgpt).with_side_requests().with("/server/listen", listen);
    setup.command(&["doctor"]).ok().says("answers with its list of models").says("nothing is wrong");
    drop(chatgpt);
    setup.command(&["doctor"]).fails().says("WRONG").says("no connection");
    Gateway::start().command(&["doctor"]).fails().says("none is active").says("bitrouter login");
}

/// In raw mode Ctrl-C is a key of the menu's; Escape is one always.
#[test]
#[cfg(target_os = "linux")]
fn a_menu_is_left_by_escape_and_by_ctrl_c_and_says_so_once() {
    let setup = with_accounts();
    for (command, question) in
        [("login openai-codex", "How do you log in"), ("logout openai-codex", "Which account of openai-codex")]
    {
        for key in ["\x1b", "\x03"] {
            let running = setup.begin_on_a_terminal(&format!("bitrouter {command}; echo it ended with $?"));
            running.says(question).types_as_it_is(key).says("it ended with 130");
            assert_eq!(running.text().matches("cancelled").count(), 1, "{command}: {}", running.text());
        }
    }
    assert_eq!(setup.tokens().len(), 2, "nobody was logged out");
}
