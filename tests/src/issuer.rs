//! An issuer of tokens as OAuth providers run it: refresh tokens are good for one use, and it notices a second one.
//!
//! It listens on loopback, has a page that sends the browser back with a code, codes for devices, `POST /oauth/token`
//! (form or JSON) and `POST /oauth/revoke`, and is gone when it is dropped.

mod codes;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use self::codes::Codes;
use crate::login::jwt;
use crate::reply::Reply;
use crate::upstream::Upstream;
use crate::wire::Seen;

/// How long after its first use a refresh token is taken once more.
const GRACE: Duration = Duration::from_secs(30);

/// What an issuer does about a refresh token that is used a second time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reuse {
    /// Within 30 s of its first use it is taken once more, for a client that lost the answer; later it is refused.
    Grace,
    /// It is refused, and every token of its login is revoked.
    Strict,
}

/// A refresh token.
struct Issued {
    account: String,
    /// All tokens that came from one login have its number.
    login: u64,
    used: Option<Instant>,
}

/// The issuer.
pub struct Issuer {
    upstream: Upstream,
    state: Arc<Mutex<IssuerState>>,
}

struct IssuerState {
    reuse: Reuse,
    /// How long access tokens are good for, in seconds.
    lifetime: u64,
    /// The same for programs whose `user-agent` begins with this.
    lifetimes: Vec<(String, u64)>,
    /// The person, where it is not one of each account's own.
    user: Option<String>,
    /// How often a refresh token came a second time.
    reuses: usize,
    /// How often each account was given new tokens for a refresh token.
    refreshes: HashMap<String, usize>,
    issued: u64,
    refresh_tokens: HashMap<String, Issued>,
    /// The logins that were given back or taken away.
    revoked: HashSet<u64>,
    codes: Codes,
    /// What is answered instead, the next first.
    instead: VecDeque<Reply>,
    /// What happens while the next answer is waited for.
    meanwhile: Option<Box<dyn FnOnce() + Send>>,
}

impl Issuer {
    /// Starts one whose access tokens are good for an hour.
    pub fn start(reuse: Reuse) -> Self {
        let state = IssuerState {
            reuse,
            lifetime: 3600,
            lifetimes: Vec::new(),
            user: None,
            reuses: 0,
            refreshes: HashMap::new(),
            issued: 0,
            refresh_tokens: HashMap::new(),
            revoked: HashSet::new(),
            codes: Codes::default(),
            instead: VecDeque::new(),
            meanwhile: None,
        };
        let state = Arc::new(Mutex::new(state));
        let upstream = Upstream::start();
        let answering = Arc::clone(&state);
        upstream.follows(move |seen| {
            // Not under the lock: what happens meanwhile may ask this issuer.
            let meanwhile = match seen.path.as_str() {
                "/oauth/token" => answering.lock().unwrap().meanwhile.take(),
                _ => None,
            };
            meanwhile.into_iter().for_each(|happens| happens());
            answering.lock().unwrap().answer(seen)
        });
        Issuer { upstream, state }
    }

    /// Where it listens, as `http://127.0.0.1:PORT`.
    pub fn origin(&self) -> String {
        self.upstream.origin()
    }

    /// Tokens of a new login of this account: an object with `access_token`, `refresh_token` and `id_token`.
    pub fn login(&self, account: &str) -> Value {
        self.state.lock().unwrap().log_in(account)
    }

    /// Who logs in from now on: `acc-e2e` without it.
    pub fn account(&self, account: &str) -> &Self {
        account.clone_into(&mut self.state.lock().unwrap().codes.account);
        self
    }

    /// Which person all accounts are of from now on, as workspaces of one login are.
    pub fn user(&self, user: &str) -> &Self {
        self.state.lock().unwrap().user = Some(user.to_owned());
        self
    }

    /// Lets nobody log in any more, with these words, which the browser brings back.
    pub fn denies(&self, error: &str, description: &str) -> &Self {
        self.state.lock().unwrap().codes.denied = Some((error.to_owned(), description.to_owned()));
        self
    }

    /// Lets a device poll so often before its code is entered, with this status meanwhile.
    pub fn device_waits(&self, polls: u32, status: u16) -> &Self {
        self.state.lock().unwrap().codes.waits = (polls, status);
        self
    }

    /// Answers the next request in this way, and does nothing else about it.
    pub fn instead(&self, reply: Reply) -> &Self {
        self.state.lock().unwrap().instead.push_back(reply);
        self
    }

    /// Does this before the next request for tokens is answered.
    pub fn meanwhile(&self, happens: impl FnOnce() + Send + 'static) -> &Self {
        self.state.lock().unwrap().meanwhile = Some(Box::new(happens));
        self
    }

    /// Sets how long access tokens are good for from now on, in seconds.
    pub fn lifetime(&self, seconds: u64) -> &Self {
        self.state.lock().unwrap().lifetime = seconds;
        self
    }

    /// The same, for programs whose `user-agent` begins with this.
    pub fn lifetime_for(&self, agent: &str, seconds: u64) -> &Self {
        self.state.lock().unwrap().lifetimes.push((agent.to_owned(), seconds));
        self
    }

    /// Whether this refresh token would be taken now.
    pub fn takes(&self, refresh_token: &str) -> bool {
        let state = self.state.lock().unwrap();
        let known = state.refresh_tokens.get(refresh_token).filter(|issued| !state.revoked.contains(&issued.login));
        known.is_some_and(|issued| issued.used.is_none_or(|used| state.forgives(used)))
    }

