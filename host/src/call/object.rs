//! The paths of objects: what providers keep under an id (responses, conversations, files, uploads, batches), with the methods
//! that each takes. What stands in such a path goes up as it came, to whoever made the object.
//!
//! `destination` looks for one behind all other paths; the pipeline decides who is asked.

use bitrouter_dialect::{Dialect, LastWord};
use http::{HeaderMap, Method, Uri};
use percent_encoding::percent_decode_str;

use super::destination::asker;
use super::endpoints::{Endpoint, ModelIn};

/// Names the provider, and if need be the account, that is asked where no id says it: `openai`, or `openai@work`.
pub(crate) const PROVIDER: &str = "x-bitrouter-provider";

/// A request for an object, or for all of them.
#[derive(Clone, Debug)]
pub struct Object {
    /// Where it came in.
    pub endpoint: &'static Endpoint,
    /// What is to be done.
    pub method: Method,
    /// What stands behind the endpoint's path, decoded: the id, and what is asked of the object.
    pub segments: Vec<String>,
}

impl Object {
    /// The object's id; none where a new one is made or all are listed.
    pub fn id(&self) -> Option<&str> {
        self.segments.first().map(String::as_str)
    }

    /// Whether all objects are asked for.
    pub fn is_list(&self) -> bool {
        self.segments.is_empty() && self.method == Method::GET
    }

    /// Whether the answer is an object or a list of them, and not what one holds.
    pub fn answers_with_objects(&self) -> bool {
        self.segments.len() < 2 || (self.segments.len() == 2 && self.method == Method::POST)
    }
}

/// A path of objects that exists.
#[derive(Debug)]
pub(crate) struct ObjectPath {
    /// Of which objects.
    pub endpoint: &'static Endpoint,
    /// The methods that it takes, as `Allow` has them.
    pub allowed: &'static str,
    segments: Vec<String>,
}

impl ObjectPath {
    /// The path of a request; none where there is no such path. Whose files and batches are meant is told by the client's
    /// headers, as Anthropic has files at the path of OpenAI's.
    pub(crate) fn of(uri: &Uri, headers: &HeaderMap) -> Option<Self> {
        let messages = asker(uri, headers) == Dialect::Messages;
        let of_asker =
            |endpoint: &&Endpoint| endpoint.path != FILES || (endpoint.shape == Dialect::Messages) == messages;
        ENDPOINTS.iter().filter(of_asker).find_map(|endpoint| below(endpoint, uri.path()))
    }

    /// What is asked for with this method, if the path takes it.
    pub(crate) fn with(self, method: &Method) -> Option<Object> {
        let takes = self.allowed.split(", ").any(|allowed| allowed == method.as_str());
        let ObjectPath { endpoint, segments, .. } = self;
        takes.then(|| Object { endpoint, method: method.clone(), segments })
    }
}

const FILES: &str = "/v1/files";

const fn objects(path: &'static str, operation: &'static str, dialect: &'static str, shape: Dialect) -> Endpoint {
    let (last_word, model) = (LastWord::Dialect, ModelIn::BodyOrNowhere);
    Endpoint { path, operation, dialect, shape, last_word, form: true, model, socket: false }
}

static ENDPOINTS: [Endpoint; 7] = [
    objects("/v1/responses", "responses", "responses", Dialect::Responses),
    objects("/v1/conversations", "conversations", "responses", Dialect::Responses),
    objects(FILES, "files", "openai", Dialect::ChatCompletions),
    objects(FILES, "files", "messages", Dialect::Messages),
    objects("/v1/uploads", "uploads", "openai", Dialect::ChatCompletions),
    objects("/v1/batches", "batches", "openai", Dialect::ChatCompletions),
    objects("/v1/messages/batches", "batches", "messages", Dialect::Messages),
];

