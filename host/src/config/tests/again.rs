//! What a running gateway reads of its config by and by.

use std::fs;
use std::time::Duration;

use super::super::*;
use super::Machine;

const OWN: &str = "server: {keys: [0123456789abcdef], drain_ms: 7}\n";

fn drain(loaded: &Loaded) -> Duration {
    loaded.config.server.drain
}

#[test]
fn a_gateway_keeps_to_the_file_that_it_was_started_with() {
    let machine = Machine::new().home(OWN);
    let held = machine.load().unwrap().held();
    // One that appears in the working directory, accepted or not, is not read.
    let machine = machine.repo("server: {drain_ms: 1}\n");
    let loaded = machine.load_again(&held).unwrap();
    assert_eq!(
        (&loaded.source, drain(&loaded)),
        (&ConfigSource::ConfigFolder(machine.home_file()), Duration::from_millis(7))
    );
    assert!(
        machine.warnings(&loaded)[0].contains("is not read, as you have not accepted it; home/bitrouter.yaml holds")
    );
    machine.trust().unwrap();
    let loaded = machine.load_again(&held).unwrap();
    assert_eq!(loaded.source, ConfigSource::ConfigFolder(machine.home_file()));
    assert_eq!(
        machine.warnings(&loaded),
        [
            "repo/bitrouter.yaml is not read: a gateway keeps to the config that it was started with, and this one holds from the next start on"
        ]
    );
    // Nor does it take the place of one that goes.
    fs::remove_file(machine.home_file()).unwrap();
    let gone = "home/bitrouter.yaml: it is gone, and what it said holds until it is there again. To go without a config, start the gateway anew";
    assert_eq!(machine.refused_again(&held), gone);
}

#[test]
fn a_gateway_without_a_config_takes_up_the_users_own_and_no_other() {
    let machine = Machine::new();
    let held = machine.load().unwrap().held();
    let machine = machine.repo("server: {drain_ms: 1}\n");
    for accepted in [false, true] {
        if accepted {
            machine.trust().unwrap();
        }
        let loaded = machine.load_again(&held).unwrap();
        assert_eq!((&loaded.source, drain(&loaded)), (&ConfigSource::Defaults, Duration::from_secs(30)));
        assert_eq!(loaded.warnings.len(), 1);
    }
    let machine = machine.home(OWN);
    let loaded = machine.load_again(&held).unwrap();
    assert_eq!(
        (&loaded.source, drain(&loaded)),
        (&ConfigSource::ConfigFolder(machine.home_file()), Duration::from_millis(7))
    );
}

#[test]
fn a_named_config_stays_the_named_one() {
    let machine = Machine::new().home(OWN).named("other.yaml");
    let other = machine.root.path().join("repo/other.yaml");
    fs::write(&other, "server: {drain_ms: 3}\n").unwrap();
    let held = machine.load().unwrap().held();
    let machine = machine.repo("server: {drain_ms: 1}\n");
    machine.trust().unwrap();
    let loaded = machine.load_again(&held).unwrap();
    assert_eq!((drain(&loaded), loaded.warnings.len()), (Duration::from_millis(3), 0));
    fs::remove_file(other).unwrap();
    assert!(machine.refused_again(&held).starts_with("repo/other.yaml: it is gone"));
}

#[test]
fn an_accepted_config_that_changes_is_refused_until_it_is_accepted_again_or_is_as_it_was() {
    const ACCEPTED: &str = "server: {keys: [0123456789abcdef]}\n";
    let machine = Machine::new().home(OWN).repo(ACCEPTED);
    machine.trust().unwrap();
    let held = machine.load().unwrap().held();
    // Harmless keys alone would let the others fall back to the defaults: the key would be gone.
    for text in ["server: {drain_ms: 1}\n", "{}", "", "server: {keys: [fedcba9876543210]}\n"] {
        fs::write(machine.repo_file(), text).unwrap();
        assert!(
            machine.refused_again(&held).contains("it has changed since you accepted it, so it is not read"),
            "{text}"
        );
    }
    machine.trust().unwrap();
    assert_eq!(machine.load_again(&held).unwrap().config.server.keys.len(), 1);
    untrust(&machine.repo_file(), &machine.paths()).unwrap();
    assert!(machine.refused_again(&held).contains("it is not accepted any more, and what it said holds"));
}

#[test]
fn a_config_that_nobody_accepted_sets_no_more_at_a_reload_than_at_the_start() {
    let machine = Machine::new().repo("server: {drain_ms: 1}\n");
    let held = machine.load().unwrap().held();
    fs::write(machine.repo_file(), "server: {drain_ms: 2}\n").unwrap();
    assert_eq!(drain(&machine.load_again(&held).unwrap()), Duration::from_millis(2));
    fs::write(machine.repo_file(), "providers: {a: {api_key: sk-1}}\n").unwrap();
    assert!(machine.refused_again(&held).contains("may not say whose account is used until you accept it"));
    // Accepting it while the gateway runs with it is noticed.
    machine.trust().unwrap();
    assert!(machine.load_again(&held).unwrap().config.provider("a").api_key.is_some());
}

#[test]
fn a_file_that_says_nothing_by_now_is_refused_like_a_broken_one() {
    let machine = Machine::new().home(OWN);
    let held = machine.load().unwrap().held();
    let wanted = "home/bitrouter.yaml:1:1: the file says nothing, as one does that is being written: what it said holds. To go back to the defaults, write `{}`";
    for text in [
        "",
        "\n",
        " \n\t\n",
        "# server:\n",
        "---\n",
        "~\n",
        "\u{feff}",
        "server:\n",
        "server:\nproviders:\n  openai:\n",
    ] {
        fs::write(machine.home_file(), text).unwrap();
        let refused = machine.refused_again(&held);
        // White space that is no YAML is refused as such.
        assert!(
            refused == wanted || text.contains('\t') && refused.contains("this is not YAML"),
            "{text:?}: {refused}"
        );
    }
    // What a crash leaves of a file whose blocks were not written.
    fs::write(machine.home_file(), "\0\0\0\0").unwrap();
    assert!(machine.refused_again(&held).contains("this is not YAML"), "{}", machine.refused_again(&held));
    fs::write(machine.home_file(), "{}").unwrap();
    assert!(machine.load_again(&held).unwrap().config.server.keys.is_empty());
}

#[test]
fn a_file_that_said_nothing_at_the_start_may_go_on_to_say_nothing() {
    let machine = Machine::new().home("# nothing yet\n");
    let held = machine.load().unwrap().held();
    assert!(machine.load_again(&held).is_ok());
    fs::write(machine.home_file(), OWN).unwrap();
    let held = machine.load_again(&held).unwrap().held();
    fs::write(machine.home_file(), "# nothing yet\n").unwrap();
    assert!(machine.load_again(&held).is_err());
}
