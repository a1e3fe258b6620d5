//! Which targets an address has, in which order, and what is said where it has none.

use super::*;
use crate::route::test_providers::TestProviders;

/// An operation that is not translated: it needs the very dialect.
const RESPONSES: Wanted<'static> = Wanted { operation: "compact", dialect: "responses" };
const CHAT: Wanted<'static> = Wanted { operation: "compact", dialect: "chat-completions" };

/// `provider[@label]:model` of each target, or what is said in their place.
fn targets(setup: &TestProviders, addresses: &[&str], wanted: Wanted<'_>) -> String {
    let addresses: Vec<String> = addresses.iter().map(|address| (*address).to_owned()).collect();
    match setup.providers().targets(&addresses, wanted) {
        Ok(targets) => {
            let shown = |target: &Target| {
                let label = target.label.as_ref().map_or_else(String::new, |label| format!("@{label}"));
                format!("{}{label}:{}", target.provider.id(), target.model)
            };
            targets.iter().map(shown).collect::<Vec<_>>().join(", ")
        }
        Err(error) => format!("{}: {error}", error.meaning().kind.status()),
    }
}

fn all() -> TestProviders {
    TestProviders::with_keys(&["plan", "paid", "resale"])
}

/// Checks addresses against what they lead to.
#[track_caller]
fn check(setup: &TestProviders, table: &[(&str, &str)]) {
    for (address, wanted) in table {
        assert_eq!(targets(setup, &[address], RESPONSES), *wanted, "{address}");
    }
}

#[test]
fn a_named_provider_is_one_target_whatever_it_costs() {
    check(
        &all(),
        &[
            ("paid:big", "paid:big"),
            ("paid:not-listed", "paid:not-listed"),
            ("paid@work:big", "paid@work:big"),
            ("resale:acme/big", "resale:acme/big"),
            ("plan:a:b", "plan:a:b"),
        ],
    );
    // Without a credential it stays: trying it says what is missing.
    check(&TestProviders::with_keys(&[]), &[("plan:big", "plan:big")]);
}

#[test]
fn a_bare_name_finds_whoever_serves_it_and_never_moves_to_what_costs_money() {
    for (setup, address, wanted) in [
        (all(), "big", "plan:big"),
        (TestProviders::with_keys(&["paid", "resale"]), "big", "paid:big, resale:big"),
        (TestProviders::with_keys(&["plan"]), "big", "plan:big"),
        (TestProviders::with_keys(&["resale"]), "small", "401: "),
        (all().priority("paid", 1), "big", "paid:big, resale:big"),
        (all().priority("resale", 1), "big", "resale:big, paid:big"),
        (all().priority("plan", 200), "big", "paid:big, resale:big"),
        (all().priority("resale", 200), "big", "plan:big"),
        (all().disabled("plan"), "big", "paid:big, resale:big"),
        // Between a model of the user's own and one that costs money.
        (all(), "qwen3:8b", "501: local does not serve compact. These do: plan, paid, resale"),
        (all().priority("resale", 1), "qwen3:8b", "resale:qwen3:8b"),
        // Listed by one alone.
        (all(), "huge", "paid:huge"),
    ] {
        let found = targets(&setup, &[address], RESPONSES);
        assert!(
            found == wanted || wanted.ends_with(": ") && found.starts_with(wanted),
            "{address}: {found}, not {wanted}"
        );
    }
}

#[test]
fn a_login_that_is_over_is_told_and_not_replaced_by_what_costs_money() {
    let setup = TestProviders::with_keys(&["paid"]).with_a_login_that_is_over("plan");
    check(&setup, &[("big", "plan:big"), ("acme/big", "plan:big"), ("huge", "paid:huge")]);
    let setup = TestProviders::with_keys(&["plan", "paid"]).misconfigured("plan");
    let told = targets(&setup, &["big"], RESPONSES);
    assert!(told.starts_with("503: plan: providers.plan in bitrouter.yaml: `settings.no_such_setting`"), "{told}");
}

