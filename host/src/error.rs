//! Everything that can go wrong with a request: one enum that knows its status and how it reads in each dialect.
//!
//! Every step returns it; the gateway writes it. Sentences name the thing, the place and the next step, and never hold a
//! secret.

mod edge;
mod page;

use std::fmt;
use std::time::{Duration, SystemTime};

use bitrouter_credential::BindingError;
use bitrouter_dialect::Dialect;
use bitrouter_dialect::history::Name;
use bitrouter_files::Timestamp;
use bitrouter_plugin::HookError;
use bitrouter_plugin::contract::Failure;
use bitrouter_route::cooldown::Reason as Cool;
use bitrouter_route::{Ends, Own, RequestedModelsError};
use bitrouter_upstream::SendError;
use http::StatusCode;

pub(crate) use edge::refusal;
pub use page::Page;

/// A failed request.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `Host` names something that is not this gateway.
    #[error(
        "the Host header `{0}` is not this gateway's. Use http://127.0.0.1:PORT or http://localhost:PORT; for another name of this machine, add it to server.allowed_hosts in bitrouter.yaml; for other machines, set server.listen to an address that they reach, and server.keys"
    )]
    ForeignHost(String),
    /// It cannot be told which host was meant.
    #[error("the request {0}: send one Host header that names this gateway")]
    BadHost(String),
    /// A web page that is not allowed asked.
    #[error(
        "web pages at `{0}` may not use this gateway. To allow it, add it to server.allowed_origins in bitrouter.yaml"
    )]
    ForeignOrigin(String),
    /// A key is needed and none that is known came.
    #[error(
        "this gateway wants one of its server.keys as `Authorization: Bearer KEY` or `x-api-key: KEY`; Google's clients send it as theirs"
    )]
    NoKey,
    /// The body is of a type that no endpoint takes.
    #[error("the body's content type is {0}; this endpoint takes {1}")]
    ContentType(String, &'static str),
    /// The body is compressed in a way that is not known.
    #[error("the content encoding `{0}` is not known; zstd, gzip and br are")]
    Encoding(String),
    /// The body cannot be decompressed.
    #[error("the body is not valid {encoding}: {reason}")]
    Decompress {
        /// The encoding that the client named.
        encoding: String,
        /// What the decoder said.
        reason: String,
    },
    /// The body is too large.
    #[error("the body has more than {} MiB, decompressed; server.body_limit sets the limit", .0 >> 20)]
    BodyLimit(usize),
    /// The client stopped sending.
    #[error("the body did not arrive: {0}")]
    BodyLost(String),
    /// The client sends too slowly, or nothing.
    #[error("the body did not arrive in time: {0}. server.body_timeout_ms sets how long one may take")]
    BodySlow(String),
    /// The bodies of other requests hold as much memory as all may.
    #[error(
        "the bodies of all requests hold as much memory as they may ({} MiB; server.bodies_limit): try again in a few seconds", .0 >> 20
    )]
    BodiesFull(usize),
    /// Other bodies are unpacked.
    #[error(
        "so many long compressed bodies came that it was not this one's turn within {0} s: try again in a few seconds"
    )]
    BodiesWait(u64),
    /// Every connection that may call is busy.
    #[error(
        "as many clients are busy as may be at a time (server.connections, or the process's limit of open files): try again in a few seconds"
    )]
    Crowded,
    /// The body is not what JSON allows, or not what is read of it.
    #[error("{}{}", is_no_json(.0), .0)]
    Json(#[from] bitrouter_document::Error),
    /// A member that the gateway reads is not what it should be.
    #[error("`{name}` {problem}")]
    Member {
        /// The member.
        name: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// A form is malformed.
    #[error("the multipart body is not valid: {0}")]
    Multipart(String),
    /// No model was named.
    #[error("the body names no `model`. Use an address such as openai:gpt-5; `bitrouter models` lists them")]
    NoModel,
    /// `model` or `models` is not what it should be.
    #[error(transparent)]
    RequestedModels(RequestedModelsError),
    /// An address names nothing.
    #[error("{message}")]
    Address {
        /// The whole sentence.
        message: String,
        /// The member of the body that holds it: `model` or `models`.
        param: &'static str,
    },
    /// The provider is known but does not serve.
    #[error("{provider}: {reason}")]
    NotServing {
        /// The provider's id or file.
        provider: String,
        /// Why.
        reason: String,
    },
    /// Components are still being compiled.
    #[error("providers are still being compiled: try again in a few seconds")]
    Compiling,
    /// No credential, or not the one that was named.
    #[error("{0}")]
    NoCredential(String),
    /// The account's token is over and could not be refreshed; to wait may help.
    #[error("{0}")]
    NotRefreshed(String),
    /// Everything that could be asked cools down: the answer from memory.
    #[error("{target} is not asked {}: {}. See all that cools down with: bitrouter status", within(.until), rests(*.reason, .own.as_ref()))]
    Cooling {
        /// The target that ends first, as an address.
        target: String,
        /// The client's own headers with which it was refused, if it was with any.
        own: Option<Own>,
        /// Why it cools.
        reason: Cool,
        /// When it ends.
        until: SystemTime,
    },
    /// The credential may not go there.
    #[error(transparent)]
    Binding(#[from] BindingError),
    /// The provider does not do this.
    #[error("{provider} does not serve {wanted}{}", others(.served_by))]
    NotServed {
        /// The provider.
        provider: String,
        /// The operation, and the dialect where it has one.
        wanted: String,
        /// The providers which do.
        served_by: Vec<String>,
    },
    /// The request asks for what cannot be said in the dialect of the provider.
    #[error("{provider} serves {dialect}, into which this request cannot be translated: {message}")]
    Untranslatable {
        /// The provider.
        provider: String,
        /// The dialect that it serves.
        dialect: Dialect,
        /// What cannot be said.
        message: String,
        /// The member of the body.
        param: Option<String>,
    },
    /// The request names an earlier answer that is not kept.
    #[error("{}", .0.not_found())]
    NotKept(Name),
    /// An object that nobody is known to have made for this caller, in the words of its vendor.
    #[error("{}", no_object(.object, .id))]
    NoObject {
        /// What it is called.
        object: &'static str,
        /// Its id.
        id: String,
        /// Where the request names it.
        param: &'static str,
    },
    /// The request names an object that is somewhere else than where it goes.
    #[error(
        "`{id}` is at {owner} and nowhere else, and this request does not go there: name a model of that provider, as in \
         {owner}:MODEL"
    )]
    OwnedElsewhere {
        /// The object's id.
        id: String,
        /// Who made it, as an address without a model.
        owner: String,
    },
    /// The request names objects of several accounts.
    #[error(
        "`{}` is at {} and `{}` at {}: a request goes to one account. Name what one of them has",
        .ids[0], .owners[0], .ids[1], .owners[1]
    )]
    SeveralOwners {
        /// Two of them.
        ids: [String; 2],
        /// Who made each.
        owners: [String; 2],
    },
    /// Nothing says which provider is asked for objects.
    #[error("{}", which_provider(.object, .among))]
    WhichProvider {
        /// What they are called.
        object: &'static str,
        /// The providers that have such objects.
        among: Vec<String>,
    },
    /// A response that the gateway keeps was to be cancelled.
    #[error("`{0}` was not made in the background: it is over, and there is nothing to cancel")]
    NotInBackground(String),
    /// Some of the request would be lost in its translation, and the config says that it must not.
    #[error(
        "{provider} serves {dialect}, in which this cannot be said: {pointers}. Leave it out, or set `strict: false` in bitrouter.yaml to have it left out"
    )]
    Lost {
        /// The provider.
        provider: String,
        /// The dialect that it serves.
        dialect: Dialect,
        /// The members, as JSON pointers.
        pointers: String,
    },
    /// A hook failed.
    #[error("the component `{provider}` {error}")]
    Hook {
        /// The provider.
        provider: String,
        /// What happened.
        error: HookError,
    },
    /// The component refused the call.
    #[error("{provider}: {message}")]
    Refused {
        /// The provider.
        provider: String,
        /// The failure's kind, as the contract documents it.
        kind: String,
        /// What it concerns, as the contract documents it.
        scope: String,
        /// The component's own sentence.
        message: String,
        /// The status that it would have the client told.
        status: Option<u16>,
    },
    /// The provider's answer is a failure, though its status was none: the component that rewrites it says so.
    #[error("{provider}: {message}")]
    Reported {
        /// The provider.
        provider: String,
        /// What it means.
        meaning: bitrouter_route::Meaning,
        /// What the answer said.
        message: String,
        /// The provider's own code.
        code: Option<String>,
        /// The status that the client is to be told.
        status: Option<u16>,
    },
    /// The component described a request that may not be sent.
    #[error("the component `{provider}` described a request that is refused: {reason}")]
    BadRequest {
        /// The provider.
        provider: String,
        /// Why.
        reason: String,
    },
    /// No answer came.
    #[error("{provider}: {error}")]
    Send {
        /// The provider.
        provider: String,
        /// What happened.
        error: SendError,
    },
    /// The upstream answered with a redirect.
    #[error(
        "{provider} redirects to {location}. Redirects are not followed: a credential goes only where it was accepted"
    )]
    Redirect {
        /// The provider.
        provider: String,
        /// Where to.
        location: String,
    },
    /// Something in front of the upstream answered with a web page.
    #[error("{provider}: {host} answered {} with a web page{}", Status(*.status), page.told())]
    Page {
        /// The provider.
        provider: String,
        /// Who was asked.
        host: String,
        /// With which status.
        status: StatusCode,
        /// What the page seems to be.
        page: Page,
        /// When to come back, where it says so.
        ends: Option<Ends>,
    },
    /// The answer broke off before its first byte.
    #[error("{provider}: {reason}")]
    Broken {
        /// The provider.
        provider: String,
        /// What happened.
        reason: String,
    },
    /// No such path.
    #[error("there is no endpoint {method} {path}{}", instead(.path, .nearest))]
    NoEndpoint {
        /// The method.
        method: String,
        /// The path, shortened where it is very long.
        path: String,
        /// The path that was most likely meant.
        nearest: &'static str,
    },
    /// The path is there, the method is not.
    #[error("{path} does not take {method}: it takes {allowed}")]
    Method {
        /// The method.
        method: String,
        /// The path.
        path: String,
        /// The methods that it takes.
        allowed: &'static str,
    },
    /// There are no WebSockets at this path.
    #[error("{0} does not speak over WebSockets: send the request with POST")]
    NoWebSocket(String),
    /// A handshake that is none; what is wrong with it.
    #[error("this begins no WebSocket: {0}")]
    Handshake(String),
    /// A message of a WebSocket that is none of those that there are.
    #[error("the message was not understood: {0}")]
    Frame(String),
    /// A message names one of several answers that run at once.
    #[error(
        "one answer runs at a time on a WebSocket of this gateway, so `stream_id` is not taken. Leave it out, or open a \
         connection for each"
    )]
    StreamId,
    /// A WebSocket that is too old.
    #[error(
        "this connection has lasted for 60 minutes, which is the limit. Open another and send the whole conversation"
    )]
    SocketLimit,
    /// A model that nobody lists was asked for by its page; the whole sentence.
    #[error("{0}")]
    NotListed(String),
    /// A page of the list of models was asked for that there is not; the whole sentence.
    #[error("{0}")]
    NoPage(String),
    /// Something that should not happen did.
    #[error("the gateway failed: {0}. The log has more")]
    Internal(String),
}

