//! What a component asks for, as `plugin trust` shows it before anybody says yes, and what deserves a second look.

use std::collections::BTreeMap;

use bitrouter_contract::description::{Attach, AttachTo, Auth, Description, Exchanges, Login, SideKind};
use bitrouter_contract::origin::template;
use bitrouter_contract::pattern::Pattern;
use bitrouter_plugin::trust::{self, Grant, Lock, Signers};
use bitrouter_route::billing::in_words as words;

use super::subject::Subject;
use crate::cli::print::{self, Table};

/// Everything that the user is asked to accept of one of its providers.
pub(super) fn wants(of: &Subject, signers: &Signers, description: &Description) -> String {
    let mut table = Table::indented();
    table.row(["id", &description.id]);
    table.row(["name", &description.name]);
    table.row(["version", &description.version]);
    table.row(["file", &format!("{} ({} KB)", of.file.display(), of.bytes.len().div_ceil(1000))]);
    table.row(["sha256", of.digest.as_str()]);
    table.row(["source", &of.source]);
    table.row(["signature", &of.signature.in_words(signers)]);
    for (index, (name, url)) in description.origins.iter().enumerate() {
        table.row([if index == 0 { "sends to" } else { "" }, &format!("{url} ({name})")]);
    }
    for (name, part) in &description.origin_parts {
        let values: Vec<&str> = part.values.values().map(String::as_str).collect();
        let others = if values.is_empty() { String::new() } else { format!(", or {}", values.join(", ")) };
        table.row(["", &format!("{{{name}}} is {} with the setting {}{others}", part.otherwise, part.of)]);
    }
    if description.auth.is_empty() {
        table.row(["credentials", "none"]);
    }
    for (index, auth) in description.auth.iter().enumerate() {
        table.row([if index == 0 { "credentials" } else { "" }, &credential(auth, description)]);
    }
    table.row(["is shown", &shown(&description.claims)]);
    for (index, row) in believed(description).iter().enumerate() {
        table.row([if index == 0 { "is believed" } else { "" }, row]);
    }
    for (index, (name, side)) in description.side_requests.iter().enumerate() {
        let base = description.origins.get(&side.origin).map_or("-", String::as_str);
        let when = match description.auth.is_empty() {
            true => "at start and hourly",
            false => "at start and hourly, with each account's credential",
        };
        table.row([if index == 0 { "asks by itself" } else { "" }, &format!("{base}{} ({name}), {when}", side.path)]);
    }
    if let Some(local) = &description.local {
        let paths: Vec<&str> = local.probes.iter().map(|probe| probe.path.as_str()).collect();
        let asked = format!("this machine's port {} for {}, each second", local.port, print::list(&paths));
        table.row(["looks for", &asked]);
    }
    let Exchanges { most, wait_ms } = description.exchanges;
    if description.exchanges != Exchanges::default() {
        table.row(["exchanges", &format!("up to {most} requests for one call, which may wait {wait_ms} ms in all")]);
    }
    let headers = list_or(&description.forward, "none of a client's");
    table.row(["headers", &headers]);
    if !description.forward_query.is_empty() {
        table.row(["query", &list_or(&description.forward_query, "none")]);
    }
    for (index, (name, setting)) in description.settings.iter().enumerate() {
        let env: Vec<&str> = setting.variables().collect();
        let from = if env.is_empty() { String::new() } else { format!(" (or from {})", env.join(", ")) };
        let sent = setting.header.as_ref().map_or_else(String::new, |header| format!(" Sent as the header {header}."));
        table.row([if index == 0 { "settings" } else { "" }, &format!("{name}: {}{from}{sent}", setting.description)]);
    }
    format!("The component asks for:\n{}", table.text())
}

/// The longest list of models that is shown whole; the lock file has all.
const MODELS_SHOWN: usize = 20;

