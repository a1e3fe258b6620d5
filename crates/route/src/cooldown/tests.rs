//! What the promise says, sentence by sentence, at moments that the tests choose.

use std::sync::LazyLock;

use super::*;

static WORK: LazyLock<Candidate> = LazyLock::new(|| Candidate::new("openai", Some("work"), "gpt-5"));
static HOME: LazyLock<Candidate> = LazyLock::new(|| Candidate::new("openai", Some("home"), "gpt-5"));
static OTHER_MODEL: LazyLock<Candidate> = LazyLock::new(|| Candidate::new("openai", Some("work"), "o3"));
static OTHER_PROVIDER: LazyLock<Candidate> = LazyLock::new(|| Candidate::new("azure", Some("work"), "gpt-5"));

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// So many seconds after the beginning of a test.
fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000 + seconds)
}

fn since_start(time: SystemTime) -> u64 {
    time.duration_since(at(0)).unwrap().as_secs()
}

/// A failure at a moment of a request that was sent then.
fn fails(cooldowns: &Cooldowns, subject: Subject, reason: Reason, reported: Option<u64>, now: u64) {
    cooldowns.cool(subject, reason, reported.map(at), at(now), at(now));
}

fn is_free(cooldowns: &Cooldowns, candidate: &Candidate, now: u64) -> bool {
    matches!(cooldowns.admit(candidate, at(now)), Admission::Free)
}

/// When it ends, if it cools.
fn cools_until(cooldowns: &Cooldowns, candidate: &Candidate, now: u64) -> Option<u64> {
    match cooldowns.admit(candidate, at(now)) {
        Admission::Cooling { until, .. } => Some(since_start(until)),
        _ => None,
    }
}

fn probe(cooldowns: &Cooldowns, candidate: &Candidate, now: u64) -> Probe {
    match cooldowns.admit(candidate, at(now)) {
        Admission::Probe(probe) => probe,
        other => panic!("{candidate:?} at {now} s: {other:?}"),
    }
}

fn window(used_percent: Option<f64>, remaining: Option<u64>) -> Window {
    Window { name: "w".into(), used_percent, limit: None, remaining, length_seconds: None, resets_at: None, told_at: 0 }
}

#[test]
fn what_cools_is_the_subject_and_nothing_beside_it() {
    for (subject, cooled) in [
        (WORK.as_account(), [true, false, true, false]),
        (WORK.as_target(), [true, true, false, false]),
        (WORK.as_model_of_account(), [true, false, false, false]),
        (WORK.as_provider(), [true, true, true, false]),
    ] {
        let cooldowns = Cooldowns::default();
        fails(&cooldowns, subject.clone(), Reason::RateLimited, None, 0);
        let found = [&WORK, &HOME, &OTHER_MODEL, &OTHER_PROVIDER].map(|candidate| !is_free(&cooldowns, candidate, 1));
        assert_eq!(found, cooled, "{subject}");
    }
}

#[test]
fn the_end_is_what_the_provider_tells_within_the_bounds_of_the_reason() {
    for (reason, reported, until) in [
        (Reason::RateLimited, Some(30), 30),
        (Reason::RateLimited, Some(5 * HOUR), HOUR),
        (Reason::RateLimited, None, MINUTE),
        (Reason::UsageLimit, Some(5 * HOUR), 5 * HOUR),
        (Reason::UsageLimit, Some(7 * DAY), 7 * DAY),
        (Reason::UsageLimit, Some(18 * DAY), 8 * DAY),
        (Reason::UsageLimit, None, 15 * MINUTE),
        (Reason::LoggedOut, None, 15 * MINUTE),
        (Reason::Overloaded, None, 1),
        (Reason::Overloaded, Some(30), 30),
        (Reason::Unreachable, Some(DAY), 2 * MINUTE),
    ] {
        let cooldowns = Cooldowns::default();
        fails(&cooldowns, WORK.as_account(), reason, reported, 0);
        assert_eq!(cools_until(&cooldowns, &WORK, 0), Some(until), "{reason:?} until {reported:?}");
    }
}

