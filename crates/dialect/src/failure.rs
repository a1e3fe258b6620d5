//! What a provider's failure means: by the rules of its description, else by its code and its status, in the shapes of all
//! four dialects and of those who copied them. The host asks where no component says it; what is tried next is not
//! decided here.

mod codes;
mod delay;
mod inside;

use std::borrow::Cow;

use bitrouter_contract::description::{ErrorRule, Errors};
use bitrouter_contract::{FailureKind, Scope};
use bitrouter_wait::{Ends, limit_ends, retry_after};

use crate::error::{ParsedError, event_status, parse_error, read_shape};
use crate::json;

pub use inside::as_error;

/// How much of a body that is not JSON is shown to a person, in characters.
const EXCERPT: usize = 300;

/// Statuses that no body of a call brings about: who is asked, where and by which method is the provider's and the host's,
/// so another account or provider may do better. One that is asked at the wrong path answers so, too.
const MISDIRECTED: [u16; 8] = [404, 405, 406, 410, 411, 421, 425, 426];

/// Something that a provider answered and that is not a success.
#[derive(Clone, Copy, Debug)]
pub enum Trouble<'a> {
    /// An answer whose status is not 2xx.
    Answer {
        /// Its status.
        status: u16,
        /// Its headers, with names in lower case.
        headers: &'a [(&'a str, &'a str)],
        /// Its body, or the beginning of it.
        body: &'a str,
    },
    /// An error event inside a stream.
    Event {
        /// What its framing says beside it; nothing in most.
        headers: &'a [(&'a str, &'a str)],
        /// Its data.
        data: &'a str,
    },
}

/// What a failure means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What it is.
    pub kind: FailureKind,
    /// What it concerns.
    pub scope: Scope,
    /// One sentence for a person, in the provider's own words where it has some.
    pub message: String,
    /// The provider's own code, else its type.
    pub code: Option<String>,
    /// Milliseconds from now until a new attempt may succeed.
    pub retry_after_ms: Option<u64>,
    /// Seconds since 1970 at which the limit ends.
    pub resets_at: Option<u64>,
}

impl Failure {
    /// What a failure of this provider means. When it ends is read in every form that providers write: `retry-after-ms`,
    /// `retry-after` as seconds or as a date, Google's `RetryInfo`, the sentence, and of a limit the reset of the window that
    /// is used up.
    pub fn of(errors: &Errors, trouble: Trouble<'_>) -> Self {
        match trouble {
            Trouble::Answer { status, headers, body } => Self::of_answer(errors, status, headers, body),
            Trouble::Event { headers, data } => Self::of_event(errors, headers, data),
        }
    }

    fn of_answer(errors: &Errors, status: u16, headers: &[(&str, &str)], body: &str) -> Self {
        let inside = errors.inside.as_ref().and_then(|inside| inside::read(inside, body.as_bytes()));
        let error = inside.or_else(|| parse_error(status, body.as_bytes())).unwrap_or_default();
        let code = error.code.clone().or_else(|| error.type_name.clone()).or_else(|| code_in_headers(headers));
        let details = ErrorDetails { code: code.as_deref(), class: error.type_name.as_deref(), error: &error };
        let (kind, scope) = details.by_rule(errors, Some(status)).unwrap_or_else(|| details.by_status(status));
        let mut failure = error.clone().failure(kind, scope, code, || excerpt(status, body));
        let fields = headers.iter().copied();
        let ends = match kind {
            FailureKind::RateLimited | FailureKind::UsageLimit => limit_ends(fields, None),
            _ => retry_after(fields, None),
        };
        match ends {
            Some(Ends::After(after)) => failure.retry_after_ms = Some(after),
            Some(Ends::At(at)) => failure.resets_at = failure.resets_at.or(Some(at)),
            None => failure.retry_after_ms = failure.delay_in_message_ms().or(failure.retry_after_ms),
        }
        failure
    }

    fn of_event(errors: &Errors, headers: &[(&str, &str)], data: &str) -> Self {
        let mut error = read_shape(data.as_bytes()).unwrap_or_default();
        let header = |wanted| headers.iter().find(|(name, _)| *name == wanted).map(|(_, value)| (*value).to_owned());
        if error.message.is_empty() {
            error.message = header(":error-message").unwrap_or_default();
        }
        let status = event_status(data.as_bytes());
        let framed = || header(":exception-type").or_else(|| header(":error-code"));
        let code = error.code.clone().or_else(|| error.type_name.clone()).or_else(framed);
        let details = ErrorDetails { code: code.as_deref(), class: error.type_name.as_deref(), error: &error };
        let known = details.by_rule(errors, status).or_else(|| details.by_code());
        let known = known.or_else(|| status.filter(|status| *status >= 400).map(|status| details.by_status(status)));
        let unknown = errors.unknown_event.unwrap_or(FailureKind::Other);
        let (kind, scope) = known.unwrap_or_else(|| (unknown, unknown.scope()));
        let broken = || "the provider broke off its answer with an error".to_owned();
        let mut failure = error.clone().failure(kind, scope, code, broken);
        failure.retry_after_ms = failure.delay_in_message_ms().or(failure.retry_after_ms);
        failure
    }

    fn delay_in_message_ms(&self) -> Option<u64> {
        (self.kind == FailureKind::RateLimited).then(|| delay::in_sentence(&self.message))?
    }
}

impl ParsedError {
    fn failure(
        self,
        kind: FailureKind,
        scope: Scope,
        code: Option<String>,
        unsaid: impl FnOnce() -> String,
    ) -> Failure {
        let message = if self.message.is_empty() { unsaid() } else { self.message };
        Failure { kind, scope, message, code, retry_after_ms: self.retry_after_ms, resets_at: self.resets_at }
    }
}

