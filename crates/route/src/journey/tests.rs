//! Journeys by hand: what comes after what. The simulation has them by the thousand.

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

/// A journey to these places.
fn to(cooldowns: &Cooldowns, places: Vec<Offer>) -> Journey<'_> {
    Journey::new(cooldowns, Choice::of(places, |_, _| Vec::new(), || None).candidates)
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

/// Walks to the end, every attempt failing as `fails` says of provider and label; what was tried, in order.
fn walk(mut journey: Journey<'_>, fails: impl Fn(&str, &str) -> Meaning, now: SystemTime) -> Vec<String> {
    let mut tried = Vec::new();
    while let Some(leg) = journey.next(now) {
        let candidate = journey.candidate(&leg).clone();
        // A connection is slow only while there is somewhere else to go.
        let meaning = match fails(&candidate.provider, candidate.label().unwrap_or_default()) {
            meaning if meaning == slow() && !journey.has_elsewhere(|_| true, now) => {
                Meaning { why: Some(Reason::Unreachable), ..meaning }
            }
            meaning => meaning,
        };
        tried.push(shown(&candidate));
        journey.failed(leg, &meaning, By::default(), false, now);
    }
    tried
}

#[test]
fn a_slow_connection_is_waited_for_once_everybody_else_has_failed() {
    let cooldowns = Cooldowns::default();
    let places = || vec![place("a", &["x", "y"]), place("b", &["x"])];
    let fails = |provider: &str, _: &str| if provider == "a" { slow() } else { refused(ErrorKind::Overloaded) };
    assert_eq!(walk(to(&cooldowns, places()), fails, at(0)), ["a@x", "b@x", "a@x"]);
}

#[test]
fn an_account_that_is_named_twice_is_asked_once() {
    let cooldowns = Cooldowns::default();
    let places = vec![place("a", &["y"]), place("b", &["x"]), place("a", &["x", "y"]), place("a", &["y", "x"])];
    let walked = walk(to(&cooldowns, places), |_, _| refused(ErrorKind::ContextWindow), at(0));
    assert_eq!(walked, ["a@y", "b@x", "a@x"]);
}

#[test]
fn a_slow_connection_keeps_other_requests_away_and_the_only_target_is_waited_for() {
    let cooldowns = Cooldowns::default();
    let mut journey = to(&cooldowns, vec![place("a", &["x"]), place("b", &["x"])]);
    let leg = journey.next(at(0)).unwrap();
    assert!(journey.has_elsewhere(|_| true, at(0)));
    journey.failed(leg, &slow(), By::default(), false, at(0));
    let mut next = to(&cooldowns, vec![place("a", &["x"]), place("b", &["x"])]);
    let leg = next.next(at(0)).unwrap();
    assert_eq!((&*next.candidate(&leg).provider, next.has_elsewhere(|_| true, at(0))), ("b", false));
    next.arrived(leg, at(0));

    let mut only = to(&cooldowns, vec![place("c", &["x", "y"])]);
    let leg = only.next(at(0)).unwrap();
    assert!(!only.has_elsewhere(|_| true, at(0)), "another account is no other place");
    only.arrived(leg, at(0));
}

#[test]
fn a_target_that_rests_is_no_place_to_hurry_to() {
    let cooldowns = Cooldowns::default();
    let b = Candidate::new("b", Some("x"), "m");
    cooldowns.cool(b.as_account(), Reason::RateLimited, None, at(0), at(0));
    let mut journey = to(&cooldowns, vec![place("a", &["x"]), place("b", &["x"])]);
    let leg = journey.next(at(0)).unwrap();
    assert!(!journey.has_elsewhere(|_| true, at(0)));
    journey.arrived(leg, at(0));
}

#[test]
fn a_model_that_an_account_does_not_have_is_asked_of_it_last() {
    let cooldowns = Cooldowns::default();
    let fails = |_: &str, label: &str| match label {
        "x" => refused(ErrorKind::Forbidden),
        _ => refused(ErrorKind::ContextWindow),
    };
    let both = || to(&cooldowns, vec![place("a", &["x", "y"])]);
    assert_eq!(walk(both(), fails, at(0)), ["a@x", "a@y"]);
    // What another request wants of the other account first fails there for good, so the first is not asked.
    assert_eq!(walk(both(), fails, at(1)), ["a@y"]);
    let limited = |_: &str, label: &str| match label {
        "x" => refused(ErrorKind::Forbidden),
        _ => refused(ErrorKind::RateLimited),
    };
    assert_eq!(walk(both(), limited, at(2)), ["a@y", "a@x"]);
    // Nobody is kept from the only account there is.
    let only = || to(&cooldowns, vec![place("a", &["x"])]);
    assert_eq!(walk(only(), limited, at(3)), ["a@x"]);
    assert_eq!(walk(only(), limited, at(4)), ["a@x"]);
}

