//! Logging in with a code that the person enters in a browser on any machine: RFC 8628, and a poll of its own that some
//! vendors have instead. One loop of our own polls for both: see docs/decisions/0011-oauth2-crate.md.

use std::time::Duration;

use bitrouter_contract::description::{CodePoll, Device, Encoding, Endpoint, Rfc8628};
use oauth2::{AuthorizationCode, PkceCodeVerifier, RedirectUrl};
use serde_json::Value;
use tokio::time::{Instant, sleep, sleep_until};

use super::exchange::{self, Code};
use super::{Attempt, LoginError, Person};
use crate::issuer::{IssuerError, Reply, Tokens};

/// How often is asked where the issuer does not say: RFC 8628, section 3.2.
const INTERVAL: Duration = Duration::from_secs(5);
/// No issuer wants to be asked more often than this, whatever it answers.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);
/// How much slower after `slow_down`: RFC 8628, section 3.5.
const SLOWER: Duration = Duration::from_secs(5);
/// How long a code is good where the issuer does not say.
const EXPIRES_IN: u64 = 900;

/// A code that waits to be entered.
struct Waiting {
    interval: Duration,
    end: Instant,
    minutes: u64,
}

/// What a poll found.
enum Poll<T> {
    Done(T),
    NotYet,
    SlowDown,
}

/// Logs in with a device code. Ends when it was entered, refused or expired.
pub async fn device<P: Person>(attempt: &Attempt<'_, P>, device: &Device) -> Result<Tokens, LoginError> {
    match device {
        Device::CodePoll(poll) => code_poll(attempt, poll).await,
        Device::Rfc8628(device) => rfc8628(attempt, device).await,
    }
}

async fn code_poll<P: Person>(attempt: &Attempt<'_, P>, device: &CodePoll) -> Result<Tokens, LoginError> {
    let endpoint = |path: &str| Endpoint { path: path.to_owned(), encoding: Encoding::Json };
    let start = start(attempt, &endpoint(&device.start), &[("client_id", &attempt.oauth.client_id)]).await?;
    let id = text(attempt, &start, &["device_auth_id"])?;
    let user_code = text(attempt, &start, &["user_code", "usercode"])?;
    let waiting = Waiting::new(&start, device.expires_in);
    let page = attempt.origin.join::<&str, &str>(&device.page, &[])?.to_string();
    show(attempt.person, &page, &user_code, &waiting);

    let poll = endpoint(&device.poll);
    let granted = waiting
        .until_done(attempt.person, async || {
            let members = [("device_auth_id", id.as_str()), ("user_code", user_code.as_str())];
            let reply = attempt.issuer.post(attempt.origin, &poll, &members).await?;
            Ok(match reply.status {
                _ if reply.is_success() => Poll::Done(reply),
                _ if reply.error_code().as_deref() == Some("slow_down") => Poll::SlowDown,
                status if device.pending.contains(&status) => Poll::NotYet,
                429 => Poll::SlowDown,
                _ => return Err(reply.refusal().into()),
            })
        })
        .await?;
    let code = text(attempt, &granted, &["authorization_code"])?;
    let verifier = text(attempt, &granted, &["code_verifier"])?;
    let redirect_uri = attempt.origin.join::<&str, &str>(&device.redirect, &[])?.to_string();
    let code = Code {
        code: AuthorizationCode::new(code),
        verifier: PkceCodeVerifier::new(verifier),
        redirect_uri: RedirectUrl::new(redirect_uri).map_err(LoginError::address)?,
    };
    exchange::exchange(attempt, code).await
}

