//! Who is asked, and in which order: what `bitrouter route` shows is what a request does.

use std::sync::Arc;

use bitrouter_tests::{Dice, Gateway, Reply, Setup, Upstream, seeds};
use serde_json::{Value, json};

const LABELS: [&str; 3] = ["default", "home", "work"];

/// A provider that is a description: with accounts where it is not free.
fn described(id: &str, billing: &str) -> Value {
    let variable = format!("{}_KEY", id.to_ascii_uppercase());
    let attach = json!([{"header": "x-account"}]);
    let auth = json!([{"method": "api-key", "env": [variable], "attach": attach}]);
    json!({
        "id": id, "name": id, "version": "1", "billing": billing, "models": [{"id": "m"}],
        "origins": {"api": "https://api.example"}, "serves": {"generate": ["chat-completions"]},
        "auth": if billing == "free" { json!([]) } else { auth },
    })
}

/// The same, accepted, and sent to a path of its own at the upstream.
fn with(setup: Setup, upstream: &Upstream, id: &str, billing: &str) -> Setup {
    let setup = setup.with_plugin_file(&format!("{id}.json"), described(id, billing).to_string().as_bytes());
    setup.command(&["plugin", "trust", id, "--yes"]).ok();
    setup.with(&format!("/providers/{id}/origins"), json!({"api": origin(upstream, id)}))
}

fn origin(upstream: &Upstream, id: &str) -> String {
    format!("{}/{id}", upstream.origin())
}

/// A key of this account, which names it.
fn with_account(setup: Setup, upstream: &Upstream, id: &str, label: &str) -> Setup {
    let day = 10 + LABELS.iter().position(|known| *known == label).unwrap();
    setup.with_entry(json!({
        "provider": id, "label": label, "kind": "api-key", "created_at": format!("2026-01-{day}T09:00:00Z"),
        "origins": {"api": origin(upstream, id)}, "secret": {"key": format!("canary-key-of-the-account-{label}")},
    }))
}

/// A window of an account that ends after those of smaller numbers.
fn window(id: &str, label: &str, used_percent: u64, number: u64) -> Value {
    json!({"provider": id, "label": label, "windows": [
        {"name": "w", "used_percent": used_percent, "resets_at": 4_000_000_000u64 + number, "told_at": 1_800_000_000},
    ]})
}

/// A limit that an earlier gateway left behind; the next request may look whether it is over if `due`.
fn limit(id: &str, label: Option<&str>, due: bool) -> Value {
    let (long_ago, never) = ("2020-01-01T00:00:00Z", "2099-01-01T00:00:00Z");
    let mut limit = json!({
        "provider": id, "reason": "usage-limit", "since": long_ago, "until": never, "probes": 1,
        "next_probe": if due { long_ago } else { never },
    });
    match label {
        Some(label) => limit["account"] = json!(label),
        None => limit["model"] = json!("m"),
    }
    limit
}

/// What an earlier gateway knew.
fn knowing(setup: Setup, windows: &[Value], limits: &[Value]) -> Setup {
    let cache = setup.home().join("cache");
    std::fs::create_dir_all(&cache).unwrap();
    std::fs::write(cache.join("windows.json"), json!({"version": 1, "accounts": windows}).to_string()).unwrap();
    let file = setup.home().join("cooldowns.json");
    std::fs::write(file, json!({"version": 1, "cooldowns": limits}).to_string()).unwrap();
    setup
}

/// What a request was sent to, in order, as `PROVIDER@LABEL:MODEL`.
fn tried(upstream: &Upstream) -> Vec<String> {
    let address = |seen: &bitrouter_tests::Seen| {
        let id = seen.path.split('/').nth(1).unwrap().to_owned();
        let label = seen.header("x-account").map(|key| format!("@{}", key.rsplit('-').next().unwrap()));
        format!("{id}{}:{}", label.unwrap_or_default(), seen.json()["model"].as_str().unwrap())
    };
    upstream.requests().iter().map(address).collect()
}

#[test]
fn the_order_that_route_prints_is_the_order_in_which_a_request_tries() {
    for seed in seeds(0..8) {
        let mut dice = Dice::new(seed);
        let upstream = Upstream::start();
        // It concerns the account and closes nothing else, so that all that may be tried is.
        upstream.follows(|_| Reply::json(&json!({"error": {"message": "no", "type": "permission_error"}})).status(403));
        let mut setup = Gateway::start();
        let (mut windows, mut limits) = (Vec::new(), Vec::new());
        let billings = ["subscription", "subscription", "pay-per-token", "free"];
        for (id, billing) in ["team", "spare", "paid", "local"].into_iter().zip(billings) {
            setup = with(setup, &upstream, id, billing);
            let strategy = ["failover", "balance", "sticky"][dice.below(3) as usize];
            setup = setup
                .with(&format!("/providers/{id}/accounts"), json!(strategy))
                .with(&format!("/providers/{id}/priority"), json!([1, 100, 100][dice.below(3) as usize]))
                .with(&format!("/providers/{id}/enabled"), json!(dice.percent(85)));
            if billing == "free" {
                continue;
            }
            for label in LABELS {
                if dice.percent(75) {
                    setup = with_account(setup, &upstream, id, label);
                }
                if dice.percent(70) {
                    windows.push(window(id, label, dice.below(101), dice.below(3)));
                }
                if dice.percent(30) {
                    limits.push(limit(id, Some(label), dice.percent(50)));
                }
            }
            if dice.percent(10) {
                limits.push(limit(id, None, dice.percent(50)));
            }
        }
        let setup = Arc::new(knowing(setup, &windows, &limits));
        for models in [
            json!(["m"]),
            json!(["team:m", "paid:m", "local:m"]),
            json!(["paid@work:m", "spare@home:m", "paid:m", "m"]),
        ] {
            let body = json!({"models": models, "messages": [{"role": "user", "content": format!("talk {seed}")}]});
            std::fs::write(setup.working_directory().join("body.json"), body.to_string()).unwrap();
            let printed = setup.command(&["route", "--json", "--request", "body.json"]);
            let order: Vec<String> = serde_json::from_value(printed.json()["order"].clone()).unwrap();
            let before = upstream.requests().len();
            // Each is the first request of its gateway: one that failed before would be known.
            let gateway = Gateway::in_home(&setup);
            let answer = gateway.chat(&body);
            let asked = tried(&upstream).split_off(before);
            assert_eq!(asked, order, "SEED={seed}, {models}: {}\n{printed:?}", answer.text());
            assert!(printed.ok || asked.is_empty(), "SEED={seed}, {models}: route says that none is sent: {printed:?}");
            drop(gateway);
            std::fs::write(setup.home().join("cooldowns.json"), json!({"version": 1, "cooldowns": limits}).to_string())
                .unwrap();
        }
    }
}

