//! `bitrouter login`: every way of logging in, with the real binary, an issuer on loopback, and a browser that is the
//! test itself.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};

use bitrouter_tests::{Answer, Gateway, Issuer, KEY, Ran, Request, Reuse, Running, Setup};
use serde_json::{Value, json};

const LOGIN: &[&str] = &["login", "openai-codex", "--browser", "--no-open"];

pub(crate) fn start() -> (Issuer, Setup, SocketAddr) {
    let issuer = Issuer::start(Reuse::Strict);
    let (setup, callback) = Gateway::start().with_issuer(&issuer);
    (issuer, setup, callback)
}

/// What a browser does at the issuer's page: answers the address that it is sent back to.
fn agree(running: &Running) -> String {
    let page = running.line("http://127.0.0.1");
    let (host, path) = page.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let answer = Request::new(host.parse().unwrap(), "GET", &format!("/{path}")).send();
    assert_eq!(answer.code, 302, "{}", answer.text());
    answer.header("location").unwrap().to_owned()
}

/// Goes where the issuer sent the browser.
fn visit(address: &str) -> Answer {
    let (host, path) = address.strip_prefix("http://").unwrap().split_once('/').unwrap();
    Request::new(host.parse().unwrap(), "GET", &format!("/{path}")).send()
}

/// Logs an account in through the browser.
pub(crate) fn log_in(setup: &Setup, issuer: &Issuer, account: &str, label: &str) -> Ran {
    issuer.account(account);
    let running = setup.begin(&[LOGIN, &["--label", label]].concat());
    assert_eq!(visit(&agree(&running)).code, 200);
    running.ends().ok()
}

/// Nothing that is secret is in what a command says. The state is not: it is in the address that is shown.
fn says_no_secret(text: &str, setup: &Setup) {
    for secret in ["canary", "eyJ", KEY] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    for entry in setup.tokens() {
        for (name, secret) in entry["secret"].as_object().unwrap() {
            assert!(!text.contains(secret.as_str().unwrap()), "{name}: {text}");
        }
    }
}

#[test]
fn a_browser_logs_in_whatever_else_it_asks_for() {
    let (issuer, setup, callback) = start();
    let running = setup.begin(LOGIN);
    let address = agree(&running);
    assert!(address.starts_with(&format!("http://127.0.0.1:{}/auth/callback?code=", callback.port())), "{address}");

    // A connection that is never used, an icon, another login's address, and nothing at all.
    let _preconnect = TcpStream::connect(callback).unwrap();
    assert_eq!(visit(&format!("http://{callback}/favicon.ico")).code, 404);
    let wrong = visit(&format!("http://{callback}/auth/callback?code=ac_other&state=other"));
    assert_eq!(wrong.code, 400);
    assert!(wrong.text().contains("State mismatch"), "{}", wrong.text());
    assert_eq!(visit(&format!("http://{callback}/auth/callback")).code, 400);
    assert_eq!(Request::new(callback, "POST", "/auth/callback").send().code, 405);

    // The real one in pieces, and a second time while the first is under way.
    let (_, path) = address.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let request = format!("GET /{path} HTTP/1.1\r\nhost: {callback}\r\n\r\n");
    let mut socket = TcpStream::connect(callback).unwrap();
    socket.set_nodelay(true).unwrap();
    let again = std::thread::spawn({
        let address = address.clone();
        move || TcpStream::connect(callback).is_ok().then(|| visit_or_gone(&address))
    });
    for piece in request.as_bytes().chunks(40) {
        socket.write_all(piece).unwrap();
    }
    let mut page = String::new();
    socket.read_to_string(&mut page).unwrap();
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("close this tab"), "{page}");
    again.join().unwrap();

    let ran = running.ends().ok().says("openai-codex@default is logged in: me@example.com, plan plus, account acc-e2e");
    let ran = ran.says("bitrouter route openai-codex:").says("OPENAI_BASE_URL=http://127.0.0.1:4356/v1");
    says_no_secret(&(ran.stdout + &ran.stderr.replace(&address, "")), &setup);
    let [entry] = &setup.tokens()[..] else { panic!("one login") };
    assert_eq!(
        (&entry["kind"], &entry["from"], &entry["label"]),
        (&json!("oauth"), &json!("browser"), &json!("default"))
    );
    assert_eq!(entry["origins"]["auth"], json!(issuer.origin()));
    assert_eq!(entry["claims"]["account_id"], "acc-e2e");
    assert!(issuer.takes(entry["secret"]["refresh_token"].as_str().unwrap()));
    let exchanges = issuer.requests().into_iter().filter(|seen| seen.path == "/oauth/token").count();
    assert_eq!(exchanges, 1, "a repeated callback is not exchanged again");
    assert!(TcpStream::connect(callback).is_err(), "the port is free again");
}