/// A status as a person reads it: one without a name is a number alone.
pub(crate) struct Status(pub StatusCode);

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.as_u16())?;
        self.0.canonical_reason().iter().try_for_each(|name| write!(f, " {name}"))
    }
}

/// Why something rests. Where it was refused together with a client's own headers, they are what to look at first.
fn rests(reason: Cool, own: Option<&Own>) -> String {
    match (reason, own) {
        (Cool::LoggedOut, Some(own)) => {
            format!(
                "the credential was refused together with the client's {own}: send it as the account has it, or not at all"
            )
        }
        (reason, Some(own)) => format!("{reason}, together with the client's {own}"),
        (reason, None) => reason.to_string(),
    }
}

/// What stands before a document's own sentence where the body is no JSON at all.
fn is_no_json(error: &bitrouter_document::Error) -> &'static str {
    use bitrouter_document::Error as E;
    match error {
        E::Syntax { .. } | E::ByteOrderMark | E::NotUtf8 { .. } => "the body is not valid JSON: ",
        _ => "",
    }
}

/// What vendors say of an object that they do not have.
fn no_object(object: &str, id: &str) -> String {
    let id: String = id.chars().take(LONGEST_ID).flat_map(char::escape_debug).collect();
    match object {
        "responses" => format!("Response with id '{id}' not found."),
        "conversations" => format!("Conversation with id '{id}' not found."),
        "uploads" => format!("No such Upload object: {id}"),
        "batches" => format!("No batch found with id '{id}'."),
        _ => format!("No such File object: {id}"),
    }
}

