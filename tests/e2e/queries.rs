//! What the gateway asks beside calls: live lists of models and plan windows, for whom and where, and what becomes of
//! them when nobody answers or somebody answers with malice.

use std::fs;
use std::path::Path;

use bitrouter_tests::{ChatGpt, Gateway, KEY, Login, Ran, Reply, Setup, Turn, Upstream, eventually};
use serde_json::{Value, json};

/// A model that no component lists.
const NEW: &str = "gpt-of-tomorrow";
/// One that the component of the plan lists and the backends here do not offer.
const OLD: &str = "gpt-6-astra";

fn with(chatgpt: &ChatGpt) -> Setup {
    Gateway::start().with_chatgpt(chatgpt).with_side_requests()
}

/// What `/v1/models` lists.
fn listed(gateway: &Gateway) -> Vec<String> {
    ids(&gateway.get("/v1/models").send().status(200).json()["data"])
}

fn ids(models: &Value) -> Vec<String> {
    models.as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap().to_owned()).collect()
}

fn models(setup: &Setup, arguments: &[&str]) -> Vec<String> {
    ids(&setup.command(&[&["models", "--json"], arguments].concat()).ok().json())
}

fn window<'a>(accounts: &'a Value, name: &str) -> &'a Value {
    let windows = accounts["accounts"][0]["windows"].as_array().unwrap();
    windows.iter().find(|window| window["name"] == name).unwrap_or(&Value::Null)
}

#[test]
fn a_running_gateway_hears_the_live_list_and_routes_by_it() {
    let chatgpt = ChatGpt::start().offers(&[NEW, "gpt-5.5"]).then_always(Turn::says("hello"));
    let gateway = with(&chatgpt).run();
    assert!(eventually(|| listed(&gateway).contains(&NEW.to_owned())), "{}", gateway.log());
    assert!(!listed(&gateway).contains(&OLD.to_owned()), "the plan does not offer it");
    let body = json!({"model": "gpt-5.5", "input": "hello"});
    let answer = gateway.post("/v1/responses").json(&body).send().status(200);
    assert_eq!(answer.header("x-bitrouter-provider"), Some("openai-codex"));
    // Commands know it without asking anybody. The gateway asks for its models and its plan's usage once.
    assert!(eventually(|| chatgpt.side_requests().len() == 2));
    let asked = chatgpt.side_requests().len();
    gateway.command(&["route", NEW]).ok().says("openai-codex");
    gateway.command(&["route", OLD]).fails();
    gateway.command(&["models"]).ok().says(NEW).says("heard from the provider just now");
    assert_eq!(chatgpt.side_requests().len(), asked);
    for seen in chatgpt.side_requests() {
        let bearer = format!("Bearer {}", chatgpt.login().access_token);
        assert_eq!(seen.header("authorization"), Some(bearer.as_str()), "{seen:?}");
        assert_eq!(seen.header("chatgpt-account-id"), Some("acc-e2e"));
        assert_eq!(seen.header("originator"), Some("codex_cli_rs"));
    }
    chatgpt.refused_nothing();
}

#[test]
fn an_account_that_logs_in_later_is_asked_for_too() {
    let (chatgpt, late) = (ChatGpt::start().offers(&["gpt-5.5"]), Login::of("acc-late"));
    let chatgpt = chatgpt.also_knows(&late);
    let setup = with(&chatgpt);
    let tokens = setup.token_file();
    let before = fs::read(&tokens).unwrap();
    let setup = setup.logged_in("openai-codex", "late", &late);
    let after = fs::read(&tokens).unwrap();
    fs::write(&tokens, &before).unwrap();
    let gateway = setup.run();
    let asked_as = |account: &str| {
        let models = chatgpt.side_requests().into_iter().filter(|seen| seen.path.contains("/models"));
        models.filter(|seen| seen.header("chatgpt-account-id") == Some(account)).count()
    };
    assert!(eventually(|| asked_as("acc-e2e") == 1), "{}", gateway.log());
    // As a whole, as `login` does it: a gateway reads it at any moment.
    let beside = tokens.with_extension("new");
    fs::write(&beside, &after).unwrap();
    fs::set_permissions(&beside, fs::metadata(&tokens).unwrap().permissions()).unwrap();
    fs::rename(&beside, &tokens).unwrap();
    assert!(eventually(|| asked_as("acc-late") == 1), "{}", gateway.log());
    assert_eq!(asked_as("acc-e2e"), 1, "what is new is not asked for again");
}