#[test]
fn a_name_that_nobody_has_a_credential_for_says_what_each_lacks() {
    let told = targets(&TestProviders::with_keys(&[]), &["big"], RESPONSES);
    assert!(told.starts_with("401: plan: "), "{told}");
    for lacks in ["plan_KEY", "paid_KEY", "resale_KEY"] {
        assert!(told.contains(lacks), "{lacks} is not in {told}");
    }
}

#[test]
fn a_vendors_name_in_front_finds_who_lists_that_or_serves_the_vendor() {
    check(
        &all(),
        &[
            ("acme/big", "plan:big"),
            ("acme/small", "plan:small"),
            ("acme/huge", "paid:huge"),
            (
                "Acme/big",
                "400: no active provider lists the model `Acme/big`. Nearest: big, acme/big. An id that is not listed passes through when it is addressed as PROVIDER:Acme/big; providers are local, paid, plan, resale",
            ),
        ],
    );
    check(&TestProviders::with_keys(&["paid", "resale"]), &[("acme/big", "paid:big, resale:acme/big")]);
    let other = targets(&all(), &["resale/big"], RESPONSES);
    assert!(other.starts_with("400: no active provider lists"), "{other}");
}

#[test]
fn a_dialect_that_is_not_served_moves_nothing_to_what_costs_money() {
    for (setup, addresses, wanted) in [
        (all(), ["big"].as_slice(), "501: plan does not serve compact. These do: local, paid, resale"),
        (all(), &["plan:big"], "501: plan does not serve compact. These do: local, paid, resale"),
        (all().priority("plan", 200), &["big"], "paid:big, resale:big"),
        (all(), &["plan:big", "paid:big"], "paid:big"),
        (all(), &["tiny"], "local:tiny"),
    ] {
        assert_eq!(targets(&setup, addresses, CHAT), wanted, "{addresses:?}");
    }
    let embeddings = Wanted { operation: "embeddings", dialect: "openai" };
    assert_eq!(
        targets(&all(), &["paid:embed"], embeddings),
        "501: paid does not serve embeddings, nor does any other provider that is active"
    );
}

#[test]
fn a_conversation_is_served_in_any_dialect_and_translated_only_where_it_must_be() {
    let generate = |dialect| Wanted { operation: "generate", dialect };
    for (address, dialect, found, goes_up_in) in [
        ("big", "responses", "plan:big", "responses"),
        ("big", "chat-completions", "plan:big", "responses"),
        ("big", "messages", "plan:big", "responses"),
        ("paid:big", "chat-completions", "paid:big", "chat-completions"),
        ("paid:big", "generate-content", "paid:big", "responses"),
        ("local:tiny", "messages", "local:tiny", "chat-completions"),
    ] {
        assert_eq!(targets(&all(), &[address], generate(dialect)), found, "{address} in {dialect}");
        let targets = all().providers().targets(&[address.to_owned()], generate(dialect)).ok().unwrap();
        assert_eq!(
            targets[0].provider.dialect_for(generate(dialect), &targets[0].model),
            Some(goes_up_in),
            "{address} in {dialect}"
        );
    }
    // What is no dialect is not translated.
    assert!(targets(&all(), &["paid:big"], generate("openai")).starts_with("501: "));
}