/// The longest id that a sentence shows, in characters.
const LONGEST_ID: usize = 200;

fn which_provider(object: &str, among: &[String]) -> String {
    match among {
        [] => format!("no active provider has {object}. Who is active: bitrouter providers"),
        some => format!(
            "{} have {object}: say whose are meant with the header `x-bitrouter-provider: {}`, or name one for all requests \
             by `models: {{{object}: [\"{}:{object}\"]}}` in bitrouter.yaml",
            some.join(", "),
            some[0],
            some[0]
        ),
    }
}

/// What to ask in the place of a path that is not there.
fn instead(path: &str, nearest: &str) -> String {
    let base = match path.starts_with("/v1/") && !path.starts_with("/v1/v1/") || !nearest.starts_with("/v1/") {
        true => "",
        false => ": a client's base URL ends in /v1, such as http://127.0.0.1:4356/v1",
    };
    format!(". The nearest is {nearest}{base}")
}

fn others(served_by: &[String]) -> String {
    match served_by {
        [] => ", nor does any other provider that is active".into(),
        some => format!(". These do: {}", some.join(", ")),
    }
}

/// For how long something is left alone, for a sentence.
fn within(until: &SystemTime) -> String {
    match left(until).as_secs() {
        0..=90 => format!("for {} s more", left(until).as_secs().max(1)),
        91..=5400 => format!("for {} minutes more", left(until).as_secs().div_ceil(60)),
        _ => format!("before {}", Timestamp::from(*until)),
    }
}

