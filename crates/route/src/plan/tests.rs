//! Plans by hand: what comes after what. The simulation has them by the thousand.

use std::time::{Duration, UNIX_EPOCH};

use bitrouter_contract::Scope;
use bitrouter_contract::description::Billing;
use bitrouter_dialect::ErrorKind;
use proptest::prelude::*;

use super::super::choice::{Offer, Payers};
use super::super::{Account, Choice, Meaning, Strategy};
use super::*;

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000 + seconds)
}

fn place(provider: &str, labels: &[&'static str]) -> Offer {
    let accounts = labels.iter().map(|label| Account { label: (*label).into(), since: at(0) }).collect();
    Offer {
        provider: provider.into(),
        model: "m".into(),
        billing: Billing::Free,
        strategy: Strategy::Failover,
        payers: Payers::Accounts(accounts),
    }
}

/// A plan for these offers.
fn to(cooldowns: &Cooldowns, offers: Vec<Offer>) -> Plan<'_> {
    Plan::new(cooldowns, Choice::of(offers, |_, _| Vec::new(), || None).candidates)
}

fn shown(candidate: &Candidate) -> String {
    format!("{}@{}", candidate.provider, candidate.label().unwrap_or_default())
}

fn slow() -> Meaning {
    Meaning { why: Some(Reason::SlowConnect), ..Meaning::theirs(ErrorKind::Upstream, Scope::Provider, None) }
}

fn refused(kind: ErrorKind) -> Meaning {
    Meaning::theirs(kind, Scope::Account, None)
}

/// Follows the plan to its end, every attempt failing as `fails` says of provider and label; what was tried, in order.
fn run(mut plan: Plan<'_>, fails: impl Fn(&str, &str) -> Meaning, now: SystemTime) -> Vec<String> {
    let mut tried = Vec::new();
    while let Some(attempt) = plan.next(now) {
        let candidate = plan.candidate(&attempt).clone();
        // A connection is slow only while there is somewhere else to go.
        let meaning = match fails(&candidate.provider, candidate.label().unwrap_or_default()) {
            meaning if meaning == slow() && !plan.has_elsewhere(|_| true, now) => {
                Meaning { why: Some(Reason::Unreachable), ..meaning }
            }
            meaning => meaning,
        };
        tried.push(shown(&candidate));
        plan.failed(attempt, &meaning, By::default(), false, now);
    }
    tried
}

#[test]
fn a_slow_connection_is_waited_for_once_everybody_else_has_failed() {
    let cooldowns = Cooldowns::default();
    let places = || vec![place("a", &["x", "y"]), place("b", &["x"])];
    let fails = |provider: &str, _: &str| if provider == "a" { slow() } else { refused(ErrorKind::Overloaded) };
    assert_eq!(run(to(&cooldowns, places()), fails, at(0)), ["a@x", "b@x", "a@x"]);
}

#[test]
fn an_account_that_is_named_twice_is_asked_once() {
    let cooldowns = Cooldowns::default();
    let places = vec![place("a", &["y"]), place("b", &["x"]), place("a", &["x", "y"]), place("a", &["y", "x"])];
    let tried = run(to(&cooldowns, places), |_, _| refused(ErrorKind::ContextWindow), at(0));
    assert_eq!(tried, ["a@y", "b@x", "a@x"]);
}

#[test]
fn a_slow_connection_keeps_other_requests_away_and_the_only_target_is_waited_for() {
    let cooldowns = Cooldowns::default();
    let mut plan = to(&cooldowns, vec![place("a", &["x"]), place("b", &["x"])]);
    let attempt = plan.next(at(0)).unwrap();
    assert!(plan.has_elsewhere(|_| true, at(0)));
    plan.failed(attempt, &slow(), By::default(), false, at(0));
    let mut next = to(&cooldowns, vec![place("a", &["x"]), place("b", &["x"])]);
    let attempt = next.next(at(0)).unwrap();
    assert_eq!((&*next.candidate(&attempt).provider, next.has_elsewhere(|_| true, at(0))), ("b", false));
    next.arrived(attempt, at(0));

    let mut only = to(&cooldowns, vec![place("c", &["x", "y"])]);
    let attempt = only.next(at(0)).unwrap();
    assert!(!only.has_elsewhere(|_| true, at(0)), "another account is no other place");
    only.arrived(attempt, at(0));
}

