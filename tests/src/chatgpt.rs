//! A ChatGPT backend on loopback, as the Codex CLI knows it: it answers with scripted turns and is as strict as the real
//! one is known to be. Tests start it and point a gateway or a client at it. It renews the tokens it was told to, and
//! is otherwise no issuer.

mod rules;
mod turn;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use self::rules::Refusal;
pub use self::turn::Turn;
use self::turn::TurnRequest;
use crate::login::Login;
use crate::reply::Reply;
use crate::upstream::Upstream;
use crate::wire::Seen;

/// The catalogue's version, in its header and in that of every answer.
const MODELS_ETAG: &str = "W/\"e2e-models-1\"";

/// The backend.
pub struct ChatGpt {
    upstream: Upstream,
    state: Arc<Mutex<BackendState>>,
    login: Login,
}

struct BackendState {
    logins: Vec<Login>,
    /// Whether it also takes every token that says whose it is and has not expired.
    takes_unexpired: bool,
    /// What a refresh answers with.
    renewed: Option<Login>,
    offered: Vec<String>,
    turns: VecDeque<Turn>,
    /// The turn for every request after the script's.
    last: Option<Turn>,
    /// What is answered instead of a catalogue and a usage page.
    pages: Option<Reply>,
    output_at_end: bool,
    wants_reasoning_back: bool,
    /// Every request, with its body decompressed.
    seen: Vec<Seen>,
    refused: Vec<String>,
    /// The bodies of the answers to turns.
    answered: Vec<Vec<u8>>,
    /// The ids of all items that were given out.
    issued: Vec<String>,
    /// The reasoning that each conversation was given.
    reasoning: HashMap<String, Vec<Value>>,
}

impl ChatGpt {
    /// Starts one that knows one login of the account `acc-e2e` and offers `gpt-5.5` and `gpt-6.1-sol`.
    pub fn start() -> Self {
        Self::knowing(Login::of("acc-e2e"))
    }

    /// Starts one that knows this login.
    pub fn knowing(login: Login) -> Self {
        let state = Arc::new(Mutex::new(BackendState {
            logins: vec![login.clone()],
            takes_unexpired: false,
            renewed: None,
            offered: ["gpt-6.1-sol", "gpt-5.5"].map(str::to_owned).to_vec(),
            turns: VecDeque::new(),
            last: None,
            pages: None,
            output_at_end: false,
            wants_reasoning_back: true,
            seen: Vec::new(),
            refused: Vec::new(),
            answered: Vec::new(),
            issued: Vec::new(),
            reasoning: HashMap::new(),
        }));
        let upstream = Upstream::start();
        let answering = Arc::clone(&state);
        upstream.follows(move |request| answering.lock().unwrap().answer(request));
        ChatGpt { upstream, state, login }
    }

    /// Speaks over WebSockets, too, each for so many turns where that is said.
    pub fn speaks_websockets(self, turns: Option<usize>) -> Self {
        match turns {
            Some(turns) => self.upstream.speaks_websockets_for(turns),
            None => self.upstream.speaks_websockets(),
        };
        self
    }

    /// How often a WebSocket was asked for, and what came over them, as it came.
    pub fn websockets(&self) -> (usize, Vec<Value>) {
        (self.upstream.handshakes(), self.upstream.messages())
    }

    /// Scripts the next turn. A request beyond the script is refused.
    pub fn turn(self, turn: Turn) -> Self {
        self.with(|state| state.turns.push_back(turn))
    }

    /// The same while it runs.
    pub fn now_turns(&self, turn: Turn) {
        self.state.lock().unwrap().turns.push_back(turn);
    }

    /// Scripts every turn after the others.
    pub fn then_always(self, turn: Turn) -> Self {
        self.with(|state| state.last = Some(turn))
    }

    /// Takes another login's tokens too.
    pub fn also_knows(self, login: &Login) -> Self {
        self.with(|state| state.logins.push(login.clone()))
    }

    /// Takes no access token that it knew, and gives this login for their refresh tokens.
    pub fn wants_a_refresh(self, renewed: &Login) -> Self {
        self.with(|state| state.renewed = Some(renewed.clone()))
    }

    /// Takes every token that has not expired, as a backend does that is not the issuer.
    pub fn takes_what_has_not_expired(self) -> Self {
        self.with(|state| state.takes_unexpired = true)
    }