#[test]
fn a_list_is_tried_in_its_order_each_target_once() {
    for (addresses, wanted) in [
        (["plan:big", "paid:big"].as_slice(), "plan:big, paid:big"),
        (&["paid:big", "plan:big", "paid:big"], "paid:big, plan:big"),
        (&["big", "huge"], "plan:big, paid:huge"),
        (&["big", "acme/big", "plan:big"], "plan:big"),
        (&["paid@a:big", "paid@b:big", "paid:big"], "paid@a:big, paid@b:big, paid:big"),
    ] {
        assert_eq!(targets(&all(), addresses, RESPONSES), wanted, "{addresses:?}");
    }
    // What lacks a credential stays in its place.
    assert_eq!(targets(&TestProviders::with_keys(&["paid"]), &["plan:big", "huge"], RESPONSES), "plan:big, paid:huge");
    assert_eq!(targets(&TestProviders::with_keys(&["plan"]), &["huge", "small"], RESPONSES), "paid:huge, plan:small");
    // What is switched off is passed over.
    assert_eq!(targets(&all().disabled("plan"), &["plan:big", "paid:big"], RESPONSES), "paid:big");
    assert_eq!(targets(&all().refused("gone", "it is not trusted"), &["gone:x", "paid:big"], RESPONSES), "paid:big");
}

#[test]
fn one_unknown_entry_of_a_list_refuses_it_all() {
    for (addresses, said) in [
        (["paid:big", "bgi"].as_slice(), "400: models[1]: no active provider lists the model `bgi`. Nearest: big"),
        (
            &["pad:big", "paid:big"],
            "400: models[0]: there is no provider `pad`, nor a model `pad:big`. Nearest providers: paid",
        ),
        (&["paid:big", ""], "400: models[1]: the model is empty"),
        (&["paid:", "paid:big"], "400: models[0]: `paid:` names no model"),
        (&["paid@a b:big", "paid:big"], "400: models[0]: `a b` is no account label"),
    ] {
        let found = targets(&all(), addresses, RESPONSES);
        assert!(found.starts_with(said), "{addresses:?}: {found}");
    }
    let error = all().providers().targets(&["paid:big".into(), "nope".into()], RESPONSES).err().unwrap();
    assert_eq!(error.to_api("r").param.as_deref(), Some("models"));
}

#[test]
fn a_name_of_the_config_comes_before_the_catalogue_and_may_cross() {
    let setup = all()
        .named("big", &["paid:big", "plan:big"])
        .named("claude-*", &["plan:*", "resale:acme/*"])
        .named("claude-fast", &["small", "tiny"])
        .named("*", &["paid:fallback"])
        .named("loop", &["big"])
        .named("broken", &["paid:big", "nope-model"])
        .named("typo", &["nope:x"])
        .named("off", &["gone:x"])
        .refused("gone", "it is not trusted");
    check(
        &setup,
        &[
            ("big", "paid:big, plan:big"),
            ("claude-big", "plan:big, resale:acme/big"),
            ("claude-fast", "plan:small"),
            ("anything", "paid:fallback"),
            ("nobody:x", "paid:fallback"),
            // A provider's address is not caught, and inside a list a name is the catalogue's.
            ("plan:big", "plan:big"),
            ("loop", "plan:big"),
            ("off", "503: gone: it is not trusted"),
        ],
    );
    let broken = targets(&setup, &["broken"], RESPONSES);
    assert!(broken.starts_with("400: models.broken in bitrouter.yaml: no active provider lists"), "{broken}");
    let typo = targets(&setup, &["typo"], RESPONSES);
    assert!(typo.starts_with("400: models.typo in bitrouter.yaml: no active provider lists"), "{typo}");
    assert_eq!(targets(&setup, &["claude-fast", "claude-x"], CHAT), "local:tiny, resale:acme/x");
}

#[test]
fn while_components_are_compiled_only_a_plan_is_chosen_by_a_bare_name() {
    let told = "503: providers are still being compiled: try again in a few seconds";
    check(&all().compiling(), &[("big", "plan:big"), ("huge", told), ("paid:big", "paid:big")]);
    check(&TestProviders::with_keys(&["paid"]).compiling(), &[("big", told)]);
}