#[test]
fn a_target_that_rests_is_no_place_to_hurry_to() {
    let cooldowns = Cooldowns::default();
    let b = Candidate::new("b", Some("x"), "m");
    cooldowns.cool(b.as_account(), Reason::RateLimited, None, at(0), at(0));
    let mut plan = to(&cooldowns, vec![place("a", &["x"]), place("b", &["x"])]);
    let attempt = plan.next(at(0)).unwrap();
    assert!(!plan.has_elsewhere(|_| true, at(0)));
    plan.arrived(attempt, at(0));
}

#[test]
fn a_model_that_an_account_does_not_have_is_asked_of_it_last() {
    let cooldowns = Cooldowns::default();
    let fails = |_: &str, label: &str| match label {
        "x" => refused(ErrorKind::Forbidden),
        _ => refused(ErrorKind::ContextWindow),
    };
    let both = || to(&cooldowns, vec![place("a", &["x", "y"])]);
    assert_eq!(run(both(), fails, at(0)), ["a@x", "a@y"]);
    // What another request wants of the other account first fails there for good, so the first is not asked.
    assert_eq!(run(both(), fails, at(1)), ["a@y"]);
    let limited = |_: &str, label: &str| match label {
        "x" => refused(ErrorKind::Forbidden),
        _ => refused(ErrorKind::RateLimited),
    };
    assert_eq!(run(both(), limited, at(2)), ["a@y", "a@x"]);
    // Nobody is kept from the only account there is.
    let only = || to(&cooldowns, vec![place("a", &["x"])]);
    assert_eq!(run(only(), limited, at(3)), ["a@x"]);
    assert_eq!(run(only(), limited, at(4)), ["a@x"]);
}

#[test]
fn a_model_that_is_offered_again_is_asked_for_as_before() {
    let cooldowns = Cooldowns::default();
    let forbidden = |_: &str, _: &str| refused(ErrorKind::Forbidden);
    let only = || to(&cooldowns, vec![place("a", &["x"])]);
    run(only(), forbidden, at(0));
    assert_eq!(cooldowns.list(at(1)).len(), 1);
    let mut plan = only();
    let attempt = plan.next(at(1)).unwrap();
    plan.failed(attempt, &refused(ErrorKind::InvalidRequest), By::default(), false, at(1));
    assert_eq!(cooldowns.list(at(1)).len(), 1, "a refusal says nothing of the plan");
    let mut plan = only();
    let attempt = plan.next(at(2)).unwrap();
    plan.arrived(attempt, at(2));
    assert_eq!(cooldowns.list(at(2)), []);
}

#[test]
fn what_is_asked_last_still_rests_for_its_limit() {
    let cooldowns = Cooldowns::default();
    let x = Candidate::new("a", Some("x"), "m");
    cooldowns.cool(x.as_model_of_account(), Reason::NotOffered, None, at(0), at(0));
    cooldowns.cool(x.as_account(), Reason::RateLimited, Some(at(30)), at(0), at(0));
    let tried = |now| {
        let plan = to(&cooldowns, vec![place("a", &["x", "y"])]);
        run(plan, |_, _| refused(ErrorKind::Forbidden), at(now))
    };
    assert_eq!(tried(1), ["a@y"]);
    assert_eq!(tried(31), ["a@x", "a@y"], "both are asked last from now on");
}

#[test]
fn a_hedge_begins_at_another_target_and_the_plan_goes_on_behind_it() {
    let cooldowns = Cooldowns::default();
    let places = vec![place("a", &["x"]), place("plan", &["x"]), place("b", &["x", "y"]), place("c", &["x"])];
    let mut plan = to(&cooldowns, places);
    let first = plan.next(at(0)).unwrap();
    let no_plan = |index: usize| index != 1;
    let second = plan.hedge(no_plan, at(0)).unwrap();
    let begun = plan.candidate(&second);
    assert_eq!((begun.target, begun.label()), (2, Some("x")));
    plan.failed(first, &refused(ErrorKind::Overloaded), By::default(), false, at(0));
    plan.failed(second, &refused(ErrorKind::RateLimited), By::default(), false, at(0));
    let rest = run(plan, |_, _| refused(ErrorKind::Overloaded), at(0));
    assert_eq!(rest, ["plan@x", "b@y", "c@x"]);
}

#[test]
fn a_target_that_failed_as_a_hedge_is_not_tried_again() {
    let cooldowns = Cooldowns::default();
    let mut plan = to(&cooldowns, vec![place("a", &["x", "y"]), place("b", &["x", "y"])]);
    let first = plan.next(at(0)).unwrap();
    let second = plan.hedge(|_| true, at(0)).unwrap();
    plan.failed(second, &refused(ErrorKind::Overloaded), By::default(), false, at(0));
    plan.failed(first, &refused(ErrorKind::RateLimited), By::default(), false, at(0));
    assert_eq!(run(plan, |_, _| refused(ErrorKind::RateLimited), at(0)), ["a@y"]);
}