    /// Takes no token at all.
    pub fn knows_nobody(self) -> Self {
        self.with(|state| state.logins.clear())
    }

    /// Offers these models.
    pub fn offers(self, models: &[&str]) -> Self {
        self.with(|state| state.offered = models.iter().map(|&model| model.to_owned()).collect())
    }

    /// From now on offers these models.
    pub fn now_offers(&self, models: &[&str]) {
        self.state.lock().unwrap().offered = models.iter().map(|&model| model.to_owned()).collect();
    }

    /// From now on answers in this way instead of with a catalogue or a usage page.
    pub fn now_pages_are(&self, reply: Reply) {
        self.state.lock().unwrap().pages = Some(reply);
    }

    /// Repeats the output in the last event. The real backend has been seen to leave it empty, so that is the default.
    pub fn repeats_the_output(self) -> Self {
        self.with(|state| state.output_at_end = true)
    }

    /// Takes a conversation that goes on without the reasoning it was given.
    pub fn does_without_reasoning(self) -> Self {
        self.with(|state| state.wants_reasoning_back = false)
    }

    fn with(self, change: impl FnOnce(&mut BackendState)) -> Self {
        change(&mut self.state.lock().unwrap());
        self
    }

    /// The login it knows from the start.
    pub fn login(&self) -> &Login {
        &self.login
    }

    /// `http://127.0.0.1:PORT`, which is also the issuer's origin.
    pub fn origin(&self) -> String {
        self.upstream.origin()
    }

    /// Where Codex's API is.
    pub fn base_url(&self) -> String {
        format!("{}/backend-api/codex", self.origin())
    }

    /// Every request so far, with its body decompressed.
    pub fn requests(&self) -> Vec<Seen> {
        self.state.lock().unwrap().seen.clone()
    }

    /// The requests for a turn of the model's.
    pub fn turns(&self) -> Vec<Seen> {
        self.requests().into_iter().filter(|seen| seen.path == "/backend-api/codex/responses").collect()
    }

    /// The last request for a turn.
    #[track_caller]
    pub fn last(&self) -> Seen {
        self.turns().pop().expect("the backend was asked for no turn")
    }

    /// The body of the last answer to a turn, as it was sent.
    #[track_caller]
    pub fn last_answer(&self) -> Vec<u8> {
        self.state.lock().unwrap().answered.last().expect("the backend answered no turn").clone()
    }

    /// The requests for a catalogue or a usage page.
    pub fn side_requests(&self) -> Vec<Seen> {
        self.requests().into_iter().filter(|seen| seen.method == "GET").collect()
    }

    /// The requests for another token.
    pub fn refreshes(&self) -> Vec<Seen> {
        self.requests().into_iter().filter(|seen| seen.path == "/oauth/token").collect()
    }

    /// Checks that it had no reason to refuse anything. A failure that was scripted is no refusal.
    #[track_caller]
    pub fn refused_nothing(&self) {
        let refused = &self.state.lock().unwrap().refused;
        assert!(refused.is_empty(), "{refused:#?}");
    }
}

impl BackendState {
    fn answer(&mut self, request: &Seen) -> Reply {
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let mut seen = request.clone();
        let reply = match (request.method.as_str(), path) {
            ("GET", _) if self.pages.is_some() => self.pages.clone().ok_or_else(|| Refusal::detail(404, "Not Found")),
            ("POST", "/oauth/token") => self.refresh(request),
            ("POST", "/backend-api/codex/responses") => self.respond(&mut seen),
            ("POST", "/backend-api/codex/responses/compact") => self.compact(&mut seen),
            ("GET", "/backend-api/codex/models") => self.models(request, query),
            ("GET", "/backend-api/wham/usage") => self.usage(request),
            _ => Err(Refusal::detail(404, "Not Found")),
        };
        self.seen.push(seen);
        reply.unwrap_or_else(|refusal| {
            self.refused.push(format!("{} {}: {}", request.method, request.path, refusal.body));
            Reply::json(&refusal.body).status(refusal.status)
        })
    }