fn left(until: &SystemTime) -> Duration {
    until.duration_since(SystemTime::now()).unwrap_or_default()
}

impl From<RequestedModelsError> for Error {
    fn from(error: RequestedModelsError) -> Self {
        match error {
            RequestedModelsError::Models { .. } | RequestedModelsError::Model { .. } => Error::RequestedModels(error),
            RequestedModelsError::Address(error) => Error::address(error.to_string()),
            RequestedModelsError::Body(error) => Error::Json(error),
        }
    }
}

impl Error {
    /// A component's refusal.
    pub(crate) fn refused(provider: String, failure: Failure) -> Self {
        let Failure { kind, scope, message, status, .. } = failure;
        Error::Refused { provider, kind, scope, message, status }
    }

    /// The address in `model` names nothing; the whole sentence.
    pub(crate) fn address(message: String) -> Self {
        Error::Address { message, param: "model" }
    }
}

#[cfg(test)]
mod tests {
    use bitrouter_document::Document;
    use bitrouter_route::Addresses;

    use super::*;

    #[test]
    fn what_is_wrong_with_an_address_names_its_member() {
        let of = |body: &str| {
            let mut document = Document::parse(body.to_owned()).unwrap();
            let asked =
                Addresses::take(&mut document).map_err(Error::from).and_then(|asked| asked.ok_or(Error::NoModel));
            let error = asked.unwrap_err().to_api("r");
            (error.param.unwrap(), error.code.unwrap())
        };
        let long = format!(r#"{{"model":"{}"}}"#, "m".repeat(513));
        for (body, param, code) in [
            (r#"{"model":null}"#, "model", "model_missing"),
            (r#"{"models":null}"#, "model", "model_missing"),
            (r#"{"model":5}"#, "model", "model_invalid"),
            (r#"{"model":"m","models":[]}"#, "models", "models_invalid"),
            (r#"{"model":"m","models":[null]}"#, "models", "models_invalid"),
            (&long, "model", "model_not_found"),
        ] {
            assert_eq!(of(body), (param.to_owned(), code.to_owned()), "{body:.40}");
        }
    }
}