#[test]
fn a_model_that_is_offered_again_is_asked_for_as_before() {
    let cooldowns = Cooldowns::default();
    let forbidden = |_: &str, _: &str| refused(ErrorKind::Forbidden);
    let only = || to(&cooldowns, vec![place("a", &["x"])]);
    walk(only(), forbidden, at(0));
    assert_eq!(cooldowns.list(at(1)).len(), 1);
    let mut journey = only();
    let leg = journey.next(at(1)).unwrap();
    journey.failed(leg, &refused(ErrorKind::InvalidRequest), By::default(), false, at(1));
    assert_eq!(cooldowns.list(at(1)).len(), 1, "a refusal says nothing of the plan");
    let mut journey = only();
    let leg = journey.next(at(2)).unwrap();
    journey.arrived(leg, at(2));
    assert_eq!(cooldowns.list(at(2)), []);
}

#[test]
fn what_is_asked_last_still_rests_for_its_limit() {
    let cooldowns = Cooldowns::default();
    let x = Candidate::new("a", Some("x"), "m");
    cooldowns.cool(x.as_model_of_account(), Reason::NotOffered, None, at(0), at(0));
    cooldowns.cool(x.as_account(), Reason::RateLimited, Some(at(30)), at(0), at(0));
    let tried = |now| {
        let journey = to(&cooldowns, vec![place("a", &["x", "y"])]);
        walk(journey, |_, _| refused(ErrorKind::Forbidden), at(now))
    };
    assert_eq!(tried(1), ["a@y"]);
    assert_eq!(tried(31), ["a@x", "a@y"], "both are asked last from now on");
}

#[test]
fn beside_a_slow_target_another_is_begun_and_the_journey_goes_on_behind_it() {
    let cooldowns = Cooldowns::default();
    let places = vec![place("a", &["x"]), place("plan", &["x"]), place("b", &["x", "y"]), place("c", &["x"])];
    let mut journey = to(&cooldowns, places);
    let first = journey.next(at(0)).unwrap();
    let no_plan = |index: usize| index != 1;
    let second = journey.beside(no_plan, at(0)).unwrap();
    let begun = journey.candidate(&second);
    assert_eq!((begun.target, begun.label()), (2, Some("x")));
    journey.failed(first, &refused(ErrorKind::Overloaded), By::default(), false, at(0));
    journey.failed(second, &refused(ErrorKind::RateLimited), By::default(), false, at(0));
    let rest = walk(journey, |_, _| refused(ErrorKind::Overloaded), at(0));
    assert_eq!(rest, ["plan@x", "b@y", "c@x"]);
}

#[test]
fn a_place_that_failed_beside_another_is_not_tried_again() {
    let cooldowns = Cooldowns::default();
    let mut journey = to(&cooldowns, vec![place("a", &["x", "y"]), place("b", &["x", "y"])]);
    let first = journey.next(at(0)).unwrap();
    let second = journey.beside(|_| true, at(0)).unwrap();
    journey.failed(second, &refused(ErrorKind::Overloaded), By::default(), false, at(0));
    journey.failed(first, &refused(ErrorKind::RateLimited), By::default(), false, at(0));
    assert_eq!(walk(journey, |_, _| refused(ErrorKind::RateLimited), at(0)), ["a@y"]);
}

#[test]
fn whatever_is_begun_beside_others_is_begun_once() {
    let cooldowns = Cooldowns::default();
    let mut journey = to(&cooldowns, vec![place("a", &["x", "y"]), place("b", &["x", "y"]), place("c", &["x"])]);
    let mut tried = Vec::new();
    while let Some(leg) = journey.next(at(0)) {
        let beside = journey.beside(|_| true, at(0));
        for leg in [Some(leg), beside].into_iter().flatten() {
            tried.push(shown(journey.candidate(&leg)));
            journey.failed(leg, &refused(ErrorKind::Forbidden), By::default(), false, at(0));
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
    let mut journey = with(0);
    let leg = journey.next(at(10)).unwrap();
    // The new login comes at 12, and the refusal of the old one after it.
    journey.failed(leg, &refused(ErrorKind::Unauthorized), By::default(), false, at(15));
    let candidate = Candidate::new("a", Some("x"), "m");
    assert!(cooldowns.peek(&candidate, at(16)).is_some());
    assert!(with(12).next(at(16)).is_some());
    assert_eq!(cooldowns.peek(&candidate, at(16)), None);
}

#[test]
fn the_credential_that_was_refused_stays_so() {
    let cooldowns = Cooldowns::default();
    let mut journey = to(&cooldowns, vec![place("a", &["x"]), place("b", &["x"])]);
    let leg = journey.next(at(10)).unwrap();
    journey.failed(leg, &refused(ErrorKind::Unauthorized), By::default(), false, at(11));
    let next = walk(
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
        let order = Journey::ahead(&cooldowns, &candidates, at(200));
        prop_assert_eq!(cooldowns.list(at(200)), before);
        let order: Vec<String> = order.into_iter().map(|index| shown(&candidates[index])).collect();
        // A failure of this side moves on to the next account and says nothing of the provider.
        let ours = |_: &str, _: &str| Meaning::ours(ErrorKind::Forbidden, Scope::Request);
        prop_assert_eq!(&walk(Journey::new(&cooldowns, candidates.clone()), ours, at(200)), &order);
        let mut once = order.clone();
        once.sort_unstable();
        once.dedup();
        prop_assert_eq!(once.len(), order.len(), "none is tried twice");
    }
}
