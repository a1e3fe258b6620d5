//! Exchanging secrets for a token, as a description says: client credentials (RFC 6749, section 4.4), or a long token for a
//! short one.

use std::time::Duration;

use bitrouter_contract::Origin;
use bitrouter_contract::description::{Exchange, Verb};
use bitrouter_contract::template::fill;
use bitrouter_files::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::ExposeSecret as _;
use secrecy::zeroize::Zeroizing;
use serde_json::Value;

use super::super::clock::Clock;
use super::Minted;
use crate::found::Secrets;
use crate::issuer::{Ask, Issuer};

/// All but what RFC 3986 leaves as it is: a secret is one segment of a path.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Asks for a token.
pub(super) async fn mint(
    exchange: &Exchange,
    origin: &Origin,
    secrets: &Secrets,
    issuer: &Issuer,
    clock: &Clock,
) -> Result<Minted, String> {
    let value = |name: &str| secrets.iter().find(|(known, _)| known == name).map(|(_, value)| value.expose_secret());
    let plain = |value: &str, into: &mut String| into.push_str(value);
    let segment = |value: &str, into: &mut String| into.extend(utf8_percent_encode(value, SEGMENT));
    let path = Zeroizing::new(fill(&exchange.path, value, segment));
    let filled = |(name, text): (&String, &String)| (name.clone(), Zeroizing::new(fill(text, value, plain)));
    let parameters: Vec<_> = exchange.parameters.iter().map(filled).collect();
    let headers: Vec<_> = exchange.headers.iter().map(filled).collect();
    let members: Vec<(&str, &str)> = parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let is_get = exchange.verb == Verb::Get;
    let ask = Ask { path: &path, is_get, encoding: exchange.encoding, members: &members, headers: &headers };
    let reply = issuer.ask(origin, ask).await.map_err(|error| error.to_string())?;
    clock.set(reply.at);
    reply.object().map_err(|error| error.to_string())?;
    let answer = reply.body.as_ref();
    let at = |pointer: &str| answer.and_then(|answer| answer.pointer(pointer));
    let token = at(&exchange.token).and_then(Value::as_str).filter(|token| !token.is_empty());
    let token = token
        .ok_or_else(|| format!("{} answered {} without a text at `{}`", origin.host(), reply.status, exchange.token))?;
    let number =
        |pointer: &str| at(pointer).and_then(|value| value.as_f64().or_else(|| value.as_str()?.trim().parse().ok()));
    let until = number(&exchange.expires_at).and_then(|seconds| Timestamp::from_unix(seconds as i64));
    let lasts = number(&exchange.expires_in).and_then(|seconds| Duration::try_from_secs_f64(seconds.floor()).ok());
    let lasts = lasts.unwrap_or(Duration::from_secs(exchange.lasts));
    Ok(Minted { token: token.into(), expires_at: Some(until.unwrap_or_else(|| reply.at.plus(lasts))) })
}