/// A request that may come after the end.
fn visit_or_gone(address: &str) {
    let (host, path) = address.strip_prefix("http://").unwrap().split_once('/').unwrap();
    if let Ok(mut socket) = TcpStream::connect(host) {
        let _ = socket.write_all(format!("GET /{path} HTTP/1.1\r\nhost: {host}\r\n\r\n").as_bytes());
        let _ = socket.read_to_string(&mut String::new());
    }
}

#[test]
fn the_issuers_page_is_asked_for_as_the_vendors_program_does() {
    let (_issuer, setup, callback) = start();
    let running = setup.begin(LOGIN);
    let page = running.line("http://127.0.0.1");
    let redirect = format!("redirect_uri=http%3A%2F%2F127.0.0.1%3A{}%2Fauth%2Fcallback", callback.port());
    for part in [
        "/oauth/authorize?response_type=code&client_id=app_EMoamEEZ73f0CkXaXp7hrann&",
        &redirect,
        "&code_challenge_method=S256&",
        "&scope=openid%20profile%20email%20offline_access%20api.connectors.read%20api.connectors.invoke",
        "&id_token_add_organizations=true",
        "&codex_cli_simplified_flow=true",
        "&originator=codex_cli_rs",
    ] {
        assert!(page.contains(part), "{part} is not in {page}");
    }
    running.says("From your config").says("origins.auth").says("auth.login");
}

#[test]
fn a_code_is_exchanged_with_the_proof_and_the_redirect_of_its_request() {
    let (issuer, setup, _) = start();
    let running = setup.begin(LOGIN);
    let page = running.line("http://127.0.0.1");
    visit(&agree(&running));
    running.ends().ok();
    let asked = |name: &str| value_of(&page, name);
    assert_eq!((asked("state").len(), asked("code_challenge").len()), (43, 43), "{page}");
    let requests = issuer.requests();
    let exchange = requests.iter().find(|seen| seen.path == "/oauth/token").unwrap().text();
    let sent = |name: &str| value_of(&exchange, name);
    assert_eq!(sent("grant_type"), "authorization_code");
    assert_eq!(sent("client_id"), asked("client_id"));
    assert_eq!(sent("redirect_uri"), asked("redirect_uri"));
    assert_eq!(sent("code_verifier").len(), 86, "{exchange}");
}

/// A value of a query or a form, as it is written there.
fn value_of(pairs: &str, name: &str) -> String {
    let mut pairs = pairs.split(['?', '&']).filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name).unwrap_or_else(|| panic!("no {name}")).1.to_owned()
}

#[test]
fn the_address_can_be_pasted() {
    for form in ["address", "code#state"] {
        let (_issuer, setup, _) = start();
        let mut running = setup.begin(LOGIN);
        let address = agree(&running);
        running.types("what?").says("holds no code");
        running.types("sk-proj-0123456789abcdef").says("holds no code");
        running.types("http://127.0.0.1/x?code=ac_other&state=other").says("another login");
        running.types("ac_0123456789").says("that code is not taken: 127.0.0.1 answered 400");
        let value = |name: &str| address.split(['?', '&']).find_map(|pair| pair.strip_prefix(name)).unwrap().to_owned();
        let pasted = match form {
            "address" => address.clone(),
            _ => format!("{}#{}", value("code="), value("state=")),
        };
        running.types(&pasted);
        running.ends().ok().says("is logged in");
    }
}

