//! Sets a credential on a request, at the edge: the headers and query parameters that the description asks for.
//!
//! Made once for each credential, so that a request only clones; upstream applies it last, after the component has
//! returned, so that nothing can overwrite it. No error and no `Debug` here shows a value.

use std::fmt;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;

use super::wipe::wiping;
use crate::plugin::description::{Attach, Place};

/// Why a credential cannot be used, or an attach rule not be followed. A whole sentence follows the name of what holds
/// the credential.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AttachError {
    /// The credential is the empty text.
    #[error("is empty: give it a value, or take it out")]
    Empty,
    /// Most often a line break that came along from a file.
    #[error("begins or ends with white space (a line break?): take that out")]
    Untrimmed,
    /// A line break or another control character inside.
    #[error("holds a line break or another control character: copy it again, as one line")]
    Control,
    /// A curly quote or an invisible space that came along from a web page.
    #[error("holds a character that no credential has (a curly quote, an invisible space?): copy it again")]
    NotAscii,
    /// The description's claim has a value that no header takes.
    #[error(
        "has a claim `{0}` with a line break, a control character or a character that is not ASCII: store the credential anew"
    )]
    Claim(String),
    /// The description's rule is at fault, not the credential.
    #[error(
        "cannot be attached: the description's format for `{0}` does not hold `{{}}` exactly once, in visible ASCII"
    )]
    Format(String),
    /// The description's rule is at fault, not the credential.
    #[error("cannot be attached: `{0}` is not a header that may carry a credential")]
    Header(String),
}

/// What one credential adds to a request.
#[derive(Clone, Default)]
pub struct Attachment {
    headers: Vec<(HeaderName, HeaderValue)>,
    query: Vec<(String, SecretString)>,
}

impl Attachment {
    /// Follows the description's rules for this secret and these claims. A rule for a claim that the credential lacks is
    /// left out.
    pub fn new(rules: &[Attach], secret: &SecretString, claims: &[(String, String)]) -> Result<Self, AttachError> {
        check_secret(secret.expose_secret())?;
        let mut attachment = Attachment::default();
        for rule in rules {
            let value = match &rule.claim {
                None => secret.expose_secret(),
                Some(name) => match claims.iter().find(|(claim, _)| claim == name) {
                    None => continue,
                    Some((_, value)) if check_secret(value).is_err() => {
                        return Err(AttachError::Claim(name.clone()));
                    }
                    Some((_, value)) => value,
                },
            };
            attachment.add(rule, value)?;
        }
        Ok(attachment)
    }

    /// Sets the credential's headers, marked as sensitive, in the place of any of the same name, and its query
    /// parameters likewise.
    pub fn apply(&self, headers: &mut HeaderMap, query: &mut Vec<(String, String)>) {
        for (name, value) in &self.headers {
            headers.insert(name, value.clone());
        }
        for (name, value) in &self.query {
            query.retain(|(other, _)| other != name);
            query.push((name.clone(), value.expose_secret().to_owned()));
        }
    }

