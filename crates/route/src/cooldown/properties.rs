//! What holds whatever happens: random failures, successes, waits and clocks that are set back, against the promise.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use proptest::prelude::*;

use super::reason::ALL;
use super::{Admission, Candidate, Cooldowns, Cooling, LastResort, Probe, Reason, Subject};

static CANDIDATES: LazyLock<[Candidate; 5]> = LazyLock::new(|| {
    [
        Candidate::new("a", Some("x"), "m"),
        Candidate::new("a", Some("x"), "n"),
        Candidate::new("a", Some("y"), "m"),
        Candidate::new("b", None, "m"),
        Candidate::new("c", Some("x"), "m"),
    ]
});

/// The longest that anything may cool, and a second.
const LONGEST_COOLDOWN: Duration = Duration::from_secs(8 * 24 * 3600 + 1);

#[derive(Clone, Debug)]
enum Step {
    Wait(u64),
    ClockSetBack(u64),
    Ask { candidate: usize },
    Resort,
    Fail { candidate: usize, width: usize, reason: Reason, reported: Option<u64>, sent_before: u64 },
    Work { candidate: usize },
    EndProbe { number: usize, well: bool },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let candidate = 0..CANDIDATES.len();
    let reported = prop::option::of(prop_oneof![0u64..100, 0u64..100_000, Just(u64::MAX / 2)]);
    let step = prop_oneof![
        4 => prop_oneof![0u64..10, 0u64..200, 0u64..100_000].prop_map(Step::Wait),
        1 => (0u64..1_000_000).prop_map(Step::ClockSetBack),
        6 => candidate.clone().prop_map(|candidate| Step::Ask { candidate }),
        2 => Just(Step::Resort),
        4 => (candidate.clone(), 0..4usize, 0..ALL.len(), reported, 0u64..100).prop_map(
            |(candidate, width, reason, reported, sent_before)| Step::Fail {
                candidate, width, reason: ALL[reason], reported, sent_before,
            }
        ),
        1 => candidate.prop_map(|candidate| Step::Work { candidate }),
        3 => (any::<usize>(), any::<bool>()).prop_map(|(number, well)| Step::EndProbe { number, well }),
    ];
    prop::collection::vec(step, 1..120)
}

fn subject(candidate: &Candidate, width: usize) -> Subject {
    match width {
        0 => candidate.as_account(),
        1 => candidate.as_model_of_account(),
        2 => candidate.as_target(),
        _ => candidate.as_provider(),
    }
}

/// The requests that are under way as probes.
#[derive(Default)]
struct UnderWay(Vec<Under>);

struct Under {
    probe: Probe,
    since: SystemTime,
    /// What it keeps others from probing.
    holds: Vec<Subject>,
    /// Whether something failed since.
    failed: bool,
}

impl UnderWay {
    fn push(&mut self, probe: Probe, since: SystemTime) {
        self.0.push(Under { holds: probe.subjects().to_vec(), probe, since, failed: false });
    }

    fn has(&self, subject: &Subject, now: SystemTime) -> bool {
        let young = |since: SystemTime| now.duration_since(since).is_ok_and(|age| age < Duration::from_secs(60));
        self.0.iter().any(|under| young(under.since) && under.holds.contains(subject))
    }

    /// A cooldown that is over is held by nobody; the next of its subject is another one.
    fn forget_all_but(&mut self, cooling: &[Cooling]) {
        for under in &mut self.0 {
            under.holds.retain(|held| cooling.iter().any(|cooling| cooling.subject == *held));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn nothing_is_probed_twice_at_once_and_every_cooldown_ends_within_its_bounds(steps in steps()) {
        let cooldowns = Cooldowns::default();
        let mut now = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let mut under_way = UnderWay::default();
        for step in steps {
            match step {
                Step::Wait(seconds) => now += Duration::from_secs(seconds),
                Step::ClockSetBack(seconds) => now -= Duration::from_secs(seconds),
                Step::Ask { candidate } => match cooldowns.admit(&CANDIDATES[candidate], now) {
                    Admission::Free => {
                        prop_assert_eq!(cooldowns.peek(&CANDIDATES[candidate], now), None);
                    }
                    Admission::Probe(probe) => {
                        prop_assert!(!probe.subjects().is_empty());
                        for subject in probe.subjects() {
                            prop_assert!(subject.covers(&CANDIDATES[candidate]));
                            prop_assert!(!under_way.has(subject, now), "{subject} is probed twice");
                        }
                        under_way.push(probe, now);
                    }
                    Admission::Cooling { until, .. } => {
                        prop_assert!(until >= now && until <= now + LONGEST_COOLDOWN);
                        prop_assert!(cooldowns.peek(&CANDIDATES[candidate], now).is_some());
                    }
                },
                Step::Resort => match cooldowns.last_resort(&CANDIDATES.each_ref(), now) {
                    Some(LastResort::Try { probe, .. }) => {
                        let cools: BTreeMap<Subject, SystemTime> =
                            cooldowns.list(now).into_iter().map(|cooling| (cooling.subject, cooling.until)).collect();
                        // Past the end of an outage the last resort is open to all.
                        if probe.subjects().iter().any(|subject| cools[subject] > now) {
                            for subject in probe.subjects() {
                                prop_assert!(!under_way.has(subject, now), "{subject} is tried twice");
                            }
                            under_way.push(probe, now);
                        }
                    }
                    Some(LastResort::Wait { until, .. }) => prop_assert!(until > now && until <= now + LONGEST_COOLDOWN),
                    None => prop_assert!(false, "there are candidates"),
                },
                Step::Fail { candidate, width, reason, reported, sent_before } => {
                    let reported = reported.and_then(|reported| now.checked_add(Duration::from_secs(reported)));
                    let sent = now - Duration::from_secs(sent_before);
                    under_way.0.iter_mut().for_each(|under| under.failed = true);
                    cooldowns.cool(subject(&CANDIDATES[candidate], width), reason, reported, sent, now);
                }
                Step::Work { candidate } => cooldowns.worked(&CANDIDATES[candidate], now),
                Step::EndProbe { number, well } => {
                    if !under_way.0.is_empty() {
                        let index = number % under_way.0.len();
                        let Under { probe, failed, .. } = under_way.0.swap_remove(index);
                        let subjects = probe.subjects().to_vec();
                        if well {
                            probe.succeeded();
                            let left = cooldowns.list(now);
                            prop_assert!(failed || left.iter().all(|cooling| !subjects.contains(&cooling.subject)));
                        }
                    }
                }
            }
            under_way.forget_all_but(&cooldowns.list(now));
            for cooling in cooldowns.list(now) {
                prop_assert!(cooling.until <= now + cooling.reason.most(), "{cooling:?}");
                prop_assert!(cooling.next_probe <= now + Duration::from_secs(3600), "{cooling:?}");
                prop_assert!(cooling.since <= now, "{cooling:?}");
            }
        }
        // Every cooldown ends by itself, probes that never come back included.
        let end = now + LONGEST_COOLDOWN + Duration::from_secs(600);
        for candidate in CANDIDATES.iter() {
            prop_assert!(matches!(cooldowns.admit(candidate, end), Admission::Free), "{candidate:?}");
        }
        prop_assert_eq!(cooldowns.list(end), vec![]);
    }
}