#[test]
fn a_model_that_an_account_lacks_closes_nothing_and_is_looked_for_again() {
    let cooldowns = Cooldowns::default();
    fails(&cooldowns, WORK.as_model_of_account(), Reason::NotOffered, None, 0);
    let lacks = |candidate: &Candidate, now| cooldowns.is_asked_last(candidate, at(now));
    assert_eq!(cools_until(&cooldowns, &WORK, 1), None);
    assert_eq!([&WORK, &HOME, &OTHER_MODEL].map(|candidate| lacks(candidate, 1)), [true, false, false]);
    // After a minute one request looks, at its usual place.
    assert!(!lacks(&WORK, MINUTE));
    let probe = cooldowns.admit(&WORK, at(MINUTE));
    assert!(matches!(probe, Admission::Probe(_)) && lacks(&WORK, MINUTE + 1));
    drop(probe);
    assert!(!lacks(&WORK, 15 * MINUTE) && cooldowns.list(at(15 * MINUTE)).is_empty());
}

#[test]
fn an_end_that_has_passed_is_none() {
    let cooldowns = Cooldowns::default();
    // The provider's clock is behind.
    cooldowns.cool(WORK.as_account(), Reason::RateLimited, Some(at(0)), at(10), at(10));
    assert_eq!(cools_until(&cooldowns, &WORK, 10), Some(10 + MINUTE));
}

#[test]
fn a_limit_is_over_at_its_end_for_everybody() {
    let cooldowns = Cooldowns::default();
    fails(&cooldowns, WORK.as_account(), Reason::RateLimited, Some(30), 0);
    assert!(!is_free(&cooldowns, &WORK, 29));
    assert!(is_free(&cooldowns, &WORK, 30) && is_free(&cooldowns, &WORK, 30));
    assert_eq!(cooldowns.list(at(30)), []);
}

#[test]
fn a_limit_without_an_end_doubles_while_it_goes_on_up_to_an_hour() {
    let cooldowns = Cooldowns::default();
    let mut now = 0;
    for minutes in [1, 2, 4, 8, 16, 32, 60, 60] {
        fails(&cooldowns, WORK.as_account(), Reason::RateLimited, None, now);
        let until = since_start(cooldowns.list(at(now))[0].until);
        assert_eq!(until - now, minutes * MINUTE);
        now = until;
    }
    cooldowns.worked(&WORK, at(now));
    fails(&cooldowns, WORK.as_account(), Reason::RateLimited, None, now);
    assert_eq!(cools_until(&cooldowns, &WORK, now), Some(now + MINUTE), "one that worked begins a new row");
}

#[test]
fn a_provider_that_always_says_one_second_is_asked_less_and_less() {
    let cooldowns = Cooldowns::default();
    let mut now = 0;
    for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
        fails(&cooldowns, WORK.as_account(), Reason::RateLimited, Some(now + 1), now);
        let until = since_start(cooldowns.list(at(now))[0].until);
        assert_eq!(until - now, seconds);
        now = until;
    }
}

#[test]
fn probes_of_a_limit_go_after_a_minute_doubling_to_fifteen_and_hourly_after_a_day() {
    let cooldowns = Cooldowns::default();
    fails(&cooldowns, WORK.as_account(), Reason::UsageLimit, Some(7 * DAY), 0);
    let mut probes = Vec::new();
    for now in (0..2 * DAY).step_by(5) {
        if let Admission::Probe(probe) = cooldowns.admit(&WORK, at(now)) {
            probes.push(now);
            drop(probe);
        }
    }
    assert_eq!(probes[..7], [1, 3, 7, 15, 30, 45, 60].map(|minutes| minutes * MINUTE));
    let waits: Vec<u64> = probes.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let old = probes.iter().position(|now| *now >= DAY).unwrap();
    assert!(waits[4..old].iter().all(|wait| *wait == 15 * MINUTE), "{waits:?}");
    assert!(waits[old..].iter().all(|wait| *wait == HOUR), "{waits:?}");
    assert!(waits.len() > old + 20);
}