/// What an error says of itself.
struct ErrorDetails<'a> {
    code: Option<&'a str>,
    class: Option<&'a str>,
    error: &'a ParsedError,
}

/// Whether an account has used up something.
fn is_limit(kind: FailureKind) -> bool {
    matches!(kind, FailureKind::RateLimited | FailureKind::UsageLimit | FailureKind::NoCredit)
}

impl ErrorDetails<'_> {
    /// By the first rule of the description that fits.
    fn by_rule(&self, errors: &Errors, status: Option<u16>) -> Option<(FailureKind, Scope)> {
        let rule = errors.rules.iter().find(|rule| self.fits(rule, status))?;
        Some((rule.kind, rule.scope.unwrap_or_else(|| rule.kind.scope())))
    }

    fn fits(&self, rule: &ErrorRule, status: Option<u16>) -> bool {
        let ErrorRule { code, message, status: wanted, kind: _, scope: _ } = rule;
        let is = |own: Option<&str>, code: &str| own.is_some_and(|own| own.eq_ignore_ascii_case(code));
        code.as_deref().is_none_or(|code| is(self.code, code) || is(self.class, code))
            && message.as_deref().is_none_or(|words| self.error.message.contains(words))
            && wanted.is_none_or(|wanted| status == Some(wanted))
    }

    /// By the code, which says more, else by the type.
    fn by_code(&self) -> Option<(FailureKind, Scope)> {
        let kind = self.code.and_then(codes::kind).or_else(|| self.class.and_then(codes::kind))?;
        Some((kind, kind.scope()))
    }

    fn by_status(&self, status: u16) -> (FailureKind, Scope) {
        let coded = self.by_code();
        let plain = |kind: FailureKind| (kind, kind.scope());
        // A code that names a limit says more than the status around it.
        let limit = coded.filter(|(kind, _)| is_limit(*kind));
        match status {
            // Google's for a key that is none.
            400 if self.is("API_KEY_INVALID") => plain(FailureKind::Unauthorized),
            401 => plain(FailureKind::Unauthorized),
            402 => limit.unwrap_or_else(|| plain(FailureKind::NoCredit)),
            // The latter where a country's law or an organization's rules are in the way.
            // What a filter refuses is the call's own, and no reason to leave the account alone.
            403 | 451 => limit
                .or(coded.filter(|(kind, _)| *kind == FailureKind::ContentFiltered))
                .unwrap_or_else(|| plain(FailureKind::Forbidden)),
            404 | 410 if self.speaks_of("model") => plain(FailureKind::ModelNotFound),
            404 | 410 if self.names_what_the_call_holds() => plain(FailureKind::InvalidRequest),
            _ if MISDIRECTED.contains(&status) => (FailureKind::Other, Scope::Account),
            413 => plain(FailureKind::ContextExceeded),
            429 => coded
                .filter(|(kind, _)| *kind != FailureKind::InvalidRequest)
                .unwrap_or_else(|| plain(FailureKind::RateLimited)),
            // The first is Groq's, for a tier without room.
            498 | 503 | 529 => plain(FailureKind::Overloaded),
            // There is no such operation here, which says nothing of the others.
            501 => plain(FailureKind::Unsupported),
            // With 407 a proxy on the way wants a login, with 424 a backend behind the API has failed, and with 499 one was
            // given up on.
            407 | 408 | 424 | 499 | 500.. => limit
                .or(coded.filter(|(kind, _)| *kind == FailureKind::Overloaded))
                .unwrap_or_else(|| plain(FailureKind::Unavailable)),
            _ if self.speaks_of("prompt is too long") || self.speaks_of("maximum context length") => {
                plain(FailureKind::ContextExceeded)
            }
            400.. => coded.unwrap_or_else(|| plain(FailureKind::InvalidRequest)),
            _ => plain(FailureKind::Other),
        }
    }

    fn is(&self, code: &str) -> bool {
        [self.code, self.class].contains(&Some(code))
    }

    /// Whether it minds a member of the body, or says that something which the body names is not there.
    fn names_what_the_call_holds(&self) -> bool {
        let names = |code: &String| code.ends_with("_not_found") && code != "url_not_found";
        self.error.param.is_some() || self.error.code.as_ref().is_some_and(names)
    }

    fn speaks_of(&self, words: &str) -> bool {
        self.error.message.contains(words) || self.error.code.as_ref().is_some_and(|code| code.contains(words))
    }
}

/// What can be said of an answer without an error message.
fn excerpt(status: u16, body: &str) -> String {
    let message = format!("the provider answered with status {status}");
    match body.trim_ascii() {
        "" => message,
        // Markup tells a person nothing.
        page if page.starts_with('<') => message + " and a page that is no JSON",
        body => message + ": " + &body.chars().take(EXCERPT).collect::<String>(),
    }
}

/// The code of an answer whose body has none. At OpenAI two headers may say it, one of them as JSON in base64; at AWS it is one,
/// with the address of its definition behind it or the name of its service before it.
fn code_in_headers(headers: &[(&str, &str)]) -> Option<String> {
    use base64::prelude::{BASE64_STANDARD, Engine};
    let header = |wanted| headers.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value);
    let sealed = || {
        let body = BASE64_STANDARD.decode(header("x-error-json")?).ok()?;
        json::get_text(json::get(&body, "error")?, "code").map(Cow::into_owned)
    };
    let of_aws = || {
        let name = header("x-amzn-errortype")?.split(':').next()?;
        Some(name.rsplit('#').next()?.to_owned())
    };
    header("x-openai-authorization-error").map(str::to_owned).or_else(sealed).or_else(of_aws)
}
