//! The first minutes: `bitrouter` alone, `init`, and `doctor` with what mends each fault.

use std::fs;
use std::net::TcpListener;

use bitrouter_tests::{Anthropic, Gateway, KEY, Spoken};
use serde_json::{Value, json};

#[test]
fn who_runs_it_the_first_time_is_shown_three_steps_and_nobody_else() {
    let setup = Gateway::start().without_config();
    let ran = setup.command(&[]).ok();
    for step in ["1.  bitrouter login", "2.  bitrouter serve", "3.  bitrouter connect", "http://127.0.0.1:4356"] {
        assert!(ran.stdout.contains(step), "{step}: {ran:?}");
    }
    fs::create_dir_all(setup.home().join(".codex")).unwrap();
    fs::write(setup.home().join(".codex/config.toml"), "").unwrap();
    setup.command(&[]).ok().says("found here: codex");
    setup.command(&["init"]).ok();
    let ran = setup.command(&[]).fails().says("Usage: bitrouter");
    assert_eq!(ran.code, Some(2));
}

#[test]
fn what_is_found_here_stands_in_the_config_that_init_writes() {
    let setup = Gateway::start().without_config().with_key("OPENAI_API_KEY", KEY);
    let ran = setup.command(&["init"]).ok().says("a key in the environment, pay-per-token");
    let text = fs::read_to_string(setup.home().join("bitrouter.yaml")).unwrap();
    assert!(text.contains("# Found here when it was written:\n#   openai"), "{text}");
    assert!(!text.contains(KEY) && !format!("{ran:?}").contains(KEY));
    setup.command(&["config", "check"]).ok();
    setup.command(&["init"]).fails().says("there is a config already");
}

#[test]
fn the_doctor_names_the_command_that_mends_each_fault() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let setup = Gateway::start().with_key("OPENAI_API_KEY", KEY).with("/server/listen", json!(address));
    let steps = || setup.command(&["doctor", "--json"]).json();
    let wrong = |steps: &Value| -> Vec<String> {
        let wrong = steps.as_array().unwrap().iter().filter(|step| step["result"] == "wrong");
        wrong.map(|step| step["what"].as_str().unwrap().to_owned()).collect()
    };
    let found = wrong(&steps());
    assert!(
        found.iter().any(|what| what.contains("is in use") && what.contains("bitrouter serve --listen")),
        "{found:?}"
    );
    drop(taken);
    assert!(!wrong(&steps()).iter().any(|what| what.contains("is in use")));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::write(setup.token_file(), "{\"version\":1,\"credentials\":[]}").unwrap();
        fs::set_permissions(setup.token_file(), fs::Permissions::from_mode(0o644)).unwrap();
        let found = wrong(&steps());
        assert!(
            found.iter().any(|what| what.contains(&format!("chmod 600 {}", setup.token_file().display()))),
            "{found:?}"
        );
    }
}

#[test]
fn the_doctor_asks_a_model_where_it_is_told_to() {
    let anthropic = Anthropic::start().turn(Spoken::says("Hello."));
    let gateway = Gateway::start().with_vendor(&anthropic).run();
    let ran = gateway.command(&["doctor", "--request", "anthropic:claude-opus-5-5"]);
    assert!(ran.stdout.contains("anthropic:claude-opus-5-5 answers, after"), "{ran:?}");
    let ran = gateway.command(&["doctor", "--request", "no-such-model"]).fails();
    assert!(ran.stdout.contains("To see where it would go: bitrouter route no-such-model"), "{ran:?}");
    gateway.stop();
}