#[test]
fn a_probe_that_fails_again_keeps_to_the_schedule() {
    let cooldowns = Cooldowns::default();
    fails(&cooldowns, WORK.as_account(), Reason::UsageLimit, Some(DAY), 0);
    let probing = probe(&cooldowns, &WORK, MINUTE);
    fails(&cooldowns, WORK.as_account(), Reason::UsageLimit, Some(2 * DAY), MINUTE + 1);
    drop(probing);
    assert_eq!(cools_until(&cooldowns, &WORK, 3 * MINUTE - 1), Some(2 * DAY), "the newest end counts");
    drop(probe(&cooldowns, &WORK, 3 * MINUTE));
    assert_eq!(since_start(cooldowns.list(at(4 * MINUTE))[0].since), 0);
}

#[test]
fn while_a_probe_is_under_way_no_other_goes_for_a_minute() {
    let cooldowns = Cooldowns::default();
    fails(&cooldowns, WORK.as_target(), Reason::Unreachable, None, 0);
    let first = probe(&cooldowns, &WORK, 10);
    assert_eq!(cools_until(&cooldowns, &HOME, 11), Some(11), "of another account too");
    assert!(cooldowns.list(at(11))[0].probing);
    assert_eq!(cools_until(&cooldowns, &WORK, 69), Some(69));
    // An address where nobody lives can stay silent for ten minutes.
    let second = probe(&cooldowns, &WORK, 70);
    drop(first);
    assert!(!is_free(&cooldowns, &WORK, 71), "the second is still under way");
    drop(second);
    drop(probe(&cooldowns, &WORK, 72));
}

#[test]
fn a_probe_that_succeeds_ends_all_that_it_was_a_probe_of() {
    let cooldowns = Cooldowns::default();
    fails(&cooldowns, WORK.as_account(), Reason::UsageLimit, Some(DAY), 0);
    fails(&cooldowns, WORK.as_target(), Reason::Failing, None, 0);
    fails(&cooldowns, HOME.as_account(), Reason::UsageLimit, Some(DAY), 0);
    let probing = probe(&cooldowns, &WORK, MINUTE);
    assert_eq!(probing.subjects().len(), 2);
    probing.succeeded();
    assert!(is_free(&cooldowns, &WORK, MINUTE + 1));
    assert_eq!(cooldowns.list(at(MINUTE + 1)).len(), 1, "the other account's limit stays");
}

#[test]
fn a_limit_that_was_met_again_since_stays_although_a_probe_succeeds() {
    let cooldowns = Cooldowns::default();
    fails(&cooldowns, WORK.as_account(), Reason::UsageLimit, Some(DAY), 0);
    let probing = probe(&cooldowns, &WORK, MINUTE);
    fails(&cooldowns, WORK.as_account(), Reason::UsageLimit, Some(2 * DAY), MINUTE + 1);
    probing.succeeded();
    assert_eq!(cools_until(&cooldowns, &WORK, MINUTE + 2), Some(2 * DAY));
}

#[test]
fn nothing_is_probed_while_another_reason_closes_it() {
    let cooldowns = Cooldowns::default();
    fails(&cooldowns, WORK.as_account(), Reason::UsageLimit, Some(DAY), 0);
    fails(&cooldowns, WORK.as_target(), Reason::Failing, Some(63), 58);
    assert_eq!(cools_until(&cooldowns, &WORK, MINUTE), Some(63), "the limit's probe is due, the outage is not over");
    assert_eq!(probe(&cooldowns, &WORK, 63).subjects().len(), 2);
}

