//! Sets a credential on a request, at the edge: the headers and query parameters that the description asks for.
//!
//! Made once for each credential, so that a request only clones; the pipeline applies it last, after the component has
//! returned, so that nothing can overwrite it. No error and no `Debug` here shows a value.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bitrouter_contract::description::{Attach, AttachTo};
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;

use bitrouter_upstream::wiping;

use super::found::Secrets;

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
    /// A curly quote or an invisible space that came along from a web page, or a byte order mark from a file.
    #[error(
        "holds a character that no credential has (a curly quote, an invisible space, a byte order mark?): copy it again"
    )]
    NotAscii,
    /// What an env file, a YAML or a JSON file has around a value, and a value has not.
    #[error("is in quotes, which are not part of it: take them out")]
    Quoted,
    /// Half of the quotes.
    #[error("begins or ends with a quote, which is not part of it: take that out")]
    HalfQuoted,
    /// A whole header's value.
    #[error("begins with `{0}`, which is not part of it: give what stands behind that")]
    Scheme(&'static str),
    /// A line of a shell or of an env file.
    #[error("begins with the name of a variable and `=`: give what stands behind that")]
    Assignment,
    /// A variable that nothing has put its value for.
    #[error("begins with `$`, so it is a variable's name and not its value: give the value")]
    Unexpanded,
    /// From a list, or the line of a JSON or Python file.
    #[error("ends with a comma or a semicolon, which is not part of it: take that out")]
    Separator,
    /// In a name that goes with a password.
    #[error("has a colon in its user name, which no name may have that goes with a password")]
    Colon,
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
        Self::of(rules, &vec![("key".to_owned(), secret.clone())], claims)
    }

    /// The same for several secrets, of which each rule names one; where it names none, it is the first. One that may be
    /// missing, and is, is left out.
    pub(super) fn of(rules: &[Attach], secrets: &Secrets, claims: &[(String, String)]) -> Result<Self, AttachError> {
        for (_, secret) in secrets {
            check_secret(secret.expose_secret())?;
            check_copied(secret.expose_secret(), rules.iter().any(takes_all))?;
        }
        let mut attachment = Attachment::default();
        for rule in rules {
            let named = |(name, _): &&(String, SecretString)| rule.secret.as_ref().is_none_or(|wanted| wanted == name);
            let value = match &rule.claim {
                None => match secrets.iter().find(named) {
                    None => continue,
                    Some((_, secret)) => secret.expose_secret(),
                },
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

    /// A name and a password (RFC 7617), with what stands in the header, which is as secret as they are.
    pub(super) fn basic(user: &SecretString, password: &SecretString) -> Result<(Self, SecretString), AttachError> {
        let (user, password) = (user.expose_secret(), password.expose_secret());
        for text in [user, password] {
            if text.chars().any(char::is_control) {
                return Err(AttachError::Control);
            }
        }
        if user.contains(':') {
            return Err(AttachError::Colon);
        }
        let both = Zeroizing::new(format!("{user}:{password}"));
        let encoded = SecretString::from(STANDARD.encode(both.as_bytes()));
        let place = AttachTo::Header(AUTHORIZATION.as_str().to_owned());
        let rule = Attach { place, format: "Basic {}".to_owned(), claim: None, secret: None };
        let mut attachment = Attachment::default();
        attachment.add(&rule, encoded.expose_secret())?;
        Ok((attachment, encoded))
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
        let (AttachTo::Header(name) | AttachTo::Query(name)) = &rule.place;
        let format_error = || AttachError::Format(name.clone());
        let (before, after) = rule.format.split_once("{}").ok_or_else(format_error)?;
        if after.contains("{}") || !rule.format.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return Err(format_error());
        }
        // Of its whole length at once: a text that grows leaves what it was behind.
        let mut text = String::with_capacity(before.len() + value.len() + after.len());
        [before, value, after].into_iter().for_each(|part| text.push_str(part));
        match &rule.place {
            AttachTo::Query(_) => self.query.push((name.clone(), text.into())),
            AttachTo::Header(_) => {
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

/// What came along when a secret was copied: it is visible, so a header would take it, and the provider would not.
pub(super) fn check_copied(secret: &str, with_scheme: bool) -> Result<(), AttachError> {
    const QUOTES: [char; 3] = ['"', '\'', '`'];
    if let [Some(first), Some(last)] = [secret.chars().next(), secret.chars().next_back()] {
        match (QUOTES.contains(&first), QUOTES.contains(&last)) {
            (true, true) if first == last && secret.len() > 1 => return Err(AttachError::Quoted),
            (false, false) => {}
            _ => return Err(AttachError::HalfQuoted),
        }
    }
    for scheme in ["Bearer ", "Basic ", "Token ", "Authorization:", "x-api-key:"] {
        if !with_scheme && secret.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme)) {
            return Err(AttachError::Scheme(scheme.trim_end()));
        }
    }
    if secret.starts_with('$') && !secret.starts_with("$env:") {
        return Err(AttachError::Unexpanded);
    }
    if is_assignment(secret) {
        return Err(AttachError::Assignment);
    }
    if secret.ends_with([',', ';']) {
        return Err(AttachError::Separator);
    }
    Ok(())
}

/// Whether a rule leaves the whole value of `authorization` to the secret, scheme included.
fn takes_all(rule: &Attach) -> bool {
    let whole = |name: &str| name.eq_ignore_ascii_case("authorization") && rule.format == "{}";
    matches!(&rule.place, AttachTo::Header(name) if whole(name))
}

/// Whether it is `export NAME=…`, `set NAME=…` or `NAME=…`. A key may hold `=` and end with it, as base64 does, so a bare
/// name counts only where it is one that keys are kept under.
fn is_assignment(secret: &str) -> bool {
    let Some((name, value)) = secret.split_once('=') else { return false };
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') && !value.is_empty()
    };
    let exported = ["export ", "set ", "setx ", "$env:"].into_iter().find_map(|before| name.strip_prefix(before));
    match exported {
        Some(name) => is_name(name.trim()),
        None => {
            let name = name.trim_end();
            let kept_under = ["KEY", "TOKEN", "SECRET"].into_iter().any(|end| name.to_ascii_uppercase().ends_with(end));
            is_name(name) && kept_under && !value.starts_with('=')
        }
    }
}

/// A description decides what carries its credential, but never how the message is framed.
fn may_carry(name: &HeaderName) -> bool {
    !bitrouter_contract::header::frames_message(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CANARY: &str = "sk-canary-0123456789";

    fn rule(place: AttachTo, format: &str, claim: Option<&str>) -> Attach {
        Attach { place, format: format.into(), claim: claim.map(Into::into), secret: None }
    }

    fn header(name: &str, format: &str) -> Attach {
        rule(AttachTo::Header(name.into()), format, None)
    }

    fn made(rules: &[Attach]) -> Result<Attachment, AttachError> {
        Attachment::new(rules, &CANARY.into(), &[("account".into(), "acct-1".into()), ("bad".into(), "a\nb".into())])
    }

    #[test]
    fn headers_are_set_as_the_rules_say_and_marked_sensitive() {
        let claim = rule(AttachTo::Header("account-id".into()), "{}", Some("account"));
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
        let attachment = made(&[rule(AttachTo::Query("key".into()), "{}", None)]).unwrap();
        let mut query = vec![("key".into(), "forged".into()), ("alt".into(), "sse".into())];
        attachment.apply(&mut HeaderMap::new(), &mut query);
        assert_eq!(query, [("alt".to_owned(), "sse".to_owned()), ("key".to_owned(), CANARY.to_owned())]);
    }

    #[test]
    fn a_rule_for_a_claim_that_is_not_there_is_left_out() {
        let attachment = made(&[rule(AttachTo::Header("x-plan".into()), "{}", Some("plan"))]).unwrap();
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
    fn what_came_along_when_a_secret_was_copied_is_told_and_not_sent() {
        for (secret, error) in [
            ("\"sk-canary\"", AttachError::Quoted),
            ("'sk-canary'", AttachError::Quoted),
            ("`sk-canary`", AttachError::Quoted),
            ("\"sk-canary", AttachError::HalfQuoted),
            ("sk-canary'", AttachError::HalfQuoted),
            ("\"sk-canary'", AttachError::HalfQuoted),
            ("\"", AttachError::HalfQuoted),
            ("\"sk-canary\",", AttachError::HalfQuoted),
            ("Bearer sk-canary", AttachError::Scheme("Bearer")),
            ("bearer sk-canary", AttachError::Scheme("Bearer")),
            ("Authorization: Bearer sk-canary", AttachError::Scheme("Authorization:")),
            ("X-API-Key: sk-canary", AttachError::Scheme("x-api-key:")),
            ("export OPENAI_API_KEY=sk-canary", AttachError::Assignment),
            ("export KEY=sk-canary", AttachError::Assignment),
            ("set OPENAI=sk-canary", AttachError::Assignment),
            ("$env:OPENAI_API_KEY = \"sk-canary\"", AttachError::HalfQuoted),
            ("$env:OPENAI_API_KEY=sk-canary", AttachError::Assignment),
            ("OPENAI_API_KEY=sk-canary", AttachError::Assignment),
            ("KEY=sk-canary", AttachError::Assignment),
            ("${OPENAI_API_KEY}", AttachError::Unexpanded),
            ("$OPENAI_API_KEY", AttachError::Unexpanded),
            ("sk-canary,", AttachError::Separator),
            ("sk-canary;", AttachError::Separator),
            ("sk-can\u{200b}ary", AttachError::NotAscii),
            ("\u{feff}sk-canary", AttachError::NotAscii),
        ] {
            let refused = Attachment::new(&[header("authorization", "Bearer {}")], &secret.into(), &[]).unwrap_err();
            assert!(!refused.to_string().contains("canary"));
            assert_eq!(refused, error, "{secret:?}");
        }
    }

    #[test]
    fn a_key_may_hold_what_looks_a_little_like_it() {
        for secret in ["sk-\"a\"b", "QUJDRA==", "abc=", "abc=def", "token-abc=def", "Bearers-abc", "sk,b", "a:b", "k$y"]
        {
            let made = Attachment::new(&[header("authorization", "Bearer {}")], &secret.into(), &[]);
            assert!(made.is_ok(), "{secret}: {made:?}");
        }
        let whole = Attachment::new(&[header("authorization", "{}")], &"Bearer sk-canary".into(), &[]);
        assert!(whole.is_ok(), "here the scheme is a part of what is asked for");
    }

    #[test]
    fn a_claim_that_no_header_takes_is_refused() {
        let refused = made(&[rule(AttachTo::Header("x-bad".into()), "{}", Some("bad"))]).unwrap_err();
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
            made(&[header("authorization", "Bearer {}"), rule(AttachTo::Query("key".into()), "{}", None)]).unwrap();
        let mut headers = HeaderMap::new();
        attachment.apply(&mut headers, &mut Vec::new());
        let debug = format!("{attachment:?} {headers:?}");
        assert!(debug.contains("authorization") && debug.contains("key") && !debug.contains("canary"), "{debug}");
    }
}
