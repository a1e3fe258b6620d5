//! What every error means: for the client its kind, status, word and member; for failover what it concerns, whose doing it
//! is, and for how long. The one place where the errors of all crates and rooms are told apart, each by its name.
//!
//! The pipeline asks before it tries another target, and whoever writes an error to a client does.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bitrouter_contract::{FailureKind, Scope};
use bitrouter_dialect::history::Name;
use bitrouter_dialect::{ApiError, ErrorKind};
use bitrouter_plugin::HookError;
use bitrouter_route::cooldown::Reason;
use bitrouter_route::{Ends, Meaning, RequestedModelsError};
use bitrouter_upstream::SendError;

use super::{Error, left};

/// When a client may come back to a gateway that has too much to do.
const BUSY: Duration = Duration::from_secs(5);
/// The same where no slot was free for a component.
const NO_SLOT: Duration = Duration::from_secs(1);

/// What an error means.
struct Edge {
    meaning: Meaning,
    /// A word for programs, where there is one that says more than the kind.
    code: Option<&'static str>,
    /// The member of the body that is at fault, where it is one that the gateway reads.
    param: Option<&'static str>,
    /// The status, where it says more than the kind's own.
    status: Option<u16>,
}

/// The request's own fault, or this gateway's: it would fail anywhere.
fn request(kind: ErrorKind) -> Edge {
    ours(kind, Scope::Request)
}

/// What went wrong on this side, before anything was sent.
fn ours(kind: ErrorKind, scope: Scope) -> Edge {
    Edge { meaning: Meaning::ours(kind, scope), code: None, param: None, status: None }
}

/// What the upstream did, or did not do.
fn theirs(kind: ErrorKind, why: Reason) -> Edge {
    let meaning = Meaning { why: Some(why), ..Meaning::theirs(kind, Scope::Provider, None) };
    Edge { meaning, code: None, param: None, status: None }
}

impl Edge {
    fn code(self, code: &'static str) -> Self {
        Edge { code: Some(code), ..self }
    }

    fn param(self, param: &'static str) -> Self {
        Edge { param: Some(param), ..self }
    }

    fn status(self, status: u16) -> Self {
        Edge { status: Some(status), ..self }
    }

    fn after(self, after: Option<Duration>) -> Self {
        Edge { meaning: Meaning { ends: after.map(Ends::After), ..self.meaning }, ..self }
    }
}

