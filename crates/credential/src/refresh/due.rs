//! Where a login stands in its life: fresh, to be refreshed soon, or over.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use bitrouter_contract::description::Refresh;
use bitrouter_files::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use super::super::claims;
use super::super::token_file::StoredLogin;

/// A token that is over within this is over before a request with it arrives.
const MARGIN: Duration = Duration::from_secs(10);

/// A session that is shared with another program is refreshed this long before its expiry, out of the window (5 minutes)
/// in which that program does it itself.
const SHARED: Duration = Duration::from_secs(900);

/// Where a login stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// Nothing is to be done.
    Fresh,
    /// It can be used, and should be refreshed.
    Due,
    /// It cannot be used any more.
    Over,
}

/// When the access token expires, if anything says so.
pub(crate) fn expiry(login: &StoredLogin) -> Option<Timestamp> {
    login.expires_at.or_else(|| claims::expires_at(login.access_token.expose_secret()))
}

/// Whether a token with this expiry is over.
pub(super) fn is_over(expiry: Timestamp, now: Timestamp) -> bool {
    expiry <= now.plus(MARGIN)
}

pub(super) fn stage(login: &StoredLogin, refresh: &Refresh, now: Timestamp) -> Stage {
    let by_time = match expiry(login) {
        Some(expiry) if is_over(expiry, now) => Stage::Over,
        Some(expiry) if expiry <= now.plus(early(login, refresh, expiry)) => Stage::Due,
        Some(_) => Stage::Fresh,
        None => {
            let age = login.refreshed_at.and_then(|refreshed| now.since(refreshed)).unwrap_or_default();
            if age >= Duration::from_secs(refresh.max_age) { Stage::Due } else { Stage::Fresh }
        }
    };
    // A refresh that was cut off may have used the refresh token up: some issuers take it once more if it comes soon.
    if login.refreshing.is_some() { by_time.max(Stage::Due) } else { by_time }
}

/// How long before its expiry this login is refreshed.
fn early(login: &StoredLogin, refresh: &Refresh, expiry: Timestamp) -> Duration {
    let early = if login.follows.is_some() { SHARED } else { Duration::from_secs(refresh.early) };
    lead(&login.access_token, early, login.refreshed_at.and_then(|refreshed| expiry.since(refreshed)))
}

/// How long before its expiry this token is made anew: between two thirds and the whole of what the description says, so
/// that accounts which were logged in together are not refreshed together; and never in the first half of its life.
pub(super) fn lead(token: &SecretString, early: Duration, life: Option<Duration>) -> Duration {
    let mut hasher = DefaultHasher::new();
    token.expose_secret().hash(&mut hasher);
    let share = 2000 + u32::try_from(hasher.finish() % 1000).unwrap_or_default();
    let early = early.saturating_mul(share) / 3000;
    life.map_or(early, |life| early.min(life / 2))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::super::claims::tests::jwt;
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn login(access_token: &str) -> StoredLogin {
        StoredLogin::new(access_token.into(), vec![("api".into(), "https://api.example".parse().unwrap())])
    }

    fn refresh(early: u64) -> Refresh {
        serde_json::from_value(json!({ "path": "/token", "early": early })).unwrap()
    }

    #[test]
    fn a_token_is_due_between_two_thirds_and_the_whole_of_the_lead_before_its_expiry() {
        let now = Timestamp::now();
        for token in ["a", "b", "c", "d", "e"] {
            let mut login = login(token);
            let mut stage_with = |left: u64| {
                login.expires_at = Some(now.plus(Duration::from_secs(left)));
                stage(&login, &refresh(900), now)
            };
            let stages = [901, 600, 11, 10, 0].map(&mut stage_with);
            assert_eq!(stages, [Stage::Fresh, Stage::Due, Stage::Due, Stage::Over, Stage::Over]);
        }
    }

    #[test]
    fn a_short_lived_token_is_not_due_in_the_first_half_of_its_life() {
        let now = Timestamp::now();
        let mut login = login("a");
        login.refreshed_at = Some(now);
        login.expires_at = Some(now.plus(Duration::from_secs(300)));
        assert_eq!(stage(&login, &refresh(900), now), Stage::Fresh);
        assert_eq!(stage(&login, &refresh(900), now.plus(Duration::from_secs(150))), Stage::Due);
    }

    #[test]
    fn a_shared_session_is_refreshed_out_of_the_other_programs_window() {
        let now = Timestamp::now();
        let mut login = login("a");
        login.follows =
            Some(super::super::super::token_file::Follows { source: "codex-cli".into(), file: "/auth.json".into() });
        login.expires_at = Some(now.plus(Duration::from_secs(600)));
        assert_eq!(stage(&login, &refresh(60), now), Stage::Due);
        login.expires_at = Some(now.plus(Duration::from_secs(901)));
        assert_eq!(stage(&login, &refresh(5000), now), Stage::Fresh);
    }

    #[test]
    fn the_tokens_own_expiry_holds_where_nothing_was_recorded() {
        let now = Timestamp::now();
        let token = |exp: Timestamp| jwt(&json!({ "exp": exp.unix() }));
        assert_eq!(stage(&login(&token(now.minus(HOUR))), &refresh(60), now), Stage::Over);
        assert_eq!(stage(&login(&token(now.plus(HOUR))), &refresh(60), now), Stage::Fresh);
    }

    #[test]
    fn a_token_without_an_expiry_is_due_at_its_age() {
        let now = Timestamp::now();
        let mut login = login("opaque");
        assert_eq!(stage(&login, &refresh(60), now), Stage::Fresh);
        login.refreshed_at = Some(now.minus(Duration::from_secs(691_200)));
        assert_eq!(stage(&login, &refresh(60), now), Stage::Due);
    }

    #[test]
    fn a_refresh_that_was_cut_off_is_due_at_once() {
        let now = Timestamp::now();
        let mut login = login("opaque");
        login.refreshing = Some(super::super::super::token_file::Refreshing { since: now });
        assert_eq!(stage(&login, &refresh(60), now), Stage::Due);
    }
}