#[test]
fn a_closed_standard_input_ends_no_login() {
    let (_issuer, setup, _) = start();
    let mut running = setup.begin(LOGIN);
    let address = agree(&running);
    running.types_no_more();
    visit(&address);
    running.ends().ok();
}

#[test]
fn a_refusal_is_shown_in_the_browser_and_on_the_terminal() {
    let (issuer, setup, _) = start();
    issuer.denies("access_denied", "<b>no plan</b>");
    let running = setup.begin(LOGIN);
    let page = visit(&agree(&running));
    assert!(page.text().contains("&lt;b&gt;no plan&lt;/b&gt;") && !page.text().contains("<b>"), "{}", page.text());
    running.ends().fails().says("openai-codex: the login was refused: access_denied (<b>no plan</b>)");
    assert!(setup.tokens().is_empty());
}

#[test]
fn an_exchange_that_fails_is_said_without_what_was_sent() {
    for (status, reply, code) in [
        (400, json!({ "error": "invalid_grant", "error_description": "canary" }), "invalid_grant"),
        (
            403,
            json!({ "error": { "code": "token_exchange_user_error", "message": "canary" } }),
            "token_exchange_user_error",
        ),
        (200, json!({ "error": { "code": "token_exchange_user_error" }, "x": "canary" }), "token_exchange_user_error"),
        (200, json!({ "id_token": "canary" }), "without `access_token`"),
        (200, json!(["canary"]), "something else than tokens"),
    ] {
        let (issuer, setup, _) = start();
        let running = setup.begin(LOGIN);
        let address = agree(&running);
        issuer.instead(bitrouter_tests::Reply::json(&reply).status(status));
        assert!(visit(&address).text().contains("The login failed"));
        let ran = running.ends().fails().says(code);
        says_no_secret(&(ran.stdout + &ran.stderr), &setup);
        assert!(setup.tokens().is_empty());
    }
}

#[test]
fn a_login_that_waits_gives_its_port_up_to_the_next() {
    let (_issuer, setup, callback) = start();
    let first = setup.begin(LOGIN);
    agree(&first);
    // A web page cannot do the same.
    let page = Request::new(callback, "GET", "/cancel").header("sec-fetch-site", "cross-site").send();
    assert_eq!(page.code, 403);
    // Nor one at a name that leads here, to which browsers send no such header.
    for (name, value) in [("host", "evil.example"), ("origin", "http://evil.example"), ("accept-language", "en")] {
        assert_eq!(Request::new(callback, "GET", "/cancel").header(name, value).send().code, 403, "{name}");
    }
    let second = setup.begin(LOGIN);
    first.ends().fails().says("another program asked for port");
    second.says("asked to give it up");
    visit(&agree(&second));
    second.ends().ok();
}

#[test]
fn a_busy_port_is_named_with_the_other_ways() {
    let (_issuer, setup, callback) = start();
    let _holder = TcpListener::bind(callback).unwrap();
    let ran = setup.command(LOGIN).fails();
    ran.says(&format!("port {} is in use", callback.port())).says("--device, --import");
}

#[test]
fn the_next_port_is_taken_where_the_first_is_busy() {
    let (_issuer, setup, callback) = start();
    let other = bitrouter_tests::free_port();
    let _holder = TcpListener::bind(callback).unwrap();
    let setup = setup.with_ports(&[callback, other]);
    let running = setup.begin(LOGIN);
    let address = agree(&running);
    assert!(address.contains(&format!(":{}/", other.port())), "{address}");
    visit(&address);
    running.ends().ok();
}

#[test]
fn an_interrupted_login_leaves_nothing_behind() {
    let (_issuer, setup, callback) = start();
    let running = setup.begin(LOGIN);
    agree(&running);
    running.interrupt();
    running.ends().fails().says("cancelled");
    assert!(!setup.token_file().exists());
    assert!(TcpStream::connect(callback).is_err());
}

