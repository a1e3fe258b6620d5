//! Secrets in the system's keyring, with the real binary and GNOME's Secret Service on a bus of the test's own.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use bitrouter_tests::{ChatGpt, Gateway, Login, Setup, Turn, eventually};
use serde_json::json;

const MODEL: &str = "openai-codex:gpt-5.5";

/// A bus that starts no service by itself: it would start a keyring that is locked.
const BUS: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:tmpdir=/tmp</listen>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"#;

/// A session bus with an unlocked keyring. Both end when it is dropped.
struct Desktop {
    bus: Child,
    address: String,
    home: tempfile::TempDir,
    service: Option<Child>,
}

impl Desktop {
    fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        let config = home.path().join("bus.conf");
        fs::write(&config, BUS).unwrap();
        let mut bus = Command::new("dbus-daemon")
            .args(["--nofork", "--print-address", "--config-file"])
            .arg(&config)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("dbus-daemon is installed");
        let mut address = String::new();
        BufReader::new(bus.stdout.take().unwrap()).read_line(&mut address).unwrap();
        let mut desktop = Desktop { bus, address: address.trim().to_owned(), home, service: None };
        desktop.unlock();
        desktop
    }

    fn unlock(&mut self) {
        let service = std::env::var_os("BITROUTER_E2E_KEYRING").unwrap_or_else(|| "gnome-keyring-daemon".into());
        let mut service = self.with(Command::new(service));
        service.args(["--foreground", "--unlock", "--components=secrets"]);
        service.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut service = service.spawn().expect("gnome-keyring-daemon is installed");
        service.stdin.take().unwrap().write_all(b"password").unwrap();
        self.service = Some(service);
        // It is there before it is unlocked.
        assert!(eventually(|| self.takes_secrets()));
    }

    fn takes_secrets(&self) -> bool {
        let mut store = self.with(Command::new("secret-tool"));
        store.args(["store", "--label=probe", "probe", "1"]).stdin(Stdio::piped()).stderr(Stdio::null());
        let mut store = store.spawn().expect("secret-tool is installed");
        store.stdin.take().unwrap().write_all(b"probe").unwrap();
        store.wait().unwrap().success()
    }

    /// Takes the service away, as the end of a desktop's session does.
    fn log_out(&mut self) {
        let mut service = self.service.take().unwrap();
        assert!(Command::new("kill").arg(service.id().to_string()).status().unwrap().success());
        service.wait().unwrap();
    }

    fn with(&self, mut command: Command) -> Command {
        command.env("DBUS_SESSION_BUS_ADDRESS", &self.address).env("HOME", self.home.path());
        for folder in ["XDG_DATA_HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"] {
            command.env(folder, self.home.path());
        }
        command
    }

    /// What the keyring holds of ours, as another program reads it.
    fn held(&self) -> String {
        let found = self.with(Command::new("secret-tool")).args(["search", "--all", "service", "bitrouter"]).output();
        let found = found.unwrap();
        String::from_utf8_lossy(&found.stdout).into_owned() + &String::from_utf8_lossy(&found.stderr)
    }
}

impl Drop for Desktop {
    fn drop(&mut self) {
        for child in self.service.iter_mut().chain([&mut self.bus]) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn on(desktop: &Desktop, chatgpt: &ChatGpt) -> Setup {
    let setup = Gateway::start().with_chatgpt(chatgpt).with("/credentials", json!({ "store": "keyring" }));
    setup.with_key("DBUS_SESSION_BUS_ADDRESS", &desktop.address)
}

fn asks(gateway: &Gateway) -> u16 {
    let body = json!({ "model": MODEL, "input": [{ "role": "user", "content": "hello" }], "stream": true });
    gateway.post("/v1/responses").json(&body).send().code
}

#[test]
#[ignore = "needs GNOME's keyring: cargo xtask e2e"]
fn a_login_moves_to_the_keyring_at_its_refresh_and_is_used_from_there() {
    let mut desktop = Desktop::start();
    let renewed = Login::of("acc-e2e");
    let chatgpt = ChatGpt::knowing(Login::expired("acc-e2e")).wants_a_refresh(&renewed).then_always(Turn::says("hi"));
    let gateway = on(&desktop, &chatgpt).run();
    assert_eq!(asks(&gateway), 200, "{}", gateway.log());
    let file = gateway.tokens().to_string();
    assert!(!file.contains("eyJ") && !file.contains("canary") && file.contains("somebody@example.com"), "{file}");
    assert!(desktop.held().contains(&renewed.refresh_token), "{}", desktop.held());
    gateway.command(&["accounts"]).ok().says("somebody@example.com").says("ok");

    // A desktop's session ends and another begins: what was read serves on, and what comes then is read again.
    desktop.log_out();
    assert_eq!(asks(&gateway), 200);
    gateway.command(&["accounts"]).ok().says("unusable").says("Unlock or start it");
    gateway.command(&["login", "openai", "--api-key-stdin"]).fails().says("credentials.store: file");
    desktop.unlock();
    gateway.command(&["accounts"]).ok().says("ok");

    gateway.command(&["logout", "openai-codex"]).ok();
    assert!(!desktop.held().contains("secret ="), "{}", desktop.held());
}
