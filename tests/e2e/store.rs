//! The token store where things go wrong around it: many at once, a full disk, one that is read-only. Nothing is lost,
//! and what is wrong is said with its place and the next step.
#![cfg(unix)]

use std::fs;
#[cfg(target_os = "linux")]
use std::os::unix::net::UnixListener;
use std::sync::Arc;
#[cfg(target_os = "linux")]
use std::time::{Duration, Instant};

use bitrouter_tests::{Answer, Disk, Gateway, Issuer, Login, Reply, Reuse, Setup, Upstream, eventually};
use serde_json::{Value, json};
use tempfile::TempDir;

/// An API that answers whoever comes.
fn api() -> Upstream {
    let upstream = Upstream::start();
    let completed = json!({
        "type": "response.completed", "response": { "id": "resp_1", "object": "response", "status": "completed", "output": [] },
    });
    upstream.replies(Reply::sse().send(format!("event: response.completed\ndata: {completed}\n\n")));
    upstream
}

/// A home with this issuer and this API.
fn home(setup: Setup, issuer: &Issuer, api: &Upstream) -> Setup {
    setup.with_issuer(issuer).0.with("/providers/openai-codex/origins/api", json!(api.origin()))
}

fn ask(gateway: &Gateway, label: &str) -> Answer {
    let model = format!("openai-codex@{label}:gpt-5.5");
    let input = json!([{ "role": "user", "content": "hello" }]);
    gateway.post("/v1/responses").json(&json!({ "model": model, "stream": true, "input": input })).send()
}

fn account(setup: &Setup, label: &str) -> Value {
    let found = setup.tokens().into_iter().find(|entry| entry["label"] == label);
    found.unwrap_or_else(|| panic!("{label} is not stored"))
}

fn refresh_token(setup: &Setup, label: &str) -> String {
    account(setup, label)["secret"]["refresh_token"].as_str().unwrap().to_owned()
}

/// Logs an account in that is over.
fn over(issuer: &Issuer, account: &str) -> Login {
    Login::over(account, &issuer.login(account))
}

#[test]
fn two_gateways_and_ten_logins_at_once_lose_nothing_and_refresh_each_account_once() {
    let (issuer, api) = (Issuer::start(Reuse::Strict), api());
    let mut setup = home(Gateway::start(), &issuer, &api);
    let known = ["a", "b", "c"];
    for label in known {
        setup = setup.logged_in("openai-codex", label, &over(&issuer, &format!("acc-{label}")));
    }
    // The component is compiled before many want it at once.
    setup.command(&["accounts"]).ok();
    let setup = Arc::new(setup);
    let labels: Vec<String> = (0..10).map(|at| format!("new{at}")).collect();
    let logins: Vec<_> =
        labels.iter().map(|label| setup.begin(&["login", "openai-codex", "--device", "--label", label])).collect();
    let (one, other) = std::thread::scope(|scope| {
        let [one, other] = [0, 1].map(|_| scope.spawn(|| Gateway::in_home(&setup)));
        (one.join().unwrap(), other.join().unwrap())
    });
    std::thread::scope(|scope| {
        for gateway in [&one, &other] {
            for label in known.iter().cycle().take(12) {
                scope.spawn(move || drop(ask(gateway, label).status(200)));
            }
        }
    });
    for login in logins {
        login.ends().ok();
    }
    assert_eq!(setup.tokens().len(), known.len() + labels.len());
    for label in known {
        assert_eq!(issuer.refreshes(&format!("acc-{label}")), 1);
    }
    for label in labels.iter().map(String::as_str).chain(known) {
        assert!(issuer.takes(&refresh_token(&setup, label)), "{label}");
        ask(&one, label).status(200);
        ask(&other, label).status(200);
    }

    // Over again at once, for as long as requests come: each refresh is one that the issuer has not seen before.
    issuer.lifetime(5);
    for label in known {
        setup.log_in("openai-codex", label, &over(&issuer, &format!("acc-{label}")));
    }
    let (issuer, many) = (&issuer, 12);
    std::thread::scope(|scope| {
        for gateway in [&one, &other] {
            for label in known {
                scope.spawn(move || {
                    let refreshed = || issuer.refreshes(&format!("acc-{label}"));
                    let asking = || {
                        ask(gateway, label).status(200);
                        refreshed() > many
                    };
                    assert!(eventually(asking), "{label} was refreshed {} times", refreshed());
                });
            }
        }
    });
    for label in known {
        // The gateways may be at it still, in the background.
        assert!(eventually(|| issuer.takes(&refresh_token(&setup, label))), "{label}");
    }
    assert_eq!(issuer.reuses(), 0);
}