#[test]
fn a_browser_is_opened_and_the_address_shown_too() {
    let (_issuer, setup, _) = start();
    let seen = setup.home().join("opened");
    let browser = setup.home().join("browser.sh");
    let keys = setup.home().join("keys");
    let script = format!("#!/bin/sh\nenv | grep -c sk-canary > {}\necho \"$1\" > {}\n", keys.display(), seen.display());
    fs::write(&browser, script).unwrap();
    assert!(Command::new("chmod").arg("755").arg(&browser).status().unwrap().success());
    let setup = setup.with_key("BROWSER", browser.to_str().unwrap()).with_key("OPENAI_API_KEY", "sk-canary-1234567");
    let running = setup.begin(&["login", "openai-codex", "--browser"]);
    let page = running.line("http://127.0.0.1");
    assert!(bitrouter_tests::eventually(|| fs::read_to_string(&seen).is_ok_and(|opened| opened.trim() == page)));
    assert_eq!(fs::read_to_string(keys).unwrap().trim(), "0", "a browser gets no keys");
    visit(&agree(&running));
    running.ends().ok();
}

#[test]
fn a_device_logs_in_with_a_code() {
    let (issuer, setup, _) = start();
    issuer.device_waits(1, 404);
    let running = setup.begin(&["login", "openai-codex", "--device"]);
    running.says("E2E7-CODE").says(&format!("{}/codex/device", issuer.origin()));
    let ran = running.ends().ok().says("openai-codex@default is logged in: me@example.com");
    says_no_secret(&(ran.stdout + &ran.stderr), &setup);
    assert_eq!(setup.tokens()[0]["from"], "device");
    let polls = issuer.requests().into_iter().filter(|seen| seen.path == "/api/accounts/deviceauth/token").count();
    assert_eq!(polls, 2);
}

#[test]
fn an_account_without_device_logins_is_told_so() {
    let (issuer, setup, _) = start();
    issuer.instead(bitrouter_tests::Reply::json(&json!({})).status(404));
    setup.command(&["login", "openai-codex", "--device"]).fails().says("not enabled for this account");
}

/// The file of the vendor's CLI, with a session of this issuer's.
fn vendor_session(issuer: &Issuer, setup: &Setup) -> (Value, std::path::PathBuf) {
    let tokens = issuer.login("acc-vendor");
    let folder = setup.home().join(".codex");
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("auth.json");
    let mut held = tokens.clone();
    held["account_id"] = json!("acc-vendor");
    let auth = json!({
        "auth_mode": "chatgpt", "OPENAI_API_KEY": null, "tokens": held, "last_refresh": "2026-01-31T09:00:00.123456789Z",
    });
    fs::write(&file, auth.to_string()).unwrap();
    (tokens, file)
}

#[test]
fn an_imported_session_is_shared_and_says_what_that_means() {
    let (issuer, setup, _) = start();
    let (tokens, file) = vendor_session(&issuer, &setup);
    let before = fs::read(&file).unwrap();
    let ran = setup.command(&["login", "openai-codex", "--import"]).ok();
    let ran = ran.says("is shared with codex-cli").says("only forgets it").says("account acc-vendor");
    says_no_secret(&(ran.stdout + &ran.stderr), &setup);
    let entry = &setup.tokens()[0];
    assert_eq!(entry["follows"], json!({ "source": "codex-cli", "file": file.to_str().unwrap() }));
    assert_eq!((&entry["from"], &entry["refreshed_at"]), (&json!("import"), &json!("2026-01-31T09:00:00Z")));
    assert_eq!(entry["secret"]["refresh_token"], tokens["refresh_token"]);
    assert_eq!(fs::read(&file).unwrap(), before);
    assert!(issuer.requests().is_empty(), "an import asks nobody");
}

#[test]
fn an_imported_session_that_cannot_be_renewed_says_so_and_when_it_ends() {
    let (issuer, setup, _) = start();
    let (_, file) = vendor_session(&issuer, &setup);
    let mut auth: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    auth["tokens"].as_object_mut().unwrap().remove("refresh_token");
    fs::write(&file, auth.to_string()).unwrap();
    setup.command(&["login", "openai-codex", "--import"]).ok().says("has no refresh token").says("It ends at");
    setup.command(&["accounts"]).ok().says("not renewed:\n  openai-codex@default has no refresh token");
}