#[test]
fn an_outage_doubles_from_one_second_to_two_minutes_and_one_goes_first_at_its_end() {
    let cooldowns = Cooldowns::default();
    let mut now = 0;
    fails(&cooldowns, WORK.as_target(), Reason::Unreachable, None, now);
    for seconds in [1, 2, 4, 8, 16, 32, 64, 120, 120] {
        let until = now + seconds;
        assert_eq!(cools_until(&cooldowns, &WORK, until - 1), Some(until), "after {seconds} s");
        let probing = probe(&cooldowns, &WORK, until);
        assert!(!is_free(&cooldowns, &WORK, until));
        // It takes a second to fail.
        cooldowns.cool(WORK.as_target(), Reason::Unreachable, None, at(until), at(until + 1));
        drop(probing);
        now = until + 1;
    }
}

#[test]
fn of_a_hundred_requests_that_were_under_way_one_counts() {
    let cooldowns = Cooldowns::default();
    for request in 0..100 {
        let (sent, now) = (at(request % 10), at(10 + request / 50));
        cooldowns.cool(WORK.as_target(), Reason::Unreachable, None, sent, now);
    }
    assert_eq!(cools_until(&cooldowns, &WORK, 10), Some(11));
    // One that comes much later, out of the same row, does not reopen it either.
    cooldowns.cool(WORK.as_target(), Reason::Silent, None, at(9), at(600));
    drop(probe(&cooldowns, &WORK, 600));
}

#[test]
fn of_answers_under_way_the_end_that_is_later_counts() {
    let cooldowns = Cooldowns::default();
    let limited = |reason, reported| cooldowns.cool(WORK.as_account(), reason, Some(at(reported)), at(0), at(2));
    limited(Reason::RateLimited, 30);
    limited(Reason::UsageLimit, DAY);
    limited(Reason::RateLimited, 60);
    let listed = &cooldowns.list(at(3))[0];
    assert_eq!((listed.reason, since_start(listed.until)), (Reason::UsageLimit, DAY));
}

#[test]
fn an_end_that_has_passed_prolongs_nothing() {
    let cooldowns = Cooldowns::default();
    fails(&cooldowns, WORK.as_account(), Reason::RateLimited, Some(30), 10);
    cooldowns.cool(WORK.as_account(), Reason::RateLimited, Some(at(5)), at(9), at(11));
    assert_eq!(cools_until(&cooldowns, &WORK, 11), Some(30));
}

#[test]
fn any_request_that_works_ends_an_outage_and_no_limit() {
    let cooldowns = Cooldowns::default();
    fails(&cooldowns, WORK.as_target(), Reason::Failing, None, 0);
    fails(&cooldowns, WORK.as_provider(), Reason::Silent, None, 0);
    cooldowns.worked(&OTHER_MODEL, at(1));
    let left: Vec<String> = cooldowns.list(at(1)).iter().map(|cooling| cooling.subject.to_string()).collect();
    assert_eq!(left, ["openai:gpt-5"], "another model of the provider worked, so the provider is there");
    cooldowns.worked(&HOME, at(2));
    assert!(is_free(&cooldowns, &WORK, 2));
    fails(&cooldowns, WORK.as_account(), Reason::UsageLimit, Some(DAY), 3);
    cooldowns.worked(&WORK, at(4));
    assert!(!is_free(&cooldowns, &WORK, 4), "it may have begun before the limit was reached");
}

#[test]
fn an_outage_does_not_take_the_place_of_a_limit() {
    let cooldowns = Cooldowns::default();
    let local = Candidate::new("ollama", None, "qwen3");
    fails(&cooldowns, local.as_account(), Reason::RateLimited, Some(HOUR), 0);
    fails(&cooldowns, local.as_provider(), Reason::Failing, None, 1);
    assert_eq!(cools_until(&cooldowns, &local, 2), Some(HOUR));
}