#[test]
fn models_are_asked_for_on_demand_and_what_is_known_outlives_the_provider() {
    let chatgpt = ChatGpt::start().offers(&[NEW]);
    let setup = with(&chatgpt);
    assert!(models(&setup, &[]).contains(&OLD.to_owned()), "the component's own list");
    setup.command(&["models"]).ok().says("was not asked yet");
    assert_eq!(chatgpt.side_requests().len(), 0);
    assert_eq!(models(&setup, &["--refresh"]), [NEW]);
    chatgpt.now_offers(&["gpt-of-the-day-after"]);
    assert_eq!(models(&setup, &[]), [NEW], "nothing is asked without being told to");
    assert_eq!(models(&setup, &["--refresh"]), ["gpt-of-the-day-after"]);
    drop(chatgpt);
    let offline = setup.command(&["models", "--refresh"]).ok();
    let offline = offline.says(
        "warning: the list of models of openai-codex@default could not be renewed, the last one stays: no connection",
    );
    offline.says("gpt-of-the-day-after").says("heard from the provider");
    assert_eq!(models(&setup, &[]), ["gpt-of-the-day-after"]);
}

#[test]
fn a_list_without_details_takes_them_from_the_component() {
    let upstream = Upstream::start();
    upstream.answers(json!({"object": "list", "data": [{"id": "text-embedding-3-small"}, {"id": NEW}]}));
    let setup = Gateway::start().with_openai_at(&upstream).with_side_requests();
    let models = setup.command(&["models", "--refresh", "--json"]).ok().json();
    assert_eq!(ids(&models), ["text-embedding-3-small", NEW]);
    assert_eq!((&models[0]["operations"], &models[1]["operations"]), (&json!(["embeddings"]), &json!([])));
    assert!(models[0]["told_at"].as_u64().unwrap() > 1_700_000_000);
    let seen = upstream.last();
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("GET", "/v1/models"));
    assert_eq!(seen.header("authorization"), Some(format!("Bearer {KEY}").as_str()));
    // A list of nothing says nothing.
    upstream.answers(json!({"object": "list", "data": []}));
    let ran = setup.command(&["models", "--refresh", "--json"]).ok().says("it lists no models");
    assert_eq!(ids(&ran.json()), ["text-embedding-3-small", NEW]);
}

#[test]
fn an_expired_login_is_renewed_for_a_side_request_as_for_a_call() {
    let renewed = Login::of("acc-e2e");
    let chatgpt = ChatGpt::start().offers(&[NEW]).wants_a_refresh(&renewed);
    let setup = with(&chatgpt);
    assert_eq!(models(&setup, &["--refresh"]), [NEW]);
    assert_eq!(chatgpt.refreshes().len(), 1);
    assert_eq!(setup.tokens()[0]["secret"]["access_token"], renewed.access_token);
}

#[test]
fn windows_that_answers_told_are_known_to_commands_and_to_the_next_gateway() {
    let chatgpt = ChatGpt::start().then_always(Turn::says("hello"));
    // Nothing is asked: what is known came with the answer.
    let mut gateway = Gateway::start().with_chatgpt(&chatgpt).run();
    gateway.command(&["accounts", "--refresh"]).fails().says("side_requests");
    assert_eq!(window(&gateway.command(&["accounts", "--json"]).ok().json(), "primary"), &Value::Null);
    gateway.post("/v1/responses").json(&json!({"model": "gpt-5.5", "input": "hello"})).send().status(200);
    let told = |gateway: &Gateway| gateway.command(&["accounts", "--json"]).ok().json();
    assert!(eventually(|| window(&told(&gateway), "primary")["used_percent"] == 12.5), "{}", gateway.log());
    assert_eq!(window(&told(&gateway), "secondary")["resets_at"], 4_070_908_800_u64);
    let shown = gateway.command(&["accounts"]).ok();
    shown
        .says("openai-codex@default  primary    5 h  ██")
        .says("12 % used")
        .says("resets in ")
        .says("(2099-01-01T00:00:00Z)");
    gateway.stop();
    assert!(gateway.ends_well());
    assert_eq!(window(&told(&gateway), "primary")["used_percent"], 12.5);
    assert_eq!(chatgpt.side_requests().len(), 0);
}

#[test]
fn a_gateway_that_stops_at_once_has_written_what_it_heard() {
    let chatgpt = ChatGpt::start().then_always(Turn::says("hello"));
    let mut gateway = Gateway::start().with_chatgpt(&chatgpt).with_key("RUST_LOG", "bitrouter=debug").run();
    gateway.post("/v1/responses").json(&json!({"model": "gpt-5.5", "input": "hello"})).send().status(200);
    gateway.logs("limits heard").stop();
    assert!(gateway.ends_well());
    let accounts = gateway.command(&["accounts", "--json"]).ok().json();
    assert_eq!(window(&accounts, "primary")["used_percent"], 12.5);
}

#[test]
fn accounts_asks_how_much_of_a_plan_is_used_only_when_told_to() {
    let chatgpt = ChatGpt::start();
    let setup = with(&chatgpt);
    setup.command(&["accounts"]).ok();
    assert_eq!(chatgpt.side_requests().len(), 0);
    setup.command(&["accounts", "--refresh"]).ok().says("primary").says("12 % used").says("40 % used").says("7 d");
    let paths: Vec<_> = chatgpt.side_requests().into_iter().map(|seen| seen.path).collect();
    assert_eq!(paths, ["/backend-api/wham/usage"]);
    drop(chatgpt);
    let offline = setup.command(&["accounts", "--refresh", "--json"]).ok();
    let offline =
        offline.says("the usage of the plan of openai-codex@default could not be renewed, the last one stays");
    assert_eq!(window(&offline.json(), "secondary")["used_percent"], 40.0);
}

