//! The crate over a state that is no file: a few lines of memory that two gateways share, as a database is.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use bitrouter_contract::described::Window;

use super::{AllWindows, Limit, Persisted, RouteState, io};
use crate::cooldown::Reason;
use crate::{Candidate, Cooldowns, Windows};

#[derive(Default)]
struct Shared(Mutex<Persisted>);

impl RouteState for Shared {
    fn load(&self) -> Persisted {
        let kept = self.0.lock().unwrap();
        Persisted { limits: kept.limits.clone(), windows: kept.windows.clone() }
    }

    fn exchange_limits(&self, exchange: &mut dyn FnMut(&[Limit]) -> Vec<Limit>) -> io::Result<()> {
        let mut kept = self.0.lock().unwrap();
        kept.limits = exchange(&kept.limits);
        Ok(())
    }

    fn exchange_windows(&self, _news: bool, exchange: &mut dyn FnMut(&mut AllWindows)) -> io::Result<()> {
        exchange(&mut self.0.lock().unwrap().windows);
        Ok(())
    }
}

/// A gateway that starts now.
fn gateway(state: &Arc<Shared>, now: SystemTime) -> (Cooldowns, Windows) {
    let Persisted { limits, windows } = state.load();
    let state: Arc<dyn RouteState> = Arc::<Shared>::clone(state);
    (Cooldowns::persisted_in(Arc::clone(&state), &limits, now), Windows::persisted_in(state, windows))
}

#[test]
fn gateways_that_share_a_state_learn_of_each_others_limits_and_of_their_end() {
    let (state, now) = (Arc::<Shared>::default(), SystemTime::now());
    let (one, _) = gateway(&state, now);
    let (other, _) = gateway(&state, now);
    let account = Candidate::new("openai", Some("work"), "gpt-5");
    let hour = Some(now + Duration::from_secs(3600));
    let both = || [&one, &other].map(|cooldowns| cooldowns.peek(&account, now).is_some());
    let exchange = || [&one, &other, &one].into_iter().for_each(|cooldowns| cooldowns.exchange(now).unwrap());

    one.cool(account.as_account(), Reason::UsageLimit, hour, now, now);
    one.cool(account.as_target(), Reason::Failing, None, now, now);
    assert_eq!(both(), [true, false]);
    exchange();
    assert_eq!(both(), [true, true]);
    assert_eq!(other.list(now).len(), 1, "what one gateway cannot reach another may");
    assert_eq!(gateway(&state, now).0.list(now).len(), 1, "nor does it outlive the gateway");

    // Whoever lifts it lifts it for all.
    other.clear(None, None, now);
    exchange();
    assert_eq!(both(), [true, false], "the outage is its own");
    one.clear(None, None, now);
    exchange();
    assert_eq!(both(), [false, false]);
    assert!(state.load().limits.is_empty());
}

#[test]
fn of_what_gateways_that_share_a_state_hear_of_a_window_the_newer_counts() {
    let (state, now) = (Arc::<Shared>::default(), SystemTime::now());
    let (_, one) = gateway(&state, now);
    let (_, other) = gateway(&state, now);
    let used = |percent| vec![Window { name: "weekly".into(), used_percent: Some(percent), ..Window::default() }];
    one.record_at("p", "a", used(20.0), 2000);
    other.record_at("p", "a", used(10.0), 1000);
    [&one, &other].into_iter().for_each(Windows::save);
    for windows in [&one, &other, &gateway(&state, now).1] {
        assert_eq!(windows.get("p", "a")[0].used_percent, Some(20.0));
    }
}

#[test]
fn a_limit_that_one_gateway_extends_is_extended_for_all() {
    let (state, now) = (Arc::<Shared>::default(), SystemTime::now());
    let [(one, _), (other, _)] = [gateway(&state, now), gateway(&state, now)];
    let account = Candidate::new("openai", Some("work"), "gpt-5");
    let later = |seconds: u64| now + Duration::from_secs(seconds);
    one.cool(account.as_account(), Reason::RateLimited, Some(later(60)), now, now);
    one.exchange(now).unwrap();
    other.exchange(now).unwrap();

    let (then, hours) = (later(61), later(5 * 3600));
    one.cool(account.as_account(), Reason::UsageLimit, Some(hours), then, then);
    one.exchange(then).unwrap();
    other.exchange(then).unwrap();
    // Long after the one that the other had known at first.
    let after = later(1800);
    for gateway in [&other, &one, &other] {
        gateway.exchange(after).unwrap();
    }
    for gateway in [&one, &other] {
        let known: Vec<_> = gateway.list(after).into_iter().map(|cooling| cooling.reason).collect();
        assert_eq!(known, [Reason::UsageLimit]);
    }
}

#[test]
fn what_a_gateway_cannot_take_over_it_takes_from_nobody() {
    let (state, now) = (Arc::<Shared>::default(), SystemTime::now());
    let [(one, _), (other, _)] = [gateway(&state, now), gateway(&state, now)];
    let account = Candidate::new("openai", Some("work"), "gpt-5");
    one.cool(account.as_account(), Reason::LoggedOut, None, now, now);
    other.cool(account.as_account(), Reason::UsageLimit, Some(now + Duration::from_secs(3600)), now, now);
    for gateway in [&other, &one, &other, &one] {
        gateway.exchange(now).unwrap();
    }
    assert_eq!(one.peek(&account, now).map(|(_, reason)| reason), Some(Reason::LoggedOut));
    assert_eq!(other.peek(&account, now).map(|(_, reason)| reason), Some(Reason::UsageLimit));
}