    /// One turn.
    fn respond(&mut self, seen: &mut Seen) -> Result<Reply, Refusal> {
        let body = self.body(seen)?;
        rules::turn(&body)?;
        let input = body["input"].as_array().map(Vec::as_slice).unwrap_or_default();
        rules::items(input, &self.issued)?;
        rules::pairs(input)?;
        let conversation = body["prompt_cache_key"].as_str().or(seen.header("session-id")).map(str::to_owned);
        let given = conversation.as_ref().and_then(|name| self.reasoning.get(name));
        if let Some(given) = given.filter(|_| self.wants_reasoning_back) {
            rules::reasoning(input, given)?;
        }
        let turn = self.turns.pop_front().or(self.last.clone());
        let turn = turn.ok_or_else(|| Refusal::detail(400, "The test's script has no turn for this request"))?;
        let includes = body["include"].as_array().into_iter().flatten();
        let asked = TurnRequest {
            number: self.answered.len() + 1,
            model: body["model"].as_str().unwrap_or_default(),
            encrypted: includes.into_iter().any(|name| name == "reasoning.encrypted_content"),
            output_at_end: self.output_at_end,
        };
        let output = turn.output(&asked);
        self.issued.extend(output.iter().filter_map(|item| item["id"].as_str().map(str::to_owned)));
        let reasoning = output.into_iter().filter(|item| item["encrypted_content"].is_string());
        self.reasoning.entry(conversation.unwrap_or_default()).or_default().extend(reasoning);
        let (reply, bytes) = turn.reply(&asked);
        self.answered.push(bytes);
        let usual = usual_headers(&asked).into_iter();
        let usual = usual.filter(|(name, _)| !turn.headers().iter().any(|(own, _)| own == name));
        let headers = usual.chain(turn.headers().iter().cloned());
        Ok(headers.fold(reply, |reply, (name, value)| reply.header(&name, &value)))
    }

    /// A conversation made short.
    fn compact(&mut self, seen: &mut Seen) -> Result<Reply, Refusal> {
        let body = self.body(seen)?;
        rules::compaction(&body)?;
        let input = body["input"].as_array().map(Vec::as_slice).unwrap_or_default();
        rules::items(input, &self.issued)?;
        let last = input.iter().rfind(|item| item["role"] == "user").cloned();
        let compacted = json!({"type": "compaction", "id": "cmp_1", "encrypted_content": "compacted-e2e"});
        let output: Vec<Value> = last.into_iter().chain([compacted]).collect();
        Ok(Reply::json(&json!({ "output": output })))
    }

    /// What a turn and a compaction have in common: the account, and a body that is understood.
    fn body(&self, seen: &mut Seen) -> Result<Value, Refusal> {
        self.authorize(seen)?;
        seen.body = rules::body(seen)?;
        let body = serde_json::from_slice(&seen.body).map_err(|_| Refusal::detail(400, "Invalid JSON"))?;
        rules::common(&body, &self.offered)?;
        Ok(body)
    }

    /// The catalogue. Every known client says its version.
    fn models(&self, request: &Seen, query: &str) -> Result<Reply, Refusal> {
        self.authorize(request)?;
        if !query.split('&').any(|pair| pair.strip_prefix("client_version=").is_some_and(|version| !version.is_empty()))
        {
            return Err(Refusal::detail(400, "client_version is required"));
        }
        let models = self.offered.iter().enumerate().map(|(index, slug)| model(slug, index));
        Ok(Reply::json(&json!({"models": models.collect::<Vec<_>>()})).header("etag", MODELS_ETAG))
    }

    /// How much of the plan is used.
    fn usage(&self, request: &Seen) -> Result<Reply, Refusal> {
        let login = self.authorize(request)?;
        let window = |seconds: u32, used: u32| {
            json!({
                "used_percent": used, "limit_window_seconds": seconds, "reset_after_seconds": 3600,
                "reset_at": 4_070_908_800_u64,
            })
        };
        let limit = json!({
            "allowed": true, "limit_reached": false,
            "primary_window": window(18_000, 12), "secondary_window": window(604_800, 40),
        });
        Ok(Reply::json(&json!({
            "user_id": "user-e2e", "account_id": login.account_id, "email": "somebody@example.com", "plan_type": "plus",
            "rate_limit": limit, "code_review_rate_limit": null, "additional_rate_limits": null,
            "credits": {"has_credits": false, "unlimited": false, "balance": "0"},
        })))
    }