#[test]
fn fresh_headers_that_show_room_end_limits_at_once() {
    let (half, full) = (window(Some(50.0), None), window(Some(100.0), None));
    let (some, none, silent) = (window(None, Some(3)), window(None, Some(0)), window(None, None));
    for (windows, heard, ends) in [
        (vec![half.clone()], 2, true),
        (vec![half.clone(), some, silent.clone()], 2, true),
        (vec![half.clone(), full], 2, false),
        (vec![half.clone(), none], 2, false),
        (vec![silent], 2, false),
        (vec![], 2, false),
        // Of the refusal itself, or of an answer before it.
        (vec![half], 1, false),
    ] {
        let cooldowns = Cooldowns::default();
        fails(&cooldowns, WORK.as_account(), Reason::UsageLimit, Some(DAY), 1);
        fails(&cooldowns, WORK.as_model_of_account(), Reason::RateLimited, Some(MINUTE), 1);
        fails(&cooldowns, HOME.as_account(), Reason::UsageLimit, Some(DAY), 1);
        cooldowns.room(&WORK, &windows, at(heard), at(3));
        assert_eq!(is_free(&cooldowns, &WORK, 3), ends, "{windows:?} at {heard}");
        assert!(!is_free(&cooldowns, &HOME, 3));
    }
}

#[test]
fn headers_say_nothing_of_a_dead_credential_an_outage_or_another_models_limit() {
    let cooldowns = Cooldowns::default();
    fails(&cooldowns, WORK.as_account(), Reason::LoggedOut, None, 0);
    fails(&cooldowns, WORK.as_target(), Reason::Failing, None, 0);
    fails(&cooldowns, OTHER_MODEL.as_model_of_account(), Reason::RateLimited, None, 0);
    cooldowns.room(&WORK, &[window(Some(0.0), None)], at(1), at(1));
    assert_eq!(cooldowns.list(at(1)).len(), 3);
}

#[test]
fn where_all_cool_the_first_to_end_is_tried_one_at_a_time_and_one_each_ten_seconds() {
    let cooldowns = Cooldowns::default();
    fails(&cooldowns, WORK.as_account(), Reason::UsageLimit, Some(DAY), 0);
    fails(&cooldowns, HOME.as_account(), Reason::UsageLimit, Some(HOUR), 0);
    let candidates: [&Candidate; 2] = [&WORK, &HOME];
    let resort = |now| cooldowns.last_resort(&candidates, at(now)).unwrap();
    let tried = |now| match resort(now) {
        LastResort::Try { index, probe } => (index, probe),
        other => panic!("at {now} s: {other:?}"),
    };
    let waits = |now| matches!(resort(now), LastResort::Wait { index: 1, until, .. } if until == at(HOUR));
    let (index, first) = tried(1);
    assert_eq!(index, 1);
    assert!(waits(1) && waits(20), "while it is under way, nobody else");
    drop(first);
    let (_, second) = tried(20);
    drop(second);
    assert!(waits(21) && waits(29), "nor within ten seconds");
    let (_, third) = tried(30);
    third.succeeded();
    assert!(is_free(&cooldowns, &HOME, 31));
}

#[test]
fn the_last_resort_keeps_its_pace_whichever_ends_first() {
    let cooldowns = Cooldowns::default();
    fails(&cooldowns, WORK.as_account(), Reason::UsageLimit, Some(2 * HOUR), 0);
    fails(&cooldowns, HOME.as_account(), Reason::UsageLimit, Some(HOUR), 0);
    let resort = |now| cooldowns.last_resort(&[&WORK, &HOME], at(now));
    assert!(matches!(resort(1), Some(LastResort::Try { index: 1, .. })));
    fails(&cooldowns, HOME.as_account(), Reason::UsageLimit, Some(DAY), 2);
    assert!(matches!(resort(3), Some(LastResort::Wait { index: 0, .. })), "its try was another's, and yet a try");
    assert!(matches!(resort(11), Some(LastResort::Try { index: 0, .. })));
    assert!(cooldowns.last_resort(&[], at(12)).is_none());
}