#[test]
fn a_side_request_takes_a_credential_only_where_its_owner_agreed() {
    let (chatgpt, thief) = (ChatGpt::start(), Upstream::start());
    // The login is bound to the addresses that were there when it was obtained.
    let setup = with(&chatgpt);
    let setup = setup.with("/providers/openai-codex/origins/account", json!(format!("{}/wham", thief.origin())));
    let ran = setup.command(&["accounts", "--refresh"]).ok();
    let said = "the usage of the plan of openai-codex@default could not be asked for";
    ran.says(said).says("this credential is bound to").says("Nothing was sent");
    let gateway = setup.run();
    gateway.logs(said);
    assert_eq!(thief.connections(), 0);
    // A redirect moves it nowhere either.
    chatgpt.now_pages_are(Reply::json(&json!({})).status(302).header("location", &thief.origin()));
    gateway.command(&["models", "--refresh"]).ok().says("Redirects are not followed");
    assert_eq!(thief.connections(), 0);
}

#[test]
fn a_page_that_is_no_list_is_a_warning_and_changes_nothing() {
    let chatgpt = ChatGpt::start().offers(&[NEW]);
    let setup = with(&chatgpt);
    assert_eq!(models(&setup, &["--refresh"]), [NEW]);
    let huge = json!({"models": [{"slug": "x", "base_instructions": "x".repeat(5 << 20)}]});
    let control = json!({"models": [{"slug": "a\u{1b}[2Jb"}]});
    let many: Vec<Value> = (0..5000).map(|number| json!({"slug": format!("m{number}")})).collect();
    for (reply, why) in [
        (Reply::json(&huge), "more than 4 MiB"),
        (Reply::json(&json!({ "models": many })), "at most 4096"),
        (Reply::json(&control), "is not a model's name"),
        (Reply::body("text/html", "<html>Just a moment…</html>"), "not in the form of Codex"),
        (Reply::json(&json!({"models": 7})), "it lists no models"),
        (Reply::json(&json!({"detail": "Not for\r\nyou"})).status(403), "status is 403"),
        (Reply::json(&json!({})).header("content-encoding", "zstd"), "cannot be unpacked"),
        (Reply::raw(""), "was lost"),
    ] {
        chatgpt.now_pages_are(reply);
        let ran = setup.command(&["models", "--refresh"]).ok().says(why);
        ran.says("warning: the list of models of openai-codex@default could not be renewed, the last one stays")
            .says(NEW);
        assert_eq!(models(&setup, &[]), [NEW], "{why}");
    }
}

#[test]
fn a_secret_that_a_page_echoes_reaches_no_cache_and_no_output() {
    let chatgpt = ChatGpt::start();
    let token = chatgpt.login().access_token.clone();
    let setup = with(&chatgpt);
    let echo = json!({"models": [{"slug": token}, {"slug": NEW}], "plan_type": token, "detail": token});
    let mut ran: Vec<Ran> = Vec::new();
    for status in [200, 403] {
        chatgpt.now_pages_are(Reply::json(&echo).status(status).header("x-echo", &token));
        ran.push(setup.command(&["models", "--refresh"]).ok());
        ran.push(setup.command(&["accounts", "--refresh", "--json"]).ok());
    }
    ran[0].clone().says(NEW).says("[secret]");
    // A gateway that knows nothing yet asks at once.
    fs::remove_dir_all(setup.home().join("cache/side")).unwrap();
    let gateway = setup.run();
    gateway.logs("could not be asked for");
    assert!(!format!("{ran:?}").contains(&token) && !gateway.log().contains(&token));
    let tokens = gateway.home().join("oauth-tokens.json");
    holds_nowhere(gateway.home(), &token, &tokens);
}

/// Checks that no file below a folder holds a text, but for one.
fn holds_nowhere(folder: &Path, text: &str, but: &Path) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            holds_nowhere(&path, text, but);
        } else if path.is_file() && path != but {
            let bytes = fs::read(&path).unwrap();
            assert!(!String::from_utf8_lossy(&bytes).contains(text), "{}", path.display());
        }
    }
}

#[test]
fn nothing_is_asked_where_that_is_switched_off() {
    let chatgpt = ChatGpt::start().then_always(Turn::says("hello"));
    let gateway = Gateway::start().with_chatgpt(&chatgpt).run();
    gateway.post("/v1/responses").json(&json!({"model": "gpt-5.5", "input": "hello"})).send().status(200);
    gateway.command(&["models", "--refresh"]).fails().says("`side_requests` is false");
    assert!(listed(&gateway).contains(&OLD.to_owned()));
    assert_eq!(chatgpt.side_requests().len(), 0);
}