impl Error {
    fn edge(&self) -> Edge {
        use ErrorKind as Kind;
        match self {
            Error::ForeignHost(_) => request(Kind::Forbidden).code("host_not_allowed"),
            Error::ForeignOrigin(_) => request(Kind::Forbidden).code("origin_not_allowed"),
            Error::BadHost(_) => request(Kind::InvalidRequest).code("host_not_allowed"),
            Error::NoKey => request(Kind::Unauthorized).code("gateway_key_missing"),
            Error::NoEndpoint { .. } => request(Kind::NotFound).code("endpoint_not_found"),
            Error::Method { .. } => request(Kind::InvalidRequest).code("method_not_allowed").status(405),
            Error::NoWebSocket(_) => request(Kind::InvalidRequest).code("websocket_not_supported").status(426),
            Error::Handshake(_) => request(Kind::InvalidRequest).code("websocket_handshake_invalid"),
            Error::Frame(_) => request(Kind::InvalidRequest),
            Error::StreamId => request(Kind::InvalidRequest).code("invalid_stream_id").param("stream_id"),
            Error::SocketLimit => request(Kind::InvalidRequest).code("websocket_connection_limit_reached"),

            Error::ContentType(..) | Error::Encoding(_) => request(Kind::UnsupportedMediaType),
            Error::BodyLimit(_) => request(Kind::PayloadTooLarge),
            Error::BodySlow(_) => request(Kind::InvalidRequest).code("body_timeout").status(408),
            Error::Decompress { .. } | Error::BodyLost(_) | Error::Json(_) | Error::Multipart(_) => {
                request(Kind::InvalidRequest)
            }
            Error::BodiesFull(_) | Error::BodiesWait(_) | Error::Crowded => {
                request(Kind::Unavailable).code("gateway_busy").after(Some(BUSY))
            }
            Error::Member { name, .. } => request(Kind::InvalidRequest).code("parameter_invalid").param(name),

            Error::NoModel => request(Kind::InvalidRequest).code("model_missing").param("model"),
            Error::RequestedModels(RequestedModelsError::Models { .. }) => {
                request(Kind::InvalidRequest).code("models_invalid").param("models")
            }
            Error::RequestedModels(
                RequestedModelsError::Model { .. } | RequestedModelsError::Address(_) | RequestedModelsError::Body(_),
            ) => request(Kind::InvalidRequest).code("model_invalid").param("model"),
            Error::Address { param, .. } => request(Kind::InvalidRequest).code("model_not_found").param(param),
            Error::NotListed(_) => request(Kind::NotFound).code("model_not_found").param("model"),
            Error::NoPage(_) => request(Kind::InvalidRequest).code("parameter_invalid"),
            Error::NotServing { .. } => request(Kind::Unavailable),
            Error::Compiling => request(Kind::Unavailable).after(Some(BUSY)),
            Error::NotServed { .. } => ours(Kind::NotImplemented, Scope::Provider),
            Error::Cooling { reason, until, .. } => request(cooling(*reason)).after(Some(left(until))),

            Error::NoCredential(_) => ours(Kind::Unauthorized, Scope::Account).code("credential_missing"),
            Error::NotRefreshed(_) => ours(Kind::Unavailable, Scope::Account),
            Error::Binding(_) => ours(Kind::Forbidden, Scope::Account).code("origin_not_accepted"),

            Error::Untranslatable { .. } => ours(Kind::InvalidRequest, Scope::Provider).code("request_untranslatable"),
            Error::NotKept(Name::Response(_)) => {
                request(Kind::InvalidRequest).code("previous_response_not_found").param("previous_response_id")
            }
            Error::NoObject { param, .. } => request(Kind::NotFound).param(param),
            Error::OwnedElsewhere { .. } => request(Kind::InvalidRequest).code("owned_elsewhere"),
            Error::SeveralOwners { .. } => request(Kind::InvalidRequest).code("several_owners"),
            Error::WhichProvider { among, .. } if among.is_empty() => request(Kind::NotImplemented),
            Error::WhichProvider { .. } => {
                request(Kind::InvalidRequest).code("provider_ambiguous").param("x-bitrouter-provider")
            }
            Error::NotInBackground(_) => request(Kind::InvalidRequest).param("id"),
            Error::NotKept(Name::Item(_)) => request(Kind::InvalidRequest).param("input").status(404),
            Error::Lost { .. } => ours(Kind::InvalidRequest, Scope::Provider).code("member_unsupported"),
            Error::Hook { error, .. } => hook(error).code("component_failed"),
            Error::Refused { kind, scope, status, .. } => {
                Edge { status: *status, ..ours(refusal(kind), Scope::of(scope)) }
            }
            Error::Reported { meaning, status, .. } => {
                Edge { meaning: *meaning, code: None, param: None, status: *status }
            }
            Error::BadRequest { .. } => ours(Kind::Upstream, Scope::Provider).code("component_failed"),

            Error::Send { error, .. } => send(error),
            Error::Redirect { .. } => theirs(Kind::Upstream, Reason::InFront).code("redirect_refused"),
            Error::Page { ends, .. } => {
                let after = ends.as_ref().map(|ends| ends.left(SystemTime::now()));
                theirs(Kind::Upstream, Reason::InFront).code("web_page").after(after)
            }
            Error::Broken { .. } => theirs(Kind::Upstream, Reason::BrokeOff),
            Error::Internal(_) => request(Kind::Internal),
        }
    }

    /// What it means for what may be tried next.
    pub(crate) fn meaning(&self) -> Meaning {
        self.edge().meaning
    }

    /// In the form that every dialect can be written from.
    pub fn to_api(&self, request_id: &str) -> ApiError {
        let Edge { meaning, code, param, status } = self.edge();
        let mut error = ApiError::new(meaning.kind, self.to_string());
        error.code = code.map(str::to_owned);
        error.param = param.map(str::to_owned);
        error.status = status.unwrap_or(error.status);
        error.retry_after = meaning.ends.map(|ends| ends.left(SystemTime::now()).as_secs().max(1));
        if let Error::Cooling { until, reason, .. } = self
            && reason.is_limit()
        {
            error.resets_at = until.duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs());
        }
        if let Error::Untranslatable { param, .. } = self {
            error.param.clone_from(param);
        }
        if let Error::Reported { code, .. } = self {
            error.code.clone_from(code);
        }
        error.request_id = Some(request_id.to_owned());
        error
    }
}

/// A hook that failed. Only the body is the client's.
fn hook(error: &HookError) -> Edge {
    match error {
        HookError::Body(_) => request(ErrorKind::InvalidRequest),
        HookError::Busy => ours(ErrorKind::Unavailable, Scope::Provider).after(Some(NO_SLOT)),
        HookError::Quarantined { left, .. } => ours(ErrorKind::Unavailable, Scope::Provider).after(Some(*left)),
        HookError::Cpu(_)
        | HookError::Memory(_)
        | HookError::Wall(_)
        | HookError::Stack
        | HookError::Trap(_)
        | HookError::Contract(_) => ours(ErrorKind::Upstream, Scope::Provider),
    }
}