/// What stands behind the path of each operation, and the methods that it takes there. `*` is an id.
const BELOW: [(&str, &[&str], &str); 18] = [
    ("responses", &["*"], "GET, DELETE, OPTIONS"),
    ("responses", &["*", "cancel"], "POST, OPTIONS"),
    ("responses", &["*", "input_items"], "GET, OPTIONS"),
    ("conversations", &[], "POST, OPTIONS"),
    ("conversations", &["*"], "GET, POST, DELETE, OPTIONS"),
    ("conversations", &["*", "items"], "GET, POST, OPTIONS"),
    ("conversations", &["*", "items", "*"], "GET, DELETE, OPTIONS"),
    ("files", &[], "GET, POST, OPTIONS"),
    ("files", &["*"], "GET, DELETE, OPTIONS"),
    ("files", &["*", "content"], "GET, OPTIONS"),
    ("uploads", &[], "POST, OPTIONS"),
    ("uploads", &["*", "parts"], "POST, OPTIONS"),
    ("uploads", &["*", "complete"], "POST, OPTIONS"),
    ("uploads", &["*", "cancel"], "POST, OPTIONS"),
    ("batches", &[], "GET, POST, OPTIONS"),
    ("batches", &["*"], "GET, DELETE, OPTIONS"),
    ("batches", &["*", "cancel"], "POST, OPTIONS"),
    ("batches", &["*", "results"], "GET, OPTIONS"),
];

/// The collections, for who looks for a path that is near to one.
pub(crate) fn paths() -> impl Iterator<Item = &'static str> {
    ENDPOINTS.iter().map(|endpoint| endpoint.path).filter(|path| *path != "/v1/responses")
}

fn below(endpoint: &'static Endpoint, path: &str) -> Option<ObjectPath> {
    let rest = path.strip_prefix(endpoint.path)?;
    let segments: Vec<String> = match rest {
        "" => Vec::new(),
        rest => {
            let decoded = |segment| percent_decode_str(segment).decode_utf8().ok().map(|text| text.into_owned());
            rest.strip_prefix('/')?.split('/').map(decoded).collect::<Option<_>>()?
        }
    };
    let fits = |pattern: &[&str]| {
        let matches = |(expected, segment): (&&str, &String)| match *expected {
            "*" => !segment.is_empty(),
            word => word == segment,
        };
        pattern.len() == segments.len() && pattern.iter().zip(&segments).all(matches)
    };
    let (_, _, allowed) =
        BELOW.iter().find(|(operation, pattern, _)| *operation == endpoint.operation && fits(pattern))?;
    Some(ObjectPath { endpoint, allowed, segments })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn found(method: &Method, path: &str, headers: &HeaderMap) -> Option<String> {
        let object = ObjectPath::of(&path.parse().unwrap(), headers)?.with(method)?;
        Some(format!("{} {} {}", object.endpoint.operation, object.endpoint.dialect, object.segments.join(" ")))
    }

    #[test]
    fn every_path_of_an_object_is_known_by_its_method() {
        let none = HeaderMap::new();
        for (method, path, expected) in [
            (Method::GET, "/v1/responses/resp_1", "responses responses resp_1"),
            (Method::POST, "/v1/responses/resp_1/cancel", "responses responses resp_1 cancel"),
            (Method::POST, "/v1/conversations", "conversations responses "),
            (Method::DELETE, "/v1/conversations/conv_1/items/msg_1", "conversations responses conv_1 items msg_1"),
            (Method::GET, "/v1/files", "files openai "),
            (Method::GET, "/v1/files/a%2Fb/content", "files openai a/b content"),
            (Method::POST, "/v1/uploads/up_1/complete", "uploads openai up_1 complete"),
            (Method::GET, "/v1/batches/batch_1", "batches openai batch_1"),
            (Method::GET, "/v1/messages/batches/msgbatch_1/results", "batches messages msgbatch_1 results"),
        ] {
            assert_eq!(found(&method, path, &none).as_deref(), Some(expected), "{method} {path}");
        }
        for (method, path) in [
            (Method::POST, "/v1/responses"),
            (Method::POST, "/v1/files/file-1"),
            (Method::GET, "/v1/files/"),
            (Method::GET, "/v1/files//content"),
            (Method::GET, "/v1/filesystem"),
            (Method::GET, "/v1/files/file-1/secrets"),
            (Method::GET, "/v1/responses/resp_1/cancel"),
            (Method::HEAD, "/v1/files/file-1"),
            (Method::GET, "/v1/files/%ff"),
        ] {
            assert_eq!(found(&method, path, &none), None, "{method} {path}");
        }
    }

    #[test]
    fn whose_files_are_meant_is_told_by_what_only_anthropics_clients_send() {
        let headers = HeaderMap::from_iter([(
            http::HeaderName::from_static("anthropic-version"),
            HeaderValue::from_static("2023-06-01"),
        )]);
        assert_eq!(found(&Method::GET, "/v1/files/f", &headers).as_deref(), Some("files messages f"));
        assert_eq!(found(&Method::GET, "/v1/batches/b", &headers).as_deref(), Some("batches openai b"));
    }
}