/// What of others' requests comes to it once it is believed.
fn believed(description: &Description) -> Vec<String> {
    let mut rows = Vec::new();
    let ids: Vec<String> = description.models.iter().map(|model| model.id.clone()).collect();
    let more = ids.len().saturating_sub(MODELS_SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let shown = &ids[..ids.len().min(MODELS_SHOWN)];
    rows.push(match (ids.is_empty(), asks_for_models(description)) {
        (true, false) => "to have no models by name: it answers to its id alone".to_owned(),
        (true, true) => "to have the models that it asks for".to_owned(),
        (false, asks) => {
            let asks = if asks { ", or those that it asks for" } else { "" };
            format!("to have the models {}{more}{asks}", shown.join(", "))
        }
    });
    if let Some(vendor) = &description.vendor {
        rows.push(format!("to serve the vendor {vendor}: as {vendor}/MODEL"));
    }
    if description.serves.contains_key("models") {
        rows.push("to be asked for the catalogue of models, by no name".to_owned());
    }
    rows.push(format!("to be paid for as {}", words(description.billing)));
    rows
}

fn asks_for_models(description: &Description) -> bool {
    description.side_requests.values().any(|side| side.kind == SideKind::Models)
}

fn list_or(list: &[String], nothing: &str) -> String {
    if list.is_empty() { nothing.to_owned() } else { list.join(", ") }
}

/// Which credential goes where, and in which place of the request.
fn credential(auth: &Auth, description: &Description) -> String {
    let url = |name: &String| description.origins.get(name).map(String::as_str);
    let to: Vec<&str> = auth.origins().iter().filter_map(url).collect();
    let places: Vec<String> = auth.attach().iter().map(place).collect();
    let sent = format!("sent to {} in {}", print::list(&to), print::list(&places));
    match auth {
        Auth::ApiKey(key) if key.env.is_empty() => format!("API key, {sent}"),
        Auth::ApiKey(key) => format!("API key from {}, {sent}", key.env.join(" or ")),
        Auth::Keys(_) => format!("{}, {sent}", several(auth)),
        Auth::Basic(_) => format!("{}, sent to {} in the header authorization", several(auth), print::list(&to)),
        Auth::AwsSigv4(aws) => format!(
            "signatures for {} at {}, by {} or a profile of ~/.aws; the secret key goes nowhere",
            aws.service,
            print::list(&to),
            several(auth)
        ),
        Auth::GoogleServiceAccount(google) => {
            let issuer = url(&google.origin).unwrap_or("-");
            let adc = if google.adc { ", or gcloud's own where all of this is Google's" } else { "" };
            format!("token made at {issuer} with a key file from {}{adc}, {sent}", google.env.join(" or "))
        }
        Auth::Exchange(exchange) => {
            let issuer = url(&exchange.origin).unwrap_or("-");
            format!("token that {issuer} gives for {}, {sent}", several(auth))
        }
        Auth::Oauth(oauth) => {
            let issuer = url(&oauth.origin).unwrap_or("-");
            let imports = oauth.login.iter().filter_map(|login| match login {
                Login::Import(import) => Some(format!(", or imported from {}", import.source)),
                Login::Browser(_) | Login::Device(_) => None,
            });
            format!("account logged in at {issuer}{}, {sent}", imports.collect::<String>())
        }
    }
}

/// The names of several secrets, and where they are found.
fn several(auth: &Auth) -> String {
    let names: Vec<&str> = auth.secrets().iter().map(|secret| secret.name.as_str()).collect();
    let env = auth.env();
    let from = if env.is_empty() { String::new() } else { format!(" (from {})", env.join(", ")) };
    format!("{}{from}", print::list(&names))
}

fn place(attach: &Attach) -> String {
    let place = match &attach.place {
        AttachTo::Header(name) => format!("the header {name}"),
        AttachTo::Query(name) => format!("the query parameter {name}"),
    };
    match &attach.claim {
        Some(claim) => format!("{place} (claim {claim})"),
        None => place,
    }
}

fn shown(claims: &[String]) -> String {
    match claims {
        [] => "nothing of your account but its label".to_owned(),
        claims => format!("of your account: its label, {}", claims.join(", ")),
    }
}

/// How the component stands to what is there already, and what deserves a second look.
pub(super) fn standing(lock: &Lock, description: &Description, built_in: &[Description]) -> String {
    let id = description.id.as_str();
    let places = |origins: &BTreeMap<String, String>| {
        print::printable(&origins.values().map(String::as_str).collect::<Vec<_>>().join(", "))
    };
    let mut text = String::new();
    if let Some(replaced) = built_in.iter().find(|built_in| built_in.id == id) {
        text += &format!("It takes the place of the built-in provider `{id}`.\n");
        if replaced.origins != description.origins {
            text += &format!("CAUTION: the built-in `{id}` sends to {}.\n", places(&replaced.origins));
        }
    } else if description.auth.is_empty() && trust::reaches_in(description, |_| false).is_none() {
        text += &format!(
            "It asks for no credential, so it answers to {id}:MODEL without being accepted, and to nothing else.\n"
        );
    }
    for url in description.origins.values() {
        if !template::sample(url).is_ok_and(|origin| origin.is_public()) {
            text += &format!(
                "CAUTION: {} is no server of the open internet: requests go into this machine or its network.\n",
                print::printable(url)
            );
        }
    }
    text += &taken(description, built_in);
    for pattern in description.forward.iter().filter(|pattern| may_hold_credential(pattern)) {
        text += &format!(
            "CAUTION: a client's header that matches `{}` may hold a credential, and goes up.\n",
            print::printable(pattern)
        );
    }
    let wanted: Vec<&str> = description.auth.iter().flat_map(Auth::env).collect();
    for other in built_in.iter().filter(|built_in| built_in.id != id) {
        for variable in other.auth.iter().flat_map(Auth::env).filter(|variable| wanted.contains(variable)) {
            text += &format!("CAUTION: {variable} is the key of another provider, the built-in `{}`.\n", other.id);
        }
    }
    let known = lock.entry_of(id).and_then(|entry| entry.grant(id));
    if let Some(known) = known.filter(|grant| grant.origins != description.origins) {
        text += &format!("CAUTION: the `{id}` that you accepted before sends to {}.\n", places(&known.origins));
    }
    if let Some(known) = known {
        let more = known.lacks(&Grant::of(description));
        text += &more.iter().map(|more| format!("NEW: {}\n", print::printable(more))).collect::<String>();
    }
    text
}

/// The bare names that others list, too: whose requests they are is decided by priority, billing and name.
fn taken(description: &Description, built_in: &[Description]) -> String {
    let mut text = String::new();
    for other in built_in.iter().filter(|built_in| built_in.id != description.id) {
        let lists = |id: &str| other.models.iter().any(|model| model.id == id);
        let same: Vec<&str> = description.models.iter().map(|model| model.id.as_str()).filter(|id| lists(id)).collect();
        if let Some(first) = same.first() {
            let more = if same.len() > 1 { format!(" and {} more", same.len() - 1) } else { String::new() };
            text += &format!(
                "CAUTION: requests for `{}`{more}, which the built-in `{}` lists, may go to it instead.\n",
                print::printable(first),
                other.id
            );
        }
        if description.vendor.is_some() && description.vendor == other.vendor {
            let vendor = description.vendor.as_deref().unwrap_or_default();
            text +=
                &format!("CAUTION: {vendor}/MODEL, which the built-in `{}` serves, may go to it instead.\n", other.id);
        }
    }
    text
}

/// Whether a pattern of headers takes in one that looks like a credential. Those that are known to be one never go up.
fn may_hold_credential(pattern: &str) -> bool {
    const WORDS: [&str; 8] = ["auth", "cred", "key", "passw", "secret", "session", "sign", "token"];
    match Pattern::of(pattern) {
        // A beginning that is a vendor's own is what most forward.
        Pattern::Beginning(beginning) => {
            beginning.trim_end_matches('-').len() < 3 || WORDS.iter().any(|word| beginning.contains(word))
        }
        Pattern::Name(name) => WORDS.iter().any(|word| name.contains(word)),
    }
}

#[cfg(test)]
mod tests {
    use bitrouter_plugin::Digest;
    use bitrouter_plugin::trust::Entry;

    use super::super::subject::SignatureFound;
    use super::*;

    fn description(auth: &str, claims: &str) -> Description {
        let json = format!(
            r#"{{"id": "example", "name": "Ex\u001bample", "version": "2.0.1", "serves": {{"generate": ["responses"]}},
                "origins": {{"api": "https://api.example.com", "auth": "https://login.example.com"}},
                "auth": {auth}, "claims": {claims}}}"#
        );
        serde_json::from_str(&json).unwrap()
    }

    fn shown(description: &Description) -> String {
        let subject = Subject {
            file: "/p/example.wasm".into(),
            bytes: vec![0; 55_001],
            digest: Digest::of(b""),
            source: "file:example.wasm".into(),
            signature: SignatureFound::None,
            descriptions: Vec::new(),
            built_in: Vec::new(),
        };
        wants(&subject, &Signers::default(), description)
    }

    #[test]
    fn everything_that_a_component_asks_for_is_shown() {
        let auth = r#"[{"method": "api-key", "env": ["EXAMPLE_KEY", "EX_KEY"],
            "attach": [{"header": "authorization", "format": "Bearer {}"}, {"query": "org", "claim": "org"}]}]"#;
        assert_eq!(
            shown(&description(auth, r#"["plan"]"#)),
            "\
The component asks for:
  id           example
  name         Ex\u{fffd}ample
  version      2.0.1
  file         /p/example.wasm (56 KB)
  sha256       e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
  source       file:example.wasm
  signature    none
  sends to     https://api.example.com (api)
               https://login.example.com (auth)
  credentials  API key from EXAMPLE_KEY or EX_KEY, sent to https://api.example.com in the header authorization, the query parameter org (claim org)
  is shown     of your account: its label, plan
  is believed  to have no models by name: it answers to its id alone
               to be paid for as pay-per-token
  headers      none of a client's
"
        );
    }

    #[test]
    fn a_login_is_shown_with_where_it_is_made_and_where_its_token_goes() {
        let auth = r#"[{"method": "oauth", "client_id": "app", "token": {"path": "/token"},
            "login": [{"flow": "import", "source": "codex-cli"}],
            "attach": [{"header": "authorization", "format": "Bearer {}"}]}]"#;
        let line = "credentials  account logged in at https://login.example.com, or imported from codex-cli, sent to \
                    https://api.example.com in the header authorization\n";
        let text = shown(&description(auth, "[]"));
        assert!(text.contains(line), "{text}");
    }

    #[test]
    fn a_component_without_a_credential_says_so() {
        let text = shown(&description("[]", "[]"));
        assert!(text.contains("credentials  none\n"), "{text}");
        assert!(text.contains("is shown     nothing of your account but its label\n"), "{text}");
    }

    #[test]
    fn what_a_component_wants_to_be_believed_and_handed_is_shown_and_marked() {
        let of = |vendor: &str, id: &str, more: &str| -> Description {
            let json = format!(
                r#"{{"id": "{id}", "name": "E", "version": "1", "serves": {{"generate": ["responses"]}}, "vendor": "{vendor}",
                    "origins": {{"api": "https://api.example.com"}}, "models": [{{"id": "gpt-5"}}, {{"id": "m"}}] {more}}}"#
            );
            serde_json::from_str(&json).unwrap()
        };
        let greedy = of(
            "openai",
            "example",
            r#", "billing": "subscription", "forward": ["*", "private-token", "example-beta", "example-*"],
                "forward_query": ["key"], "settings": {"region": {"type": "string", "description": "Where it runs."}},
                "side_requests": {"list": {"kind": "models", "path": "/models"}}"#,
        );
        let text = shown(&greedy);
        for row in [
            "is believed     to have the models gpt-5, m, or those that it asks for\n",
            "                to serve the vendor openai: as openai/MODEL\n",
            "                to be paid for as subscription\n",
            "asks by itself  https://api.example.com/models (list), at start and hourly\n",
            "headers         *, private-token, example-beta, example-*\n",
            "query           key\n",
            "settings        region: Where it runs.\n",
        ] {
            assert!(text.contains(row), "{row}{text}");
        }
        let mut near = greedy;
        near.origins.insert("other".into(), "http://127.0.0.1:28999".into());
        assert_eq!(
            standing(&Lock::default(), &near, &[of("openai", "openai", "")]),
            "CAUTION: http://127.0.0.1:28999 is no server of the open internet: requests go into this machine or its network.\n\
             CAUTION: requests for `gpt-5` and 1 more, which the built-in `openai` lists, may go to it instead.\n\
             CAUTION: openai/MODEL, which the built-in `openai` serves, may go to it instead.\n\
             CAUTION: a client's header that matches `*` may hold a credential, and goes up.\n\
             CAUTION: a client's header that matches `private-token` may hold a credential, and goes up.\n"
        );
    }

    #[test]
    fn a_build_that_sends_elsewhere_than_the_accepted_one_is_marked() {
        let description = description("[]", "[]");
        let mut before = Grant::of(&description);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("plugins.lock");
        let standing_after = |grant: &Grant| {
            Lock::accept(Entry { providers: vec![grant.clone()], ..Entry::default() }, &file).unwrap();
            standing(&Lock::read(&file).unwrap(), &description, &[])
        };
        assert!(!standing_after(&before).contains("CAUTION"));
        before.origins = BTreeMap::from([("api".into(), "https://elsewhere.example".into())]);
        let text = standing_after(&before);
        assert!(
            text.contains("CAUTION: the `example` that you accepted before sends to https://elsewhere.example.\n")
                && text.ends_with(
                    "NEW: the origin api: https://api.example.com\nNEW: the origin auth: https://login.example.com\n"
                ),
            "{text}"
        );
    }

    #[test]
    fn another_providers_key_and_another_address_are_marked() {
        let key = r#"[{"method": "api-key", "env": ["EXAMPLE_KEY"], "attach": [{"header": "authorization"}]}]"#;
        let mut built_in = description(key, "[]");
        let same = standing(&Lock::default(), &description(key, "[]"), &[built_in.clone()]);
        assert_eq!(same, "It takes the place of the built-in provider `example`.\n");

        let mut elsewhere = description(key, "[]");
        elsewhere.origins = BTreeMap::from([("api".into(), "https://elsewhere.example".into())]);
        let text = standing(&Lock::default(), &elsewhere, &[built_in.clone()]);
        assert!(text.ends_with(
            "CAUTION: the built-in `example` sends to https://api.example.com, https://login.example.com.\n"
        ));

        built_in.id = "other".into();
        let text = standing(&Lock::default(), &elsewhere, &[built_in]);
        assert_eq!(text, "CAUTION: EXAMPLE_KEY is the key of another provider, the built-in `other`.\n");
    }
}