    /// Whether this refresh token was used at least once.
    pub fn has_used(&self, refresh_token: &str) -> bool {
        self.state.lock().unwrap().refresh_tokens[refresh_token].used.is_some()
    }

    /// How often a refresh token came a second time.
    pub fn reuses(&self) -> usize {
        self.state.lock().unwrap().reuses
    }

    /// How often this account was given new tokens for a refresh token.
    pub fn refreshes(&self, account: &str) -> usize {
        self.state.lock().unwrap().refreshes.get(account).copied().unwrap_or_default()
    }

    /// Waits until all that was sent by somebody who is gone by now has been read and answered.
    #[track_caller]
    pub fn settles(&self) {
        self.upstream.settles();
    }

    /// Every request so far.
    pub fn requests(&self) -> Vec<Seen> {
        self.upstream.requests()
    }
}

impl IssuerState {
    fn log_in(&mut self, account: &str) -> Value {
        let login = self.issued + 1;
        self.issue(account, login, self.lifetime)
    }

    fn forgives(&self, used: Instant) -> bool {
        self.reuse == Reuse::Grace && used.elapsed() < GRACE
    }

    fn issue(&mut self, account: &str, login: u64, lifetime: u64) -> Value {
        self.issued += 1;
        let user = self.user.clone().unwrap_or_else(|| format!("user-of-{account}"));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let payload = json!({
            "exp": now + lifetime, "jti": self.issued, "email": "me@example.com",
            "https://api.openai.com/auth": {
                "chatgpt_account_id": account, "chatgpt_user_id": user, "chatgpt_plan_type": "plus",
            },
        });
        let refresh_token = format!("canary-refresh-{}", self.issued);
        let issued = Issued { account: account.to_owned(), login, used: None };
        self.refresh_tokens.insert(refresh_token.clone(), issued);
        json!({
            "token_type": "Bearer", "expires_in": lifetime,
            "access_token": jwt(&payload), "id_token": jwt(&payload), "refresh_token": refresh_token,
        })
    }

    fn answer(&mut self, seen: &Seen) -> Reply {
        if let Some(reply) = self.instead.pop_front() {
            return reply;
        }
        // Every issuer says what time it is.
        self.answer_to(seen).header("date", &httpdate::fmt_http_date(SystemTime::now()))
    }

    fn answer_to(&mut self, seen: &Seen) -> Reply {
        let sent = sent(seen);
        let of = |name: &str| sent.get(name).cloned().unwrap_or_default();
        let (path, query) = seen.path.split_once('?').unwrap_or((&seen.path, ""));
        match (path, of("grant_type").as_str()) {
            ("/oauth/authorize", _) => self.codes.authorize(&pairs(query)),
            ("/api/accounts/deviceauth/usercode", _) => self.codes.user_code(&of("client_id")),
            ("/api/accounts/deviceauth/token", _) => self.codes.poll(&of("device_auth_id"), &of("user_code")),
            ("/oauth/token", "authorization_code") => {
                match self.codes.exchange(&sent, &format!("http://{}", host(seen))) {
                    Ok(account) => Reply::json(&self.log_in(&account)),
                    // Both forms of an error occur; this is the other one.
                    Err(code) => Reply::json(&json!({ "error": code, "error_description": "canary" })).status(400),
                }
            }
            ("/oauth/token", "refresh_token") => {
                let agent = seen.header("user-agent").unwrap_or_default();
                let own = self.lifetimes.iter().find(|(beginning, _)| agent.starts_with(beginning));
                let lifetime = own.map_or(self.lifetime, |(_, seconds)| *seconds);
                self.refresh(&of("refresh_token"), lifetime)
            }
            ("/oauth/revoke", _) => {
                let login = self.refresh_tokens.get(&of("token")).map(|issued| issued.login);
                self.revoked.extend(login);
                Reply::json(&json!({}))
            }
            _ => refused(400, "unsupported_grant_type"),
        }
    }

    fn refresh(&mut self, refresh_token: &str, lifetime: u64) -> Reply {
        let Some(issued) = self.refresh_tokens.get_mut(refresh_token) else {
            return refused(400, "invalid_grant");
        };
        let (account, login) = (issued.account.clone(), issued.login);
        if self.revoked.contains(&login) {
            return refused(401, "refresh_token_invalidated");
        }
        if let Some(before) = issued.used.replace(Instant::now()) {
            self.reuses += 1;
            if !self.forgives(before) {
                if self.reuse == Reuse::Strict {
                    self.revoked.insert(login);
                }
                return refused(401, "refresh_token_reused");
            }
        }
        *self.refreshes.entry(account.clone()).or_default() += 1;
        Reply::json(&self.issue(&account, login, lifetime))
    }
}

fn refused(status: u16, code: &str) -> Reply {
    Reply::json(&json!({ "error": { "code": code, "message": "canary" } })).status(status)
}

/// The members of a body, whichever its encoding.
fn sent(seen: &Seen) -> HashMap<String, String> {
    if let Ok(Value::Object(members)) = serde_json::from_slice(&seen.body) {
        return members.into_iter().filter_map(|(name, value)| Some((name, value.as_str()?.to_owned()))).collect();
    }
    pairs(&seen.text())
}

fn host(seen: &Seen) -> &str {
    seen.header("host").unwrap_or_default()
}

/// The pairs of a query or a form.
fn pairs(text: &str) -> HashMap<String, String> {
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), decoded(value))).collect()
}

fn decoded(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.bytes());
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let hex = [rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&hex).unwrap(), 16).unwrap()
            }
            other => other,
        });
    }
    String::from_utf8(bytes).unwrap()
}