/// A home on a small disk with an account that is over, `work`, and one that is not. Its cache is elsewhere.
fn on(disk: &Disk, cache: &TempDir, issuer: &Issuer, api: &Upstream) -> Arc<Setup> {
    let setup = home(Gateway::start_on(disk), issuer, api);
    std::os::unix::fs::symlink(cache.path(), setup.home().join("cache")).unwrap();
    let setup = setup.logged_in("openai-codex", "default", &Login::of("acc-other"));
    let setup = setup.logged_in("openai-codex", "work", &over(issuer, "acc-1"));
    // The component is compiled, and every file is there that is made once.
    setup.command(&["accounts"]).ok();
    Arc::new(setup)
}

/// Checks that all that changes the store says so, that nothing else is hindered, and that nothing is lost.
fn everything_is_said(setup: &Arc<Setup>, issuer: &Issuer, gateway: &Gateway, next_step: &str) {
    let file = setup.token_file();
    let before = fs::read_to_string(&file).unwrap();
    let place = format!("{}: cannot be written", file.display());
    ask(gateway, "work").says("openai-codex@work: the account could not be refreshed").says(&place).says(next_step);
    gateway.logs(&place).logs(next_step);
    ask(gateway, "default").status(200);
    for command in [
        &["login", "openai-codex", "--device", "--label", "new"][..],
        &["logout", "openai-codex", "--label", "work"],
        &["logout", "openai-codex", "--label", "default"],
    ] {
        setup.command(command).fails().says(&place).says(next_step);
    }
    setup.command(&["accounts"]).ok().says("work");
    setup.command(&["route", "openai-codex@work:gpt-5.5"]).ok();
    assert_eq!(fs::read_to_string(&file).unwrap(), before);
    assert!(issuer.requests().is_empty(), "nobody is asked for what cannot be kept: {:?}", issuer.requests());
}

/// And that it all goes on once that is over, without a restart.
fn it_goes_on(setup: &Arc<Setup>, issuer: &Issuer, gateway: &Gateway) {
    ask(gateway, "work").status(200);
    assert_eq!((issuer.refreshes("acc-1"), issuer.reuses()), (1, 0));
    assert!(issuer.takes(&refresh_token(setup, "work")));
    setup.command(&["login", "openai-codex", "--device", "--label", "new"]).ok();
    ask(gateway, "new").status(200);
}

#[test]
fn a_full_disk_is_said_and_nothing_is_lost() {
    let Some(disk) = Disk::of(4) else { return };
    let cache = tempfile::tempdir().unwrap();
    let (issuer, api) = (Issuer::start(Reuse::Strict), api());
    let setup = on(&disk, &cache, &issuer, &api);
    disk.fill();
    let gateway = Gateway::in_home(&setup);
    everything_is_said(&setup, &issuer, &gateway, "No space left on device");
    everything_is_said(&setup, &issuer, &gateway, "Make room on the disk, and try again");
    disk.clear();
    it_goes_on(&setup, &issuer, &gateway);
}

#[test]
fn a_disk_that_fills_up_while_the_issuer_is_asked_loses_nothing() {
    let Some(disk) = Disk::of(4) else { return };
    let cache = tempfile::tempdir().unwrap();
    let disk = Arc::new(disk);
    let (issuer, api) = (Issuer::start(Reuse::Strict), api());
    let setup = on(&disk, &cache, &issuer, &api);
    let filling = Arc::clone(&disk);
    issuer.meanwhile(move || filling.fill());
    let gateway = Gateway::in_home(&setup);
    // The room was set aside before.
    ask(&gateway, "work").status(200);
    assert!(issuer.takes(&refresh_token(&setup, "work")), "{}", gateway.log());
    assert_eq!(account(&setup, "work").get("refreshing"), None);
}

#[test]
fn a_folder_that_is_read_only_is_said_and_nothing_is_lost() {
    let Some(disk) = Disk::of(4) else { return };
    let cache = tempfile::tempdir().unwrap();
    let (issuer, api) = (Issuer::start(Reuse::Strict), api());
    let setup = on(&disk, &cache, &issuer, &api);
    disk.read_only(true);
    let gateway = Gateway::in_home(&setup);
    let next_step = "Set BITROUTER_HOME or XDG_DATA_HOME to a folder that can be written to";
    everything_is_said(&setup, &issuer, &gateway, next_step);
    disk.read_only(false);
    it_goes_on(&setup, &issuer, &gateway);
}

