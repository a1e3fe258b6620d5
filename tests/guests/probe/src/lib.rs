//! Uses every hook, with a credential. The canary test plants a secret where the credential comes from, makes an upstream
//! echo it everywhere, and scans what this guest ever had in its memory. It copies what it is shown, so that a secret
//! that reached it once would be found.

use bitrouter_provider::{
    Answer, Call, Event, Failure, Failures, Field, Head, Level, Limits, Payload, Provider, Queries, Request, Requests,
    Rewriter, Step, Streams, Trouble, Window, export, log, quote,
};

/// The provider.
pub struct Probe;

export!(Probe: Requests, Failures, Queries, Limits, Streams);

/// The most that is read of the body.
const MOST: u32 = 64 * 1024;

/// How it is paid.
const KEY: &str = r#"{
    "method": "api-key",
    "env": ["PROBE_API_KEY"],
    "attach": [
        { "header": "authorization", "format": "Bearer {}" },
        { "header": "x-probe-key" },
        { "query": "key" }
    ]
}"#;
/// How it is paid as the guest `minting`.
const MANY_WAYS: &str = r#"{
    "method": "exchange",
    "secrets": [{ "name": "id", "env": ["PROBE_CLIENT_ID"] }, { "name": "secret", "env": ["PROBE_CLIENT_SECRET"] }],
    "origin": "api",
    "path": "/exchange",
    "parameters": { "id": "{id}", "secret": "{secret}" },
    "attach": [{ "header": "authorization", "format": "Bearer {}" }, { "header": "x-probe-key" }]
}, {
    "method": "aws-sigv4",
    "service": "probe",
    "region": "here",
    "secrets": [
        { "name": "access_key_id", "env": ["PROBE_AWS_ID"] },
        { "name": "secret_access_key", "env": ["PROBE_AWS_SECRET"] },
        { "name": "session_token", "env": ["PROBE_AWS_SESSION"], "optional": true }
    ]
}, {
    "method": "google-service-account",
    "env": ["PROBE_KEY_FILE"],
    "origin": "api",
    "path": "/exchange",
    "attach": [{ "header": "authorization", "format": "Bearer {}" }, { "header": "x-probe-key" }]
}"#;

impl Provider for Probe {
    fn describe() -> String {
        let auth = if cfg!(feature = "many-ways") { MANY_WAYS } else { KEY };
        r#"{
            "id": "probe",
            "name": "Probe",
            "version": "0.1.0",
            "origins": { "api": "http://127.0.0.1:9/v1" },
            "auth": [AUTH],
            "serves": { "generate": ["chat-completions"] },
            "models": [{ "id": "probe-1" }],
            "forward": ["x-probe-*"],
            "claims": ["plan"],
            "observe": { "headers": ["x-probe-*"], "events": ["probe.limits"] },
            "limits": { "headers": ["x-ratelimit-{value}-{window}"] },
            "side_requests": { "models": { "kind": "models", "path": "/models" } }
        }"#
        .replace("AUTH", auth)
    }
}

impl Requests for Probe {
    /// Asks first, with all that it can see as the memo.
    fn prepare(call: &Call, body: &Payload<'_>) -> Result<Step, Failure> {
        let mut seen = seen(call);
        if let Some(document) = body.document() {
            let text = document.get("", MOST).ok().flatten().unwrap_or_default();
            seen.push_str(&text);
            let _ = document.find("/messages/*").rows(&["/role", "/content"], MOST);
            let _ = document.text("/messages/0/content", MOST);
            let _ = document.keys("");
        }
        log(Level::Info, &seen);
        Ok(Request::get("api", "/token").ask(seen.into_bytes()))
    }

    fn resume(call: &Call, _body: &Payload<'_>, memo: Vec<u8>, answer: Answer) -> Result<Step, Failure> {
        log(Level::Info, &answer.body);
        let memo = [memo, answer.body.into_bytes()].concat();
        let memo = memo.into_iter().take(MOST as usize).collect();
        let request = Request::post("api", "/chat/completions").memo(memo);
        let folded = call.headers.iter().any(|header| header.name == "x-probe-fold");
        Ok(if call.streaming || folded {
            request.framing("sse").rewrite("sse")
        } else {
            request.framing(call.framing()).pass()
        })
    }
}

impl Failures for Probe {
    fn explain(trouble: &Trouble, _memo: Vec<u8>) -> Option<Failure> {
        if let Trouble::Answer(answer) = trouble {
            log(Level::Warn, &joined(&answer.headers));
        }
        None
    }
}

impl Queries for Probe {
    fn interpret(_side: &str, page: Answer) -> Result<Option<String>, Failure> {
        log(Level::Info, &page.body);
        Ok(Some(["{\"models\":[{\"id\":", &quote("probe-2"), "}]}"].concat()))
    }
}

impl Limits for Probe {
    fn quota(headers: &[Field], event: Option<&str>) -> Option<Vec<Window>> {
        log(Level::Info, &joined(headers));
        log(Level::Info, event.unwrap_or_default());
        None
    }
}

impl Streams for Probe {
    fn rewriter(call: Call, memo: Vec<u8>, head: Head) -> Option<Box<dyn Rewriter>> {
        Some(Box::new(Keeper {
            kept: vec![seen(&call), joined(&head.headers), String::from_utf8_lossy(&memo).into_owned()],
        }))
    }
}

/// Passes events on, and keeps them.
struct Keeper {
    kept: Vec<String>,
}

impl Rewriter for Keeper {
    fn push(&mut self, events: Vec<Event>) -> Result<Vec<Event>, Failure> {
        self.kept.extend(events.iter().map(|event| event.data.clone()));
        Ok(events)
    }

    fn finish(&mut self) -> Result<Vec<Event>, Failure> {
        log(Level::Info, &self.kept.concat());
        Ok(Vec::new())
    }
}

/// All that a call shows, in one text.
fn seen(call: &Call) -> String {
    let account = call.account.as_ref().map(|account| [account.label.as_str(), &joined(&account.claims)].concat());
    [
        &call.model,
        &call.provider,
        &call.model_info,
        &call.settings,
        &joined(&call.headers),
        &joined(&call.query),
        &account.unwrap_or_default(),
    ]
    .map(String::as_str)
    .join("\n")
}

fn joined(fields: &[Field]) -> String {
    let lines: Vec<String> = fields.iter().map(|field| [field.name.as_str(), &field.value].join(": ")).collect();
    lines.join("\n")
}