async fn rfc8628<P: Person>(attempt: &Attempt<'_, P>, device: &Rfc8628) -> Result<Tokens, LoginError> {
    let endpoint = Endpoint { path: device.start.clone(), encoding: Encoding::Form };
    let scope = attempt.oauth.scopes.join(" ");
    let mut members = vec![("client_id", attempt.oauth.client_id.as_str())];
    if !scope.is_empty() {
        members.push(("scope", &scope));
    }
    let start = start(attempt, &endpoint, &members).await?;
    let device_code = text(attempt, &start, &["device_code"])?;
    let user_code = text(attempt, &start, &["user_code"])?;
    let page = text(attempt, &start, &["verification_uri", "verification_url"])?;
    let waiting = Waiting::new(&start, EXPIRES_IN);
    show(attempt.person, &page, &user_code, &waiting);

    let tokens = waiting
        .until_done(attempt.person, async || {
            let members = [
                ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
                ("device_code", device_code.as_str()),
                ("client_id", attempt.oauth.client_id.as_str()),
            ];
            let reply = attempt.issuer.post(attempt.origin, &attempt.oauth.token, &members).await?;
            match reply.error_code().as_deref().filter(|_| !reply.is_success()) {
                Some("authorization_pending") => Ok(Poll::NotYet),
                Some("slow_down") => Ok(Poll::SlowDown),
                Some("expired_token") => Err(LoginError::DeviceExpired { minutes: waiting.minutes }),
                Some(error @ "access_denied") => Err(LoginError::refused(error, None)),
                _ => Ok(Poll::Done(reply.tokens()?)),
            }
        })
        .await?;
    exchange::complete(attempt, tokens)
}

/// Asks for a code.
async fn start<P>(
    attempt: &Attempt<'_, P>,
    endpoint: &Endpoint,
    members: &[(&str, &str)],
) -> Result<Reply, LoginError> {
    let reply = attempt.issuer.post(attempt.origin, endpoint, members).await?;
    match reply.status {
        404 => Err(LoginError::DeviceNotEnabled { issuer: attempt.origin.to_string() }),
        _ if reply.is_success() => Ok(reply),
        _ => Err(reply.refusal().into()),
    }
}

/// The first of these members that the answer has as a text.
fn text<P>(attempt: &Attempt<'_, P>, reply: &Reply, names: &[&'static str]) -> Result<String, LoginError> {
    let member = |name: &&str| reply.body.as_ref()?.get(*name)?.as_str().filter(|text| !text.is_empty());
    let issuer = || attempt.origin.to_string();
    let found = names.iter().find_map(member);
    found.map(str::to_owned).ok_or_else(|| LoginError::Incomplete { issuer: issuer(), missing: names[0] })
}

/// A number of seconds that the answer has as a number or a text.
fn seconds(reply: &Reply, name: &str) -> Option<u64> {
    let value = reply.body.as_ref()?.get(name)?;
    match value {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_u64(),
    }
}

impl Waiting {
    fn new(start: &Reply, expires_in: u64) -> Self {
        let expires_in = seconds(start, "expires_in").unwrap_or(expires_in);
        let interval = seconds(start, "interval").map_or(INTERVAL, Duration::from_secs);
        Waiting {
            interval: interval.max(SHORTEST_INTERVAL),
            end: Instant::now() + Duration::from_secs(expires_in),
            minutes: expires_in.div_ceil(60),
        }
    }

    /// Polls until it is done, or the code has expired. That the network is away for a while ends nothing.
    async fn until_done<T, P: Person>(
        &self,
        person: &P,
        poll: impl AsyncFn() -> Result<Poll<T>, LoginError>,
    ) -> Result<T, LoginError> {
        let mut interval = self.interval;
        let mut unreachable = false;
        while Instant::now() + interval < self.end {
            sleep(interval).await;
            match poll().await {
                Ok(Poll::Done(done)) => return Ok(done),
                Ok(Poll::NotYet) => unreachable = false,
                Ok(Poll::SlowDown) => interval += SLOWER,
                Err(LoginError::Issuer(error @ IssuerError::Unreachable { .. })) => {
                    if !std::mem::replace(&mut unreachable, true) {
                        person.tell(&format!("{error}: trying on"));
                    }
                }
                Err(other) => return Err(other),
            }
        }
        sleep_until(self.end).await;
        Err(LoginError::DeviceExpired { minutes: self.minutes })
    }
}