    fn add(&mut self, rule: &Attach, value: &str) -> Result<(), AttachError> {
        let (Place::Header(name) | Place::Query(name)) = &rule.place;
        let format_error = || AttachError::Format(name.clone());
        let (before, after) = rule.format.split_once("{}").ok_or_else(format_error)?;
        if after.contains("{}") || !rule.format.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return Err(format_error());
        }
        // Of its whole length at once: a text that grows leaves what it was behind.
        let mut text = String::with_capacity(before.len() + value.len() + after.len());
        [before, value, after].into_iter().for_each(|part| text.push_str(part));
        match &rule.place {
            Place::Query(_) => self.query.push((name.clone(), text.into())),
            Place::Header(_) => {
                let header = HeaderName::from_bytes(name.as_bytes()).ok().filter(may_carry);
                let header = header.ok_or_else(|| AttachError::Header(name.clone()))?;
                let value = HeaderValue::from_maybe_shared(wiping(text.into_bytes()));
                let mut value = value.map_err(|_| format_error())?;
                value.set_sensitive(true);
                self.headers.push((header, value));
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        let query: Vec<&str> = self.query.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Attachment").field("headers", &headers).field("query", &query).finish()
    }
}

/// Whether a text can be a credential: visible ASCII, with spaces only inside.
pub(super) fn check_secret(secret: &str) -> Result<(), AttachError> {
    if secret.is_empty() {
        return Err(AttachError::Empty);
    }
    if secret.trim() != secret {
        return Err(AttachError::Untrimmed);
    }
    if secret.bytes().any(|byte| byte.is_ascii_control()) {
        return Err(AttachError::Control);
    }
    if !secret.is_ascii() {
        return Err(AttachError::NotAscii);
    }
    Ok(())
}

/// A description decides what carries its credential, but never how the message is framed.
fn may_carry(name: &HeaderName) -> bool {
    !super::header::frames_message(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CANARY: &str = "sk-canary-0123456789";

    fn rule(place: Place, format: &str, claim: Option<&str>) -> Attach {
        Attach { place, format: format.into(), claim: claim.map(Into::into) }
    }

    fn header(name: &str, format: &str) -> Attach {
        rule(Place::Header(name.into()), format, None)
    }

    fn made(rules: &[Attach]) -> Result<Attachment, AttachError> {
        Attachment::new(rules, &CANARY.into(), &[("account".into(), "acct-1".into()), ("bad".into(), "a\nb".into())])
    }

    #[test]
    fn headers_are_set_as_the_rules_say_and_marked_sensitive() {
        let claim = rule(Place::Header("account-id".into()), "{}", Some("account"));
        let attachment = made(&[header("authorization", "Bearer {}"), claim]).unwrap();
        let mut headers = HeaderMap::new();
        headers.append("authorization", HeaderValue::from_static("forged"));
        headers.append("authorization", HeaderValue::from_static("forged too"));
        attachment.apply(&mut headers, &mut Vec::new());
        assert_eq!(headers.get_all("authorization").iter().count(), 1);
        assert_eq!(headers["authorization"], format!("Bearer {CANARY}"));
        assert_eq!(headers["account-id"], "acct-1");
        assert!(headers.values().all(HeaderValue::is_sensitive));
    }

    #[test]
    fn query_parameters_replace_those_of_the_same_name() {
        let attachment = made(&[rule(Place::Query("key".into()), "{}", None)]).unwrap();
        let mut query = vec![("key".into(), "forged".into()), ("alt".into(), "sse".into())];
        attachment.apply(&mut HeaderMap::new(), &mut query);
        assert_eq!(query, [("alt".to_owned(), "sse".to_owned()), ("key".to_owned(), CANARY.to_owned())]);
    }

    #[test]
    fn a_rule_for_a_claim_that_is_not_there_is_left_out() {
        let attachment = made(&[rule(Place::Header("x-plan".into()), "{}", Some("plan"))]).unwrap();
        let mut headers = HeaderMap::new();
        attachment.apply(&mut headers, &mut Vec::new());
        assert!(headers.is_empty());
    }

    #[test]
    fn a_secret_that_no_header_takes_is_refused_with_a_hint_and_without_being_shown() {
        for (secret, error) in [
            ("", AttachError::Empty),
            ("canary\n", AttachError::Untrimmed),
            (" canary", AttachError::Untrimmed),
            ("canary\u{a0}", AttachError::Untrimmed),
            ("can\r\nary", AttachError::Control),
            ("can\0ary", AttachError::Control),
            ("“canary”", AttachError::NotAscii),
        ] {
            let refused = Attachment::new(&[header("x-key", "{}")], &secret.into(), &[]).unwrap_err();
            assert!(!refused.to_string().contains("canary"));
            assert_eq!(refused, error, "{secret:?}");
        }
        assert!(Attachment::new(&[header("authorization", "Basic {}")], &"user name:pass word".into(), &[]).is_ok());
    }

    #[test]
    fn a_claim_that_no_header_takes_is_refused() {
        let refused = made(&[rule(Place::Header("x-bad".into()), "{}", Some("bad"))]).unwrap_err();
        assert_eq!(refused, AttachError::Claim("bad".into()));
    }

    #[test]
    fn a_rule_that_cannot_be_followed_is_refused() {
        for format in ["", "Bearer", "{} {}", "Bearer {}\r\nx: y", "Bearer\u{a0}{}"] {
            assert_eq!(
                made(&[header("x-key", format)]).unwrap_err(),
                AttachError::Format("x-key".into()),
                "{format:?}"
            );
        }
        for name in ["host", "content-length", "transfer-encoding", "connection", "x key", ""] {
            assert_eq!(made(&[header(name, "{}")]).unwrap_err(), AttachError::Header(name.into()), "{name:?}");
        }
    }

    #[test]
    fn debug_shows_names_and_no_value() {
        let attachment =
            made(&[header("authorization", "Bearer {}"), rule(Place::Query("key".into()), "{}", None)]).unwrap();
        let mut headers = HeaderMap::new();
        attachment.apply(&mut headers, &mut Vec::new());
        let debug = format!("{attachment:?} {headers:?}");
        assert!(debug.contains("authorization") && debug.contains("key") && !debug.contains("canary"), "{debug}");
    }
}