#[test]
fn what_is_wrong_with_the_names_is_found_without_a_request() {
    let setup = all()
        .named("fine", &["paid:x", "big", "unlisted-model", "qwen3:8b", "gone:x", "paid@work:y"])
        .named("any-*", &["paid:*", "*:x", "*"])
        .named("pad", &["pad:big"])
        .named("label", &["paid@a b:x"])
        .named("plan:big", &["paid:big"])
        .refused("gone", "it is not trusted");
    let problems = setup.providers().name_problems(setup.models());
    let said: Vec<String> = problems.iter().map(|problem| problem.fault.to_string()).collect();
    assert_eq!(said.len(), 3, "{said:?}");
    assert!(said[0].starts_with("`models.pad`: there is no provider `pad`"), "{said:?}");
    assert!(said[1].starts_with("`models.label`: `a b` is no account label"), "{said:?}");
    assert!(said[2].starts_with("`models.plan:big` is never asked for"), "{said:?}");
    assert_eq!(problems[0].position.line, 7);
}

#[test]
fn what_is_passed_over_has_its_reason() {
    let reasons = |setup: &TestProviders, addresses: &[&str], wanted| {
        let addresses: Vec<String> = addresses.iter().map(|address| (*address).to_owned()).collect();
        let mut skipped = Vec::new();
        let _ = setup.providers().decide(&addresses, Some(wanted), &mut skipped);
        let shown = |skipped: &Skipped| format!("{}:{}: {}", skipped.provider, skipped.model, skipped.why);
        skipped.iter().map(shown).collect::<Vec<_>>().join(", ")
    };
    let money = "pay-per-token: not moved to by itself. It costs money for each token, and a plan never moves to that \
                 unasked: to allow it, list both under `models` in bitrouter.yaml, or in the request's own `models`";
    let plan = "subscription: not moved to by itself. A plan pays for it, and what costs money for each token never moves \
                to that unasked: to allow it, list both under `models` in bitrouter.yaml, or in the request's own `models`";
    for (setup, addresses, wanted, said) in [
        (all(), ["big"].as_slice(), RESPONSES, format!("paid:big: {money}, resale:big: {money}")),
        (
            TestProviders::with_keys(&["plan"]),
            &["big"],
            RESPONSES,
            "paid:big: no credential, resale:big: no credential".into(),
        ),
        (all().disabled("plan"), &["small"], RESPONSES, "plan:small: switched off in bitrouter.yaml".into()),
        (all(), &["plan:x", "paid:x"], CHAT, "plan:x: does not serve compact".into()),
        (all().refused("gone", "not trusted"), &["gone:x", "paid:x"], CHAT, "gone:x: not trusted".into()),
        (
            all().priority("paid", 1).disabled("resale"),
            &["big"],
            RESPONSES,
            format!("resale:big: switched off in bitrouter.yaml, plan:big: {plan}"),
        ),
    ] {
        assert_eq!(reasons(&setup, addresses, wanted), said, "{addresses:?}");
    }
}

/// A component that nobody accepted and that would like to be asked for everything.
fn with_a_greedy_component(setup: TestProviders) -> TestProviders {
    setup.foreign(
        "aaa",
        serde_json::json!({
            "vendor": "acme", "billing": "subscription", "forward": ["*"],
            "models": [{"id": "big"}, {"id": "tiny"}, {"id": "acme/big"}, {"id": "qwen3:8b"}, {"id": "its-own"}],
        }),
    )
}

#[test]
fn a_component_that_nobody_accepted_answers_to_its_own_id_and_to_no_name_that_others_have() {
    let setup = with_a_greedy_component(all());
    // Where nobody serves it, it may be named among those that would.
    let decided = |setup: &TestProviders, address: &str, wanted| {
        targets(setup, &[address], wanted).split(" These do:").next().unwrap_or_default().replace("aaa, ", "")
    };
    for address in ["big", "small", "huge", "acme/big", "tiny", "qwen3:8b", "nothing-like-it"] {
        for wanted in [RESPONSES, CHAT] {
            assert_eq!(decided(&setup, address, wanted), decided(&all(), address, wanted), "{address}");
        }
    }
    check(&setup, &[("aaa:big", "aaa:big"), ("aaa:not-listed", "aaa:not-listed")]);
    // Not even where nobody else is there to answer, or has a credential.
    for address in ["big", "acme/big", "its-own", "acme/its-own"] {
        let told = targets(&with_a_greedy_component(TestProviders::with_keys(&[])), &[address], RESPONSES);
        assert!(!told.contains("aaa:big,") && told.starts_with('4'), "{address}: {told}");
    }
    let told = targets(&setup, &["its-own"], RESPONSES);
    assert!(told.contains("reached as aaa:its-own only. To accept it: bitrouter plugin trust aaa"), "{told}");
}