/// A file that `docker run -v …/auth.json:…/auth.json` mounts can be written, and nothing can take its place.
#[cfg(target_os = "linux")]
#[test]
fn a_shared_file_that_is_mounted_by_itself_is_renewed_in_place() {
    let (issuer, setup, _) = start();
    // Near its end from the beginning.
    issuer.lifetime(300);
    let (tokens, file) = vendor_session(&issuer, &setup);
    let elsewhere = setup.home().join("elsewhere.json");
    fs::copy(&file, &elsewhere).unwrap();
    let Some(mount) = Mount::bind(&elsewhere, &file) else {
        // Not `eprintln`, which the test runner keeps to itself.
        let _ = writeln!(std::io::stderr(), "SKIPPED: to mount a file takes root");
        return;
    };
    setup.command(&["login", "openai-codex", "--import"]).ok();
    let gateway = setup.run();
    // It ends before the folder that it is in.
    let _mount = mount;
    gateway.logs("refreshed");
    let held: Value = serde_json::from_slice(&fs::read(&elsewhere).unwrap()).unwrap();
    let held = &held["tokens"]["refresh_token"];
    assert_ne!(*held, tokens["refresh_token"]);
    assert!(issuer.takes(held.as_str().unwrap()));
    assert!(!gateway.log().contains("may have to log in again"));
}

/// A bind mount that ends with the test.
struct Mount(std::path::PathBuf);