    /// The issuer's answer to a refresh token: a new pair, once.
    fn refresh(&mut self, request: &Seen) -> Result<Reply, Refusal> {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let known = self.logins.iter().any(|login| body["refresh_token"] == login.refresh_token);
        let whole = body["grant_type"] == "refresh_token" && body["client_id"].is_string();
        let renewed = if known && whole { self.renewed.take() } else { None };
        let Some(renewed) = renewed else {
            let error = json!({"message": "Please log in again.", "code": "refresh_token_invalidated"});
            return Err(Refusal { status: 401, body: json!({ "error": error }) });
        };
        self.logins = vec![renewed.clone()];
        Ok(Reply::json(&json!({
            "access_token": renewed.access_token, "refresh_token": renewed.refresh_token, "id_token": renewed.id_token,
        })))
    }

    /// The login that a request is of. An access token works with its own account alone.
    fn authorize(&self, request: &Seen) -> Result<&Login, Refusal> {
        let Some(authorization) = request.header("authorization") else {
            return Err(Refusal::detail(401, "Unauthorized"));
        };
        if self.takes_unexpired && !self.logins.iter().any(|login| authorization.ends_with(&login.access_token)) {
            return rules::unexpired(authorization, request.header("chatgpt-account-id")).map(|()| &self.logins[0]);
        }
        let ours = self.logins.iter().find(|login| authorization == format!("Bearer {}", login.access_token));
        let login = ours.filter(|_| self.renewed.is_none()).ok_or_else(|| Refusal::token("token_expired"))?;
        match request.header("chatgpt-account-id") {
            Some(account) if account == login.account_id => Ok(login),
            _ => Err(Refusal::detail(403, "The account of the request is not the token's")),
        }
    }
}

/// The headers of every answer to a turn.
fn usual_headers(asked: &TurnRequest<'_>) -> Vec<(String, String)> {
    let number = asked.number;
    let headers = [
        ("x-codex-primary-used-percent", "12.5"),
        ("x-codex-primary-window-minutes", "300"),
        ("x-codex-primary-reset-at", "4070908800"),
        ("x-codex-secondary-used-percent", "40.0"),
        ("x-codex-secondary-window-minutes", "10080"),
        ("x-codex-secondary-reset-at", "4070908800"),
        ("x-codex-plan-type", "plus"),
        ("x-codex-credits-has-credits", "false"),
        ("x-codex-credits-unlimited", "false"),
        ("x-models-etag", MODELS_ETAG),
        ("x-reasoning-included", "true"),
        ("openai-model", asked.model),
        ("cf-ray", "8f0e2e0e2e0e2e0e-AMS"),
        ("set-cookie", "__cf_bm=of-the-edge; path=/; HttpOnly"),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let unique = [
        ("x-codex-turn-state".to_owned(), format!("turn-state-{number}")),
        ("x-request-id".to_owned(), format!("req_e2e_{number}")),
    ];
    headers.into_iter().chain(unique).collect()
}

/// A model of the catalogue, with the fields that a client chooses its ways by.
pub(crate) fn model(slug: &str, index: usize) -> Value {
    let levels = ["low", "medium", "high"].map(|effort| json!({"effort": effort, "description": effort}));
    json!({
        "slug": slug, "display_name": slug.to_uppercase(), "description": "A model of the tests.",
        "default_reasoning_level": "medium", "supported_reasoning_levels": levels,
        "shell_type": "unified_exec", "visibility": "list", "minimal_client_version": "0.98.0",
        "supported_in_api": true, "priority": index, "upgrade": null, "base_instructions": "You are a coding agent.",
        "context_window": 272_000, "max_context_window": 272_000, "effective_context_window_percent": 95,
        "truncation_policy": {"mode": "tokens", "limit": 10_000}, "supports_parallel_tool_calls": true,
        "support_verbosity": true, "default_verbosity": "low", "apply_patch_tool_type": "freeform",
        "input_modalities": ["text", "image"], "web_search_tool_type": "text_and_image",
        "service_tiers": [{"id": "priority", "name": "Fast", "description": "1.5x speed, increased usage"}],
        "use_responses_lite": !slug.ends_with("gpt-5.5"), "prefer_websockets": false, "experimental_supported_tools": [],
        "available_in_plans": ["plus", "pro", "business"],
    })
}