#[test]
fn a_component_that_nobody_accepted_is_shown_as_passed_over() {
    let explained = with_a_greedy_component(all()).providers().explain(&["big".to_owned()], Some(RESPONSES), None);
    let skip = explained.skipped.iter().find(|skip| skip.provider == "aaa").unwrap();
    assert_eq!(
        (skip.model.as_str(), skip.why.as_str()),
        ("big", "not trusted, so it answers to its own id alone. To accept it: bitrouter plugin trust aaa")
    );
    let explained = with_a_greedy_component(all()).providers().explain(&["aaa:big".to_owned()], Some(RESPONSES), None);
    assert!(explained.notes[0].starts_with("aaa is not trusted: it answers to aaa:MODEL alone"), "{explained:?}");
    // Nor does it count as a plan, whatever it says.
    assert_eq!(explained.targets[0].billing, "pay-per-token");
}

#[test]
fn a_component_that_nobody_accepted_is_listed_by_what_it_answers_to() {
    let models = with_a_greedy_component(all()).providers().models();
    let named = |name: &str| -> Vec<String> {
        models.iter().filter(|model| model.name() == name).map(|model| model.provider.clone()).collect()
    };
    assert!(!named("big").iter().any(|provider| provider == "aaa"));
    assert_eq!(named("aaa:big"), ["aaa"]);
    assert!(named("its-own").is_empty());
}

#[test]
fn an_id_that_nobody_accepted_takes_no_name_away_that_others_list_or_the_user_gave() {
    let none = serde_json::json!({});
    let foreign =
        || all().named("mine:fast", &["local:tiny"]).foreign("qwen3", none.clone()).foreign("mine", none.clone());
    assert_eq!(targets(&foreign(), &["qwen3:8b"], CHAT), targets(&all(), &["qwen3:8b"], CHAT));
    assert_eq!(targets(&foreign(), &["mine:fast"], CHAT), "local:tiny");
    assert_eq!(targets(&foreign(), &["qwen3:other"], CHAT), "qwen3:other");
    // One that does not even serve takes as little.
    let refused = all().refused("qwen3", "not trusted");
    assert_eq!(targets(&refused, &["qwen3:8b"], CHAT), targets(&all(), &["qwen3:8b"], CHAT));
    assert!(targets(&refused, &["qwen3:other"], CHAT).contains("not trusted"));
}

#[test]
fn a_providers_name_alone_and_a_name_that_nothing_lists_say_what_to_write() {
    for (name, example) in [("paid", "paid:big"), ("paid@work", "paid@work:big")] {
        let told = format!(
            "400: `{name}` names a provider and no model: write one behind it, as in {example}. `bitrouter models` lists them"
        );
        assert_eq!(targets(&all(), &[name], RESPONSES), told);
    }
    let serving = |setup: &TestProviders| {
        targets(setup, &["zzzzzzzz"], RESPONSES).split("; ").nth(1).unwrap_or_default().to_owned()
    };
    // Only those that would serve it are named.
    assert_eq!(serving(&TestProviders::with_keys(&["paid"])), "providers are local, paid");
    assert_eq!(serving(&all().disabled("plan").disabled("local")), "providers are paid, resale");
    let nobody = TestProviders::with_keys(&[]).disabled("local");
    assert_eq!(serving(&nobody), "no provider is active yet. What each lacks: bitrouter providers");
}