impl Mount {
    fn bind(from: &std::path::Path, onto: &std::path::Path) -> Option<Self> {
        let done = Command::new("mount").arg("--bind").args([from, onto]).stderr(Stdio::null()).status();
        done.is_ok_and(|status| status.success()).then(|| Mount(onto.to_owned()))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_copied_session_follows_nothing_and_is_warned_of() {
    let (issuer, setup, _) = start();
    vendor_session(&issuer, &setup);
    setup.command(&["login", "openai-codex", "--import", "--copy"]).ok().says("CAUTION");
    assert!(setup.tokens()[0].get("follows").is_none());
}

#[test]
fn where_there_is_no_session_the_file_is_named() {
    let (_issuer, setup, _) = start();
    setup.command(&["login", "openai-codex", "--import"]).fails().says(".codex/auth.json").says("another way");
    let folder = setup.home().join("elsewhere");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("auth.json"), json!({ "OPENAI_API_KEY": KEY }).to_string()).unwrap();
    let setup = setup.with_key("CODEX_HOME", folder.to_str().unwrap());
    let ran = setup.command(&["login", "openai-codex", "--import"]).fails().says("elsewhere/auth.json");
    says_no_secret(&(ran.stdout + &ran.stderr), &setup);
}

#[test]
fn a_session_goes_to_its_vendor_alone() {
    let (issuer, setup, _) = start();
    vendor_session(&issuer, &setup);
    let setup = setup.with("/providers/openai-codex/origins/api", json!("https://elsewhere.example/codex"));
    setup
        .command(&["login", "openai-codex", "--import"])
        .fails()
        .says("stays with its vendor")
        .says("elsewhere.example");
    assert!(setup.tokens().is_empty());
}

/// Runs a command with this on its standard input.
fn piped(setup: &Setup, arguments: &[&str], input: &str) -> Ran {
    let mut running = setup.begin(arguments);
    running.types(input).types_no_more();
    running.ends()
}

#[test]
fn an_api_key_comes_by_standard_input() {
    let setup = Gateway::start();
    let store = |key: &str, label: &str| piped(&setup, &["login", "openai", "--api-key-stdin", "--label", label], key);
    let ran = store(KEY, "default").ok().says("openai@default is logged in: API key");
    says_no_secret(&(ran.stdout + &ran.stderr), &setup);
    assert_eq!(setup.tokens()[0]["secret"]["key"], KEY);
    // The same key again is no question, another one is.
    store(KEY, "default").ok();
    store("sk-another-key", "default").fails().says("--label");
    store("sk-another-key", "second").ok();
    assert_eq!(setup.tokens().len(), 2);
    store("sk with spaces\nand lines", "third").fails().says("the key");
    store("", "third").fails().says("no key");
    setup.command(&["route", "openai:gpt-4o"]).ok().says("default");
}

#[test]
fn two_workspaces_of_one_person_are_two_accounts() {
    let (issuer, setup, _) = start();
    log_in(&setup, &issuer, "acc-1", "default");
    log_in(&setup, &issuer, "acc-2", "work").says("openai-codex@work is logged in").says("openai-codex@work:");
    let accounts: Vec<Value> = setup.tokens().iter().map(|entry| entry["claims"]["account_id"].clone()).collect();
    assert_eq!(accounts, ["acc-1", "acc-2"]);
    setup.command(&["route", "openai-codex@work:gpt-5-codex"]).ok().says("work");
}

#[test]
fn a_label_of_another_account_is_not_taken_and_the_new_login_is_given_back() {
    let (issuer, setup, _) = start();
    log_in(&setup, &issuer, "acc-1", "default");
    let kept = setup.tokens();
    issuer.account("acc-2");
    let running = setup.begin(LOGIN);
    visit(&agree(&running));
    running.ends().fails().says("openai-codex@default is another account, me@example.com, plan plus, account acc-1");
    assert_eq!(setup.tokens(), kept);
    let revoked = issuer.requests().into_iter().filter(|seen| seen.path == "/oauth/revoke").count();
    assert_eq!(revoked, 1);
    assert!(issuer.takes(kept[0]["secret"]["refresh_token"].as_str().unwrap()));
}

#[test]
fn the_same_account_again_replaces_its_login_and_the_old_one_is_revoked() {
    let (issuer, setup, _) = start();
    log_in(&setup, &issuer, "acc-1", "default");
    let old = setup.tokens()[0]["secret"]["refresh_token"].as_str().unwrap().to_owned();
    log_in(&setup, &issuer, "acc-1", "default");
    let [entry] = &setup.tokens()[..] else { panic!("one login") };
    assert!(!issuer.takes(&old) && issuer.takes(entry["secret"]["refresh_token"].as_str().unwrap()));
    log_in(&setup, &issuer, "acc-1", "again").says("note: the same account is stored as openai-codex@default too");
}

#[test]
fn a_script_is_told_which_flags_there_are() {
    let (_issuer, setup, _) = start();
    setup.command(&["login", "openai-codex"]).fails().says("--browser, --device, --import");
    setup.command(&["login", "openai"]).fails().says("--api-key-stdin");
    setup.command(&["login", "openai", "--browser"]).fails().says("openai has no --browser");
    setup.command(&["login", "opnai", "--browser"]).fails().says("did you mean `openai`?");
    setup.command(&["login", "openai-codex", "--label", "a b"]).fails().says("a label is");
    setup.command(&["login", "openai-codex", "--browser", "--device"]).fails();
}

#[test]
fn a_config_from_somebody_else_may_not_change_a_login() {
    let text = "providers:\n  openai-codex:\n    auth:\n      client_id: theirs\n";
    let setup = Gateway::start().without_config().with_file("bitrouter.yaml", text);
    setup.command(LOGIN).fails().says("say how accounts log in").says("config trust");
}

/// With Chromium as people have it: `cargo xtask e2e` installs it.
#[test]
#[ignore = "needs Chromium: cargo xtask e2e"]
fn chromium_logs_in() {
    let (issuer, setup, _) = start();
    let running = setup.begin(LOGIN);
    let page = running.line("http://127.0.0.1");
    let profile = setup.home().join("chromium");
    let mut chromium = Command::new(std::env::var_os("BITROUTER_E2E_CHROMIUM").unwrap_or_else(|| "chromium".into()));
    chromium.args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]);
    // Only this machine is there.
    chromium.args(["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--no-proxy-server", "--dump-dom"]);
    chromium.arg(format!("--user-data-dir={}", profile.display())).arg(&page);
    let shown = chromium.stdin(Stdio::null()).stderr(Stdio::null()).output().expect("chromium is installed");
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("You are logged in"), "{shown}");
    running.ends().ok().says("account acc-e2e");
    assert!(issuer.takes(setup.tokens()[0]["secret"]["refresh_token"].as_str().unwrap()));
}