/// `team` with three accounts, of which `work` has used the least.
fn team(strategy: &str) -> (Setup, Upstream) {
    let upstream = Upstream::start();
    let mut setup = with(Gateway::start(), &upstream, "team", "subscription");
    for label in LABELS {
        setup = with_account(setup, &upstream, "team", label);
    }
    let windows = [window("team", "default", 90, 0), window("team", "home", 40, 0), window("team", "work", 5, 0)];
    let setup = setup.with("/providers/team/accounts", json!(strategy));
    (knowing(setup, &windows, &[limit("team", Some("home"), false)]), upstream)
}

#[test]
fn route_shows_what_balance_and_sticky_would_do() {
    let (setup, _upstream) = team("balance");
    let ran = setup.command(&["route", "m"]).ok();
    ran.clone()
        .says("work, home, default")
        .says("team:m: balance: next is work (5 %)")
        .says("home (40 %), default (90 %)");
    // One of them rests, so that a request goes elsewhere.
    ran.says("cooling down: team:m: usage limit").says("(home)").says("now: team@work:m, team@default:m\n");
    let (setup, upstream) = team("sticky");
    setup
        .command(&["route", "m"])
        .ok()
        .says("default, home, work")
        .says("team:m: sticky: a conversation stays with one");
    let body = |talk: usize| json!({"model": "m", "messages": [{"role": "user", "content": format!("talk {talk}")}]});
    // Of so many conversations, some stay with each account that can be used.
    let gateway = setup.run();
    let mut firsts = std::collections::BTreeSet::new();
    for talk in 0..12 {
        std::fs::write(gateway.setup().working_directory().join("body.json"), body(talk).to_string()).unwrap();
        let printed = gateway.command(&["route", "--json", "--request", "body.json"]).ok().json();
        gateway.chat(&body(talk));
        assert_eq!(json!(tried(&upstream).last()), printed["order"][0], "{printed}");
        let account = printed["targets"][0]["account"].as_str().unwrap().to_owned();
        assert_eq!(printed["targets"][0]["choice"], json!(format!("sticky: this conversation stays with {account}")));
        firsts.insert(account);
    }
    assert_eq!(firsts.len(), 3, "{firsts:?}");
    let (setup, _upstream) = team("failover");
    let ran = setup.command(&["route", "m"]).ok().says("default, home, work");
    assert!(!ran.stdout.contains("failover"), "{ran:?}");
}

#[test]
fn a_target_that_costs_money_is_not_reached_behind_one_without_a_login_and_route_says_so() {
    let upstream = Upstream::start();
    let setup = with(with(Gateway::start(), &upstream, "team", "subscription"), &upstream, "paid", "pay-per-token");
    let setup = with_account(setup, &upstream, "paid", "work");
    let list = r#"{"models":["team:m","paid:m"],"messages":[]}"#;
    let setup = setup.with_file("body.json", list);
    let ran = setup.command(&["route", "--request", "body.json"]).fails();
    ran.says("skipped: paid:m: not reached: team:m before it lacks a credential").says("TEAM_KEY");
    let gateway = setup.run();
    gateway.chat(&serde_json::from_str(list).unwrap()).status(401).says("TEAM_KEY");
    assert!(upstream.requests().is_empty());
}

#[test]
fn the_page_of_models_lists_what_a_request_would_be_answered_by() {
    let upstream = Upstream::start();
    let mut setup = Gateway::start();
    for (id, billing) in [("paid", "pay-per-token"), ("local", "free"), ("team", "subscription")] {
        setup = with(setup, &upstream, id, billing);
    }
    let setup = with_account(with_account(setup, &upstream, "paid", "work"), &upstream, "team", "work");
    let mut gateway = setup.run();
    let owner = |gateway: &Gateway| {
        let page = gateway.get("/v1/models").send().status(200).json();
        let model = page["data"].as_array().unwrap().iter().find(|model| model["id"] == "m").cloned();
        let one = gateway.get("/v1/models/m").send();
        let owner = model.map(|model| model["owned_by"].clone());
        assert_eq!(owner.clone(), (one.code == 200).then(|| one.json()["owned_by"].clone()));
        owner
    };
    assert_eq!(owner(&gateway), Some(json!("team")));
    gateway.configure("/providers/team/enabled", json!(false)).command(&["reload"]).ok();
    assert_eq!(owner(&gateway), Some(json!("local")));
    gateway.configure("/providers/local/enabled", json!(false)).command(&["reload"]).ok();
    assert_eq!(owner(&gateway), Some(json!("paid")));
    gateway.configure("/providers/paid/enabled", json!(false)).command(&["reload"]).ok();
    assert_eq!(owner(&gateway), None);
}