/// An exchange that brought no answer.
fn send(error: &SendError) -> Edge {
    match error {
        SendError::FirstByte { .. } => theirs(ErrorKind::Timeout, Reason::Silent),
        SendError::Slow { .. } => theirs(ErrorKind::Upstream, Reason::SlowConnect),
        SendError::Connect { .. } | SendError::Tls(_) => theirs(ErrorKind::Upstream, Reason::Unreachable),
        SendError::Lost { .. } | SendError::Unasked { .. } => theirs(ErrorKind::Upstream, Reason::BrokeOff),
    }
}

/// What a client is told of something that cools down: what it failed with.
fn cooling(reason: Reason) -> ErrorKind {
    match reason {
        Reason::RateLimited => ErrorKind::RateLimited,
        Reason::UsageLimit | Reason::NoCredit => ErrorKind::UsageLimit,
        Reason::LoggedOut => ErrorKind::Unauthorized,
        Reason::NotOffered | Reason::Deactivated => ErrorKind::Forbidden,
        Reason::NotFound => ErrorKind::NotFound,
        Reason::Overloaded => ErrorKind::Overloaded,
        Reason::Failing
        | Reason::Unreachable
        | Reason::SlowConnect
        | Reason::Silent
        | Reason::BrokeOff
        | Reason::InFront => ErrorKind::Unavailable,
    }
}

/// The contract's failure kinds in the dialects' words.
pub(crate) fn refusal(kind: &str) -> ErrorKind {
    match FailureKind::of(kind) {
        FailureKind::RateLimited => ErrorKind::RateLimited,
        FailureKind::UsageLimit | FailureKind::NoCredit => ErrorKind::UsageLimit,
        FailureKind::Overloaded => ErrorKind::Overloaded,
        FailureKind::Unavailable => ErrorKind::Unavailable,
        FailureKind::Unauthorized => ErrorKind::Unauthorized,
        FailureKind::Forbidden => ErrorKind::Forbidden,
        FailureKind::ModelNotFound => ErrorKind::NotFound,
        FailureKind::ContextExceeded => ErrorKind::ContextWindow,
        FailureKind::ContentFiltered => ErrorKind::ContentFilter,
        FailureKind::InvalidRequest => ErrorKind::InvalidRequest,
        FailureKind::Unsupported => ErrorKind::NotImplemented,
        FailureKind::Other => ErrorKind::Upstream,
    }
}

#[cfg(test)]
mod tests {
    use bitrouter_route::verdict::{Cools, Next};

    use super::*;

    #[test]
    fn what_went_wrong_on_the_way_moves_on_and_what_the_client_did_does_not() {
        let send = |error| Error::Send { provider: "p".into(), error };
        let hook = |error| Error::Hook { provider: "p".into(), error };
        let origin = || "api.example:443".to_owned();
        for (error, next, cools) in [
            (send(SendError::Unasked { origin: origin() }), Next::Target, Some(Cools::Target)),
            (send(SendError::FirstByte { origin: origin(), after: BUSY }), Next::Target, Some(Cools::Target)),
            (send(SendError::Slow { origin: origin(), after: BUSY }), Next::Later, Some(Cools::Target)),
            (Error::Broken { provider: "p".into(), reason: "cut".into() }, Next::Target, Some(Cools::Target)),
            (Error::NotRefreshed("later".into()), Next::Account, None),
            (Error::NoCredential("none".into()), Next::Account, None),
            (hook(HookError::Stack), Next::Target, None),
            (hook(HookError::Busy), Next::Target, None),
            (hook(HookError::Body(bitrouter_document::Error::ByteOrderMark)), Next::Nothing, None),
            (Error::NoModel, Next::Nothing, None),
        ] {
            let meaning = error.meaning();
            assert_eq!((meaning.next(), meaning.cools()), (next, cools), "{error}");
        }
    }

    #[test]
    fn a_client_is_told_when_to_come_back_and_by_which_word_to_know_why() {
        let of = |error: Error| {
            let api = error.to_api("r");
            (api.status, api.code, api.retry_after)
        };
        assert_eq!(of(Error::Compiling), (503, None, Some(5)));
        let quarantined = HookError::Quarantined { left: Duration::from_millis(300), reason: "it looped".into() };
        let quarantined = Error::Hook { provider: "p".into(), error: quarantined };
        assert_eq!(of(quarantined), (503, Some("component_failed".into()), Some(1)));
        assert_eq!(of(Error::NoWebSocket("/v1/x".into())), (426, Some("websocket_not_supported".into()), None));
    }
}