#[test]
fn whatever_is_begun_as_a_hedge_is_begun_once() {
    let cooldowns = Cooldowns::default();
    let mut plan = to(&cooldowns, vec![place("a", &["x", "y"]), place("b", &["x", "y"]), place("c", &["x"])]);
    let mut tried = Vec::new();
    while let Some(attempt) = plan.next(at(0)) {
        let hedge = plan.hedge(|_| true, at(0));
        for attempt in [Some(attempt), hedge].into_iter().flatten() {
            tried.push(shown(plan.candidate(&attempt)));
            plan.failed(attempt, &refused(ErrorKind::Forbidden), By::default(), false, at(0));
        }
    }
    assert_eq!(tried, ["a@x", "b@x", "a@y", "b@y", "c@x"]);
}

#[test]
fn a_login_that_is_newer_than_the_request_that_was_refused_is_not_refused() {
    let cooldowns = Cooldowns::default();
    let with = |since: u64| {
        let accounts = vec![Account { label: "x".into(), since: at(since) }];
        to(&cooldowns, vec![Offer { payers: Payers::Accounts(accounts), ..place("a", &[]) }])
    };
    let mut plan = with(0);
    let attempt = plan.next(at(10)).unwrap();
    // The new login comes at 12, and the refusal of the old one after it.
    plan.failed(attempt, &refused(ErrorKind::Unauthorized), By::default(), false, at(15));
    let candidate = Candidate::new("a", Some("x"), "m");
    assert!(cooldowns.peek(&candidate, at(16)).is_some());
    assert!(with(12).next(at(16)).is_some());
    assert_eq!(cooldowns.peek(&candidate, at(16)), None);
}

#[test]
fn the_credential_that_was_refused_stays_so() {
    let cooldowns = Cooldowns::default();
    let mut plan = to(&cooldowns, vec![place("a", &["x"]), place("b", &["x"])]);
    let attempt = plan.next(at(10)).unwrap();
    plan.failed(attempt, &refused(ErrorKind::Unauthorized), By::default(), false, at(11));
    let next = run(
        to(&cooldowns, vec![place("a", &["x"]), place("b", &["x"])]),
        |_, _| refused(ErrorKind::Overloaded),
        at(20),
    );
    assert_eq!(next, ["b@x"]);
}

/// Moments at which something may have failed before, and for how long: over, due for a probe, and cooling.
fn cooldown() -> impl proptest::strategy::Strategy<Value = (usize, usize, usize, Reason, u64)> {
    let reasons = [Reason::RateLimited, Reason::UsageLimit, Reason::NotOffered, Reason::Failing, Reason::LoggedOut];
    (0..3usize, 0..3usize, 0..3usize, prop::sample::select(reasons.to_vec()), 1..200u64)
}

proptest! {
    #[test]
    fn what_is_seen_ahead_is_what_is_tried_and_looking_changes_nothing(
        places in prop::collection::vec((0..3usize, prop::sample::subsequence(vec!["x", "y", "z"], 0..=3)), 1..5),
        known in prop::collection::vec(cooldown(), 0..6),
    ) {
        const PROVIDERS: [&str; 3] = ["a", "b", "c"];
        let cooldowns = Cooldowns::default();
        for (provider, label, width, reason, ago) in known {
            let candidate = Candidate::new(PROVIDERS[provider], Some(["x", "y", "z"][label]), "m");
            let subject = [candidate.as_account(), candidate.as_model_of_account(), candidate.as_target()];
            cooldowns.cool(subject[width].clone(), reason, None, at(200 - ago), at(200 - ago));
        }
        let places = places.into_iter().map(|(provider, labels)| place(PROVIDERS[provider], &labels)).collect();
        let candidates = Choice::of(places, |_, _| Vec::new(), || None).candidates;
        let before = cooldowns.list(at(200));
        let order = Plan::ahead(&cooldowns, &candidates, at(200));
        prop_assert_eq!(cooldowns.list(at(200)), before);
        let order: Vec<String> = order.into_iter().map(|index| shown(&candidates[index])).collect();
        // A failure of this side moves on to the next account and says nothing of the provider.
        let ours = |_: &str, _: &str| Meaning::ours(ErrorKind::Forbidden, Scope::Request);
        prop_assert_eq!(&run(Plan::new(&cooldowns, candidates.clone()), ours, at(200)), &order);
        let mut once = order.clone();
        once.sort_unstable();
        once.dedup();
        prop_assert_eq!(once.len(), order.len(), "none is tried twice");
    }
}