#[test]
fn a_broken_store_is_named_before_anybody_logs_in_and_is_left_as_it_is() {
    let (issuer, api) = (Issuer::start(Reuse::Strict), api());
    let setup = home(Gateway::start(), &issuer, &api);
    fs::write(setup.token_file(), "{ \"version\": 1, canary").unwrap();
    let place = setup.token_file().display().to_string();
    for command in [&["login", "openai-codex", "--device"][..], &["logout", "openai-codex"], &["accounts"]] {
        let ran = setup.command(command).fails().says(&place).says("line 1").says("move it away");
        assert!(!format!("{ran:?}").contains("canary"));
    }
    assert_eq!(fs::read_to_string(setup.token_file()).unwrap(), "{ \"version\": 1, canary");
    assert!(issuer.requests().is_empty());
    let setup = Arc::new(setup);
    let gateway = Gateway::in_home(&setup);
    ask(&gateway, "work").says("move it away");
    fs::remove_file(setup.token_file()).unwrap();
    setup.command(&["login", "openai-codex", "--device", "--label", "work"]).ok();
    ask(&gateway, "work").status(200);
}

#[test]
fn what_cannot_be_stored_after_all_is_stored_as_soon_as_it_can_be() {
    let (issuer, api) = (Issuer::start(Reuse::Strict), api());
    let setup = home(Gateway::start(), &issuer, &api);
    let setup = Arc::new(setup.logged_in("openai-codex", "work", &over(&issuer, "acc-1")));
    let lock = setup.token_file().with_extension("lock");
    let in_the_way = lock.clone();
    issuer.meanwhile(move || {
        fs::remove_file(&in_the_way).unwrap();
        fs::create_dir(&in_the_way).unwrap();
    });
    let gateway = Gateway::in_home(&setup);
    ask(&gateway, "work").says("cannot be written");
    assert!(issuer.has_used(&refresh_token(&setup, "work")));
    fs::remove_dir(&lock).unwrap();
    ask(&gateway, "work").status(200);
    assert!(issuer.takes(&refresh_token(&setup, "work")));
    assert_eq!((issuer.refreshes("acc-1"), issuer.reuses()), (1, 0));
}

/// What 500 requests take, the p99 and the slowest, after the token file has changed and what it holds was `asked` for.
#[cfg(target_os = "linux")]
fn p99_and_slowest(setup: Setup, entry: Value, asked: impl Fn() -> bool) -> (Duration, Duration) {
    let gateway = setup.run();
    let ask_in_time = || {
        let begun = Instant::now();
        assert_eq!(ask(&gateway, "default").code, 200, "{}", gateway.log());
        begun.elapsed()
    };
    for _ in 0..50 {
        ask_in_time();
    }
    let (file, mut tokens) = (gateway.setup().token_file(), gateway.tokens());
    tokens["credentials"].as_array_mut().unwrap().push(entry);
    let new = file.with_extension("new");
    fs::write(&new, tokens.to_string()).unwrap();
    fs::rename(new, file).unwrap();
    assert!(eventually(asked));
    let mut times: Vec<Duration> = (0..500).map(|_| ask_in_time()).collect();
    times.sort_unstable();
    (times[times.len() * 99 / 100], times[times.len() - 1])
}

#[cfg(target_os = "linux")]
#[test]
fn requests_wait_for_a_keyring_that_hangs_as_little_as_for_a_file() {
    let api = api();
    // A bus that takes whoever comes and never says a word.
    let folder = TempDir::new().unwrap();
    let bus = UnixListener::bind(folder.path().join("bus")).unwrap();
    bus.set_nonblocking(true).unwrap();
    let address = format!("unix:path={}", folder.path().join("bus").display());
    let issuer = Issuer::start(Reuse::Strict);
    let setup = |store: &str| {
        let setup = home(Gateway::start(), &issuer, &api).with("/credentials", json!({ "store": store }));
        let setup = setup.with_key("DBUS_SESSION_BUS_ADDRESS", &address);
        setup.logged_in("openai-codex", "default", &Login::of("acc-default"))
    };
    let entry = |secret: Value| {
        let origins = json!({ "api": api.origin() });
        json!({ "provider": "openai-codex", "label": "work", "kind": "oauth", "origins": origins, "secret": secret })
    };
    let (file, _) = p99_and_slowest(setup("file"), entry(json!({ "access_token": "canary" })), || true);
    let name =
        json!({ "in": "keyring", "name": "0/openai-codex@work", "revision": 1, "pieces": { "access_token": 1 } });
    let held = std::cell::RefCell::new(Vec::new());
    let (keyring, slowest) = p99_and_slowest(setup("keyring"), entry(name), || {
        bus.accept().map(|socket| held.borrow_mut().push(socket)).is_ok()
    });
    println!("p99 of requests: {file:?} with the file, {keyring:?} with a keyring that hangs, the slowest {slowest:?}");
    // A keyring is waited for 5 s, off their way.
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
}