#[test]
fn every_question_of_who_serves_passes_over_who_is_switched_off() {
    let without = |id: &'static str| all().disabled(id).providers();
    let ids = |providers: Vec<&Arc<Provider>>| -> Vec<String> {
        providers.into_iter().map(|provider| provider.id().to_owned()).collect()
    };
    let operations = |providers: &Providers, address: &str| providers.operations(address).join(", ");
    let (on, off) = (all().providers(), without("paid"));
    for (address, said) in
        [("embed", "embeddings"), ("paid:embed", "embeddings"), ("acme/embed", "embeddings"), ("big", "")]
    {
        assert_eq!(operations(&on, address), said, "{address}");
        assert_eq!(operations(&off, address), "", "{address}");
    }
    let named = all().named("mine", &["paid:embed"]);
    assert_eq!(operations(&named.providers(), "mine"), "embeddings");
    assert_eq!(operations(&named.disabled("paid").providers(), "mine"), "");

    assert_eq!(ids(on.on().collect()), ["local", "paid", "plan", "resale"]);
    assert_eq!(ids(off.on().collect()), ["local", "plan", "resale"]);
    assert_eq!(ids(on.active()), ["plan", "local", "paid", "resale"], "in the one order of paying");
    assert_eq!(ids(off.active()), ["plan", "local", "resale"]);
    assert_eq!((on.serving(RESPONSES).len(), off.serving(RESPONSES).len()), (3, 2));
    let listed = |providers: &Providers| providers.models().iter().any(|model| model.provider == "paid");
    assert!(listed(&on) && !listed(&off));

    assert!(on.unknown("hugee").contains("Nearest: huge") && !off.unknown("hugee").contains("huge."));
    assert!(on.unknown("pad:x").contains("Nearest providers: paid") && !off.unknown("pad:x").contains("paid"));
    assert!(on.unknown("paid").contains("paid:big") && off.unknown("paid").contains("paid:MODEL"));
    let greedy = with_a_greedy_component(all());
    assert!(greedy.providers().unknown("its-own").contains("`aaa`"));
    assert!(!greedy.disabled("aaa").providers().unknown("its-own").contains("aaa"));

    // That it is there is known all the same: its address is not a model's name, and says what is wrong.
    assert!(targets(&all().disabled("paid"), &["paid:big"], RESPONSES).contains("providers.paid.enabled"));
    // Nor does a name that it lists become that of a component which nobody accepted.
    let squatted = || all().disabled("local").disabled("resale").foreign("qwen3", serde_json::json!({}));
    assert!(targets(&squatted(), &["qwen3:8b"], CHAT).starts_with("503: local: "));
}

#[test]
fn a_model_is_listed_for_who_would_answer_it() {
    let answering = |setup: &TestProviders, name: &str| {
        setup.providers().answering(name).map_or_else(|| "nobody".to_owned(), |provider| provider.id().to_owned())
    };
    for (setup, name, who) in [
        (all(), "big", "plan"),
        (all(), "acme/big", "plan"),
        (all(), "tiny", "local"),
        (all(), "qwen3:8b", "local"),
        (all(), "huge", "paid"),
        (all(), "nothing-like-it", "nobody"),
        (all().priority("paid", 1), "big", "paid"),
        (all().disabled("plan"), "big", "paid"),
        (TestProviders::with_keys(&["resale"]), "big", "resale"),
        (TestProviders::with_keys(&["resale"]), "small", "nobody"),
        // A request is told so, and moved to nobody else.
        (TestProviders::with_keys(&["paid"]).with_a_login_that_is_over("plan"), "big", "nobody"),
        (all().misconfigured("plan"), "big", "nobody"),
    ] {
        assert_eq!(answering(&setup, name), who, "{name}");
    }
}
