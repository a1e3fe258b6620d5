//! Every way in which an upstream's answer may end, in each dialect and each framing, read by the official clients: they
//! raise exactly where the answer is not whole. `cargo xtask e2e` gets the packages and runs this.

mod case;
mod upstream;

use std::collections::HashMap;
use std::process::Command;

use bitrouter_tests::Gateway;
use serde_json::{Value, json};

use self::case::{Case, Transport};
use self::upstream::Upstream;

/// How long a stream may be silent here: long enough for a slow machine, and short enough to be waited for.
const IDLE_MS: u64 = 3_000;

#[test]
#[ignore = "needs Python packages: cargo xtask e2e"]
fn official_clients_raise_exactly_where_an_answer_is_not_whole() {
    let python = std::env::var_os("BITROUTER_E2E_PYTHON").expect("which Python is not said. Run: cargo xtask e2e");
    let upstreams = Transport::ALL.map(Upstream::start);
    let gateways = upstreams.each_ref().map(gateway);
    let cases = Case::all();
    let wanted = cases.iter().map(|case| {
        let gateway = &gateways[case.framing.transport() as usize];
        json!({
            "name": case.name(), "dialect": case.dialect.name(), "stream": case.streamed,
            "base": format!("http://{}", gateway.address()),
        })
    });
    let wanted = Value::from(wanted.collect::<Vec<_>>()).to_string();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), wanted).unwrap();
    let mut client = Command::new(python);
    client.arg(Gateway::script("python/endings.py")).arg(file.path());
    let ran = client.output().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{said}{}", String::from_utf8_lossy(&ran.stderr));
    let outcomes: HashMap<&str, &str> = said.lines().filter_map(|line| line.split_once('\t')).collect();
    let mut table = String::new();
    for case in &cases {
        let name = case.name();
        let outcome = outcomes.get(name.as_str()).copied().unwrap_or("no outcome");
        let right = match case.is_whole() {
            true => outcome == "whole Sunny.",
            false => outcome.starts_with("raised") || case.may_be_told() && outcome.starts_with("told"),
        };
        if !right {
            let wanted = if case.is_whole() { "whole" } else { "raises" };
            table += &format!("| {name} | {wanted} | {outcome} |\n");
        }
    }
    let wrong = table.lines().count();
    let all = cases.len();
    assert!(wrong == 0, "{wrong} of {all} endings:\n| case | right | what the client saw |\n|---|---|---|\n{table}");
}

/// A gateway whose `echo`, which passes on what is said in any dialect, is this upstream.
fn gateway(upstream: &Upstream) -> Gateway {
    let setup = Gateway::start().with_plugin("echo").trusting("echo");
    let setup = setup.with("/providers/echo/origins", json!({ "api": upstream.origin() }));
    let setup = setup.with("/providers/echo/timeouts", json!({ "idle_ms": IDLE_MS }));
    let setup = match upstream.authority() {
        Some(authority) => setup.with_key("SSL_CERT_FILE", authority.to_str().unwrap()),
        None => setup,
    };
    setup.run()
}