#[test]
fn no_probe_follows_a_last_resort_within_ten_seconds() {
    let cooldowns = Cooldowns::default();
    fails(&cooldowns, WORK.as_account(), Reason::UsageLimit, Some(HOUR), 0);
    assert!(matches!(cooldowns.last_resort(&[&WORK], at(MINUTE - 5)), Some(LastResort::Try { .. })));
    assert_eq!(cools_until(&cooldowns, &WORK, MINUTE), Some(HOUR));
    drop(probe(&cooldowns, &WORK, MINUTE + 5));
}

#[test]
fn an_outage_past_its_end_keeps_nobody_back_who_has_nowhere_else_to_go() {
    let cooldowns = Cooldowns::default();
    fails(&cooldowns, WORK.as_target(), Reason::Failing, None, 0);
    let _thinks_for_long = probe(&cooldowns, &WORK, 5);
    for _ in 0..3 {
        assert!(!is_free(&cooldowns, &WORK, 6), "others go elsewhere");
        assert!(matches!(cooldowns.last_resort(&[&WORK], at(6)), Some(LastResort::Try { index: 0, .. })));
    }
}

#[test]
fn what_is_lifted_is_what_was_named() {
    let filled = || {
        let cooldowns = Cooldowns::default();
        fails(&cooldowns, WORK.as_account(), Reason::UsageLimit, Some(DAY), 0);
        fails(&cooldowns, WORK.as_model_of_account(), Reason::NotOffered, None, 0);
        fails(&cooldowns, HOME.as_account(), Reason::RateLimited, None, 0);
        fails(&cooldowns, WORK.as_target(), Reason::Failing, None, 0);
        fails(&cooldowns, OTHER_PROVIDER.as_account(), Reason::RateLimited, None, 0);
        cooldowns
    };
    for (provider, label, lifted) in
        [(None, None, 5), (Some("openai"), None, 4), (Some("openai"), Some("work"), 2), (Some("nobody"), None, 0)]
    {
        let cooldowns = filled();
        assert_eq!(cooldowns.clear(provider, label, at(1)), lifted, "{provider:?} {label:?}");
        assert_eq!(cooldowns.list(at(1)).len(), 5 - lifted);
    }
}

#[test]
fn the_list_is_for_people_and_programs() {
    let cooldowns = Cooldowns::default();
    fails(&cooldowns, WORK.as_account(), Reason::UsageLimit, Some(HOUR), 0);
    fails(&cooldowns, WORK.as_target(), Reason::Overloaded, None, 0);
    assert_eq!(
        serde_json::to_value(cooldowns.list(at(0))).unwrap(),
        serde_json::json!([
            { "provider": "openai", "account": null, "model": "gpt-5", "reason": "overloaded", "since": "2027-01-15T08:00:00Z",
              "until": "2027-01-15T08:00:01Z", "next_probe": "2027-01-15T08:00:01Z", "probing": false },
            { "provider": "openai", "account": "work", "model": null, "reason": "usage-limit",
              "since": "2027-01-15T08:00:00Z", "until": "2027-01-15T09:00:00Z", "next_probe": "2027-01-15T08:01:00Z",
              "probing": false },
        ])
    );
    assert_eq!(cooldowns.peek(&WORK, at(1)), Some((at(HOUR), Reason::UsageLimit)));
    assert_eq!(cooldowns.peek(&OTHER_PROVIDER, at(1)), None);
}

#[test]
fn a_look_is_no_probe() {
    let cooldowns = Cooldowns::default();
    fails(&cooldowns, WORK.as_account(), Reason::UsageLimit, Some(HOUR), 0);
    assert_eq!(cooldowns.peek(&WORK, at(MINUTE)), None);
    drop(probe(&cooldowns, &WORK, MINUTE));
}

