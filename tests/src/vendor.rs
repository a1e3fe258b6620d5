//! A vendor's API on loopback that answers with scripted turns in its own dialect, and refuses what the real one is known to
//! refuse. [`Anthropic`], [`Google`] and [`Chat`] are the three; tests point a gateway at them.

mod anthropic;
mod chat;
mod google;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::client::Request;
use crate::reply::Reply;
use crate::spoken::{End, Fault, Spoken};
use crate::upstream::Upstream;
use crate::wire::Seen;

/// The Anthropic API: Messages, their tokens counted, and the list of models.
pub type Anthropic = Vendor<anthropic::Messages>;

/// The Gemini API: generateContent, its tokens counted, embeddings, and the list of models.
pub type Google = Vendor<google::GenerateContent>;

/// A vendor of an open model, in Chat Completions.
pub type Chat = Vendor<chat::ChatCompletions>;

/// The key that every vendor takes.
pub const VENDOR_KEY: &str = "vendor-e2e-\"quoted/+canary-0123456789";

/// What a vendor speaks.
pub trait Speaks: Default + Send + 'static {
    /// The gateway's name of the provider.
    const PROVIDER: &'static str;
    /// The environment variable that holds its key.
    const KEY: &'static str;
    /// What stands before all of its paths.
    const PREFIX: &'static str;
    /// The dialect, as the gateway names it.
    const DIALECT: &'static str;
    /// A model of which the vendor wants all that it may want.
    const MODEL: &'static str;

    /// What the gateway is told of the provider, where it is none of the built-in ones.
    fn description() -> Option<Value> {
        None
    }

    /// The states that a request brings back, in their order: what proves the thoughts of earlier turns.
    fn states(body: &Value) -> Vec<String>;

    /// Answers a request, which may take the script's next turn.
    ///
    /// # Errors
    ///
    /// What the vendor refuses.
    fn answer(&mut self, seen: &Seen, script: &mut Script) -> Result<Reply, Refusal>;
}

/// Why a vendor refuses something.
#[derive(Debug)]
pub struct Refusal {
    status: u16,
    body: Value,
}

/// The turns that are still to come.
#[derive(Default)]
pub struct Script {
    turns: VecDeque<Spoken>,
    /// The turn for every request after the others.
    last: Option<Spoken>,
    /// How many turns were had, so that no two have the same id.
    count: usize,
}

/// The vendor.
pub struct Vendor<S> {
    upstream: Upstream,
    state: Arc<Mutex<State<S>>>,
}

#[derive(Default)]
struct State<S> {
    speaks: S,
    script: Script,
    refused: Vec<String>,
    /// The bodies of all answers.
    answered: Vec<Vec<u8>>,
}

impl<S: Speaks> Vendor<S> {
    /// Starts one without a script.
    pub fn start() -> Self {
        let state = Arc::new(Mutex::new(State::<S>::default()));
        let upstream = Upstream::start();
        let answering = Arc::clone(&state);
        upstream.follows(move |seen| {
            let State { speaks, script, refused, answered } = &mut *answering.lock().unwrap();
            let reply = speaks.answer(seen, script).unwrap_or_else(|Refusal { status, body }| {
                refused.push(format!("{} {}: {body}", seen.method, seen.path));
                Reply::json(&body).status(status)
            });
            answered.push(reply.bytes());
            reply
        });
        Vendor { upstream, state }
    }

    /// Scripts the next turn. A request beyond the script is refused.
    pub fn turn(self, turn: Spoken) -> Self {
        self.now_turns(turn);
        self
    }

    /// The same while it runs.
    pub fn now_turns(&self, turn: Spoken) {
        self.state.lock().unwrap().script.turns.push_back(turn);
    }

    /// Scripts every turn after the others.
    pub fn then_always(self, turn: Spoken) -> Self {
        self.now_says(turn);
        self
    }

    /// From now on answers with this turn, where no other is left.
    pub fn now_says(&self, turn: Spoken) {
        self.state.lock().unwrap().script.last = Some(turn);
    }

    /// The gateway's name of the provider.
    pub fn provider(&self) -> &'static str {
        S::PROVIDER
    }

    /// The environment variable that holds its key.
    pub fn key_variable(&self) -> &'static str {
        S::KEY
    }

    /// What its provider has as the origin `api`.
    pub fn api(&self) -> String {
        format!("{}{}", self.upstream.origin(), S::PREFIX)
    }

    /// Every request so far.
    pub fn requests(&self) -> Vec<Seen> {
        self.upstream.requests()
    }

    /// The last request.
    #[track_caller]
    pub fn last(&self) -> Seen {
        self.upstream.last()
    }

    /// The body of its last answer, as it was sent.
    #[track_caller]
    pub fn last_answer(&self) -> Vec<u8> {
        self.state.lock().unwrap().answered.last().expect("the vendor was asked nothing").clone()
    }

    /// A request of a client that asks it without a gateway, below what stands before all of its paths.
    pub fn post(&self, path: &str, body: &Value) -> Request {
        let address = self.upstream.origin().trim_start_matches("http://").parse().unwrap();
        Request::new(address, "POST", &format!("{}{path}", S::PREFIX)).json(body)
    }

    /// Checks that it had no reason to refuse anything. A failure that was scripted is no refusal.
    #[track_caller]
    pub fn refused_nothing(&self) {
        let refused = &self.state.lock().unwrap().refused;
        assert!(refused.is_empty(), "{refused:#?}");
    }
}

impl Script {
    /// The next turn with its number; none where the script is over.
    fn next(&mut self) -> Option<(usize, Spoken)> {
        let turn = self.turns.pop_front().or_else(|| self.last.clone())?;
        self.count += 1;
        Some((self.count, turn))
    }
}

impl Spoken {
    /// The failure that is answered in the place of this turn.
    fn fault_alone(&self, streaming: bool) -> Option<Fault> {
        match self.end {
            // Without a stream there is nothing that a failure could come after.
            End::Fault(fault) if self.parts.is_empty() || !streaming => Some(fault),
            _ => None,
        }
    }
}

/// The body as JSON, with these members and no others.
fn object(seen: &Seen, known: &[&str]) -> Result<Value, String> {
    let body: Value = serde_json::from_slice(&seen.body).map_err(|error| error.to_string())?;
    let members = body.as_object().ok_or("the body is no object")?;
    match members.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(name.clone()),
        None => Ok(body),
    }
}