/// Shows the code so that it can be read from another desk.
fn show<P: Person>(person: &P, page: &str, user_code: &str, waiting: &Waiting) {
    let line = "─".repeat(user_code.chars().count() + 6);
    person.tell(&format!(
        "To log in, go to this page in a browser on any machine:\n\n  {page}\n\nand enter this code, which nobody else should get from you:\n\n  \
         ┌{line}┐\n  │   {user_code}   │\n  └{line}┘\n\nIt is good for {} minutes. Waiting…",
        waiting.minutes
    ));
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use bitrouter_tests::{Issuer as Loopback, Reply as Answer, Reuse};
    use secrecy::ExposeSecret;
    use serde_json::json;

    use super::*;
    use crate::issuer::Issuer;
    use bitrouter_contract::Origin;
    use bitrouter_contract::description::Oauth;

    /// Somebody who only reads.
    #[derive(Default)]
    struct Reader(Mutex<String>);

    impl Person for Reader {
        fn tell(&self, line: &str) {
            *self.0.lock().unwrap() += line;
        }

        fn open(&self, _: &str) -> bool {
            false
        }

        async fn line(&self) -> Option<String> {
            std::future::pending().await
        }
    }

    fn oauth() -> Oauth {
        serde_json::from_value(json!({
            "client_id": "app", "scopes": ["openid", "email"], "token": { "path": "/oauth/token" }, "attach": [],
            "login": [{ "flow": "device", "protocol": "rfc8628", "start": "/oauth/device" }],
        }))
        .unwrap()
    }

    /// What a login came to, with what was shown and what the issuer was sent.
    async fn rfc8628(answers: impl IntoIterator<Item = Answer>) -> (Result<Tokens, LoginError>, String, Vec<String>) {
        let loopback = Loopback::start(Reuse::Strict);
        let start = json!({
            "device_code": "canary-device", "user_code": "WDJB-MJHT", "verification_uri": "https://issuer.example/device",
            "expires_in": 1800, "interval": "0",
        });
        loopback.instead(Answer::json(&start));
        for answer in answers {
            loopback.instead(answer);
        }
        let (oauth, person, issuer) = (oauth(), Reader::default(), Issuer::default());
        let origin: Origin = loopback.origin().parse().unwrap();
        let attempt = Attempt { oauth: &oauth, origin: &origin, issuer: &issuer, person: &person };
        let way = Device::Rfc8628(Rfc8628 { start: "/oauth/device".into() });
        let outcome = device(&attempt, &way).await;
        let sent = loopback.requests().iter().map(|seen| format!("{} {}", seen.path, seen.text())).collect();
        let shown = person.0.lock().unwrap().clone();
        (outcome, shown, sent)
    }

    fn error(code: &str) -> Answer {
        Answer::json(&json!({ "error": code })).status(400)
    }

    #[tokio::test]
    async fn a_device_login_as_rfc_8628_has_it_ends_with_tokens() {
        let tokens = json!({ "access_token": "canary-access", "refresh_token": "canary-refresh", "expires_in": 3600 });
        let (outcome, shown, sent) = rfc8628([error("authorization_pending"), Answer::json(&tokens)]).await;
        let tokens = outcome.unwrap();
        assert_eq!(tokens.access_token.unwrap().expose_secret(), "canary-access");
        assert!(shown.contains("WDJB-MJHT") && shown.contains("https://issuer.example/device"), "{shown}");
        assert!(shown.contains("good for 30 minutes") && !shown.contains("canary"), "{shown}");
        assert_eq!(sent[0], "/oauth/device client_id=app&scope=openid+email");
        let poll = "/oauth/token grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code\
                    &device_code=canary-device&client_id=app";
        assert_eq!(sent[1..], [poll, poll]);
    }

    #[tokio::test]
    async fn a_device_login_ends_with_the_issuers_no() {
        for (code, sentence) in [
            ("access_denied", "the login was refused: access_denied"),
            ("expired_token", "the code was not entered within 30 minutes"),
            ("invalid_client", "127.0.0.1 answered 400 (invalid_client)"),
        ] {
            let (outcome, _, _) = rfc8628([error(code)]).await;
            let error = outcome.unwrap_err().to_string();
            assert!(error.starts_with(sentence), "{error}");
        }
    }
}