#[test]
fn a_clock_that_is_set_back_prolongs_nothing_beyond_its_bound() {
    let cooldowns = Cooldowns::default();
    fails(&cooldowns, WORK.as_account(), Reason::RateLimited, Some(30 * DAY + 30), 30 * DAY);
    assert_eq!(cools_until(&cooldowns, &WORK, 0), Some(HOUR));
    drop(probe(&cooldowns, &WORK, 15 * MINUTE));
    assert!(is_free(&cooldowns, &WORK, HOUR));
}

#[test]
fn names_that_clients_invent_fill_no_memory() {
    let cooldowns = Cooldowns::default();
    fails(&cooldowns, WORK.as_account(), Reason::UsageLimit, Some(DAY), 0);
    for number in 0..2000 {
        let model = format!("invented-{number}");
        fails(&cooldowns, Candidate::new("openai", None, model).as_target(), Reason::Failing, None, number);
    }
    let long = "x".repeat(1000);
    fails(&cooldowns, Candidate::new("openai", None, &*long).as_target(), Reason::Failing, None, 2000);
    assert!(cooldowns.0.count.load(Ordering::Relaxed) <= table::MOST_COOLDOWNS);
    assert!(!is_free(&cooldowns, &WORK, 10), "what ends last stays");
    assert!(is_free(&cooldowns, &Candidate::new("openai", Some("home"), &*long), 2000));
}

#[test]
fn nothing_is_remembered_of_what_is_long_over() {
    let cooldowns = Cooldowns::default();
    fails(&cooldowns, WORK.as_target(), Reason::Failing, None, 0);
    assert!(!cooldowns.0.is_empty());
    assert!(is_free(&cooldowns, &WORK, 5 + 10 * MINUTE));
    assert!(cooldowns.0.is_empty());
}

#[test]
fn the_end_of_a_failure_is_its_reset_before_its_pause() {
    let now = at(0);
    let reset = 1_800_000_060;
    assert_eq!(end(Some(Duration::from_secs(5)), Some(reset), now), Some(at(60)));
    assert_eq!(end(Some(Duration::from_secs(5)), None, now), Some(at(5)));
    assert_eq!(end(None, None, now), None);
    assert_eq!(end(Some(Duration::MAX), None, now), None);
    // No panic, whatever a component answers; the bounds do the rest.
    fails(&Cooldowns::default(), WORK.as_account(), Reason::UsageLimit, None, 0);
    Cooldowns::default().cool(WORK.as_account(), Reason::UsageLimit, end(None, Some(u64::MAX), now), now, now);
}

#[test]
fn what_one_caller_alone_has_met_closes_nothing_and_is_everybodys_once_another_meets_it_and_nobody_is_answered() {
    let cooldowns = Cooldowns::default();
    let fails = |caller, now| {
        cooldowns.cool_for(WORK.as_target(), Reason::Failing, caller, None, at(now), at(now));
    };
    let stands = |now| (cooldowns.peek(&WORK, at(now)).is_some(), cooldowns.is_asked_last(&WORK, at(now)));
    fails(1, 0);
    fails(1, 0);
    assert_eq!(stands(0), (false, true), "it is asked last, and kept from nobody");
    assert_eq!(stands(1), (false, false));
    // Somebody was answered, long after: for ten seconds it is nobody else's.
    cooldowns.worked(&WORK, at(60));
    fails(1, 61);
    fails(2, 62);
    assert_eq!(stands(62), (false, true));
    // After that it is everybody's with the second caller.
    fails(3, 75);
    assert_eq!(stands(75), (true, false));
    // And nobody's doing where no connection opens.
    let other = OTHER_PROVIDER.as_target();
    cooldowns.cool_for(other, Reason::Unreachable, 1, None, at(0), at(0));
    assert!(cooldowns.peek(&OTHER_PROVIDER, at(0)).is_some());
}
