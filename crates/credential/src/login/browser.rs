//! Logging in through a browser: authorization code with PKCE and a loopback redirect (RFC 6749, 7636, 8252). The address,
//! the state and the proof are the crate `oauth2`'s; the way back is ours.

use bitrouter_contract::description::Browser;
use oauth2::{
    AuthUrl, AuthorizationCode, ClientId, CsrfToken, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope,
};

use super::exchange::{self, Client, Code};
use super::listener::{Callback, Listener, redirect_uri};
use super::pages::Page;
use super::pasted::Pasted;
use super::{Attempt, LoginError, Person};
use crate::issuer::{IssuerError, Tokens};

/// Of how many random bytes a verifier is made: as many as the vendors' own programs take. RFC 7636 (section 4.1) allows
/// 32 to 96.
const VERIFIER_BYTES: u32 = 64;
/// The same for the state: 256 bits, which nobody guesses.
const STATE_BYTES: u32 = 32;

/// How the code gets from the browser to this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Return {
    /// The browser brings it to a port of this machine; pasting works at the same time.
    Listen {
        /// Whether a browser is opened, or only the address shown.
        open: bool,
    },
    /// The person pastes the address that the browser ends at: nothing listens.
    Paste,
}

/// Logs in through a browser. Ends by itself when the browser came back, or the person pasted what it brought.
pub async fn browser<P: Person>(
    attempt: &Attempt<'_, P>,
    browser: &Browser,
    way: Return,
) -> Result<Tokens, LoginError> {
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256_len(VERIFIER_BYTES);
    let state = CsrfToken::new_random_len(STATE_BYTES);
    let person = attempt.person;
    let mut listener = match way {
        Return::Listen { .. } => {
            Some(Listener::open(&browser.redirect, state.secret(), |line| person.tell(line)).await?)
        }
        Return::Paste => None,
    };
    let redirect_uri = match &listener {
        Some(listener) => listener.redirect_uri.clone(),
        None => redirect_uri(&browser.redirect, browser.redirect.ports.first().copied().unwrap_or(80)),
    };
    let redirect_uri = RedirectUrl::new(redirect_uri).map_err(LoginError::address)?;
    let page = authorization(attempt, browser, &redirect_uri, &state, challenge)?;
    ask(attempt, listener.as_ref(), way, &page);
    // Whether nobody types any more.
    let mut typed_all = false;

    let exchange = async |code: String| {
        let verifier = PkceCodeVerifier::new(verifier.secret().clone());
        let code = Code { code: AuthorizationCode::new(code), verifier, redirect_uri: redirect_uri.clone() };
        exchange::exchange(attempt, code).await
    };
    // What the last pasted code came to.
    let mut refused = None;
    let outcome = loop {
        let line = tokio::select! {
            callback = came(&mut listener) => break match callback {
                Callback::Code(code) => exchange(code).await,
                Callback::Refused(error, description) => Err(LoginError::refused(&error, description.as_deref())),
                Callback::Cancelled => Err(LoginError::Cancelled { port: listener.as_ref().map_or(0, |open| open.port) }),
            },
            line = person.line(), if !typed_all => line,
        };
        let Some(line) = line else {
            match refused.take() {
                Some(refused) => break Err(refused),
                None if listener.is_none() => break Err(LoginError::NothingPasted),
                None => typed_all = true,
            }
            continue;
        };
        match Pasted::read(&line, state.secret()) {
            // What was pasted may have been the wrong thing: the next may be the right one.
            Pasted::Code(code) => match exchange(code).await {
                Err(error @ LoginError::Issuer(IssuerError::Refused { .. })) => {
                    person.tell(&format!(
                        "that code is not taken: {error}. Paste the whole address that the browser ended at"
                    ));
                    refused = Some(error);
                }
                done => break done,
            },
            Pasted::Refused(error, description) => break Err(LoginError::refused(&error, description.as_deref())),
            Pasted::StateMismatch => person.tell("that is of another login: paste what the address above led to"),
            Pasted::Nothing => person.tell("that holds no code: paste the whole address that the browser ended at"),
        }
    };
    if let Some(listener) = listener {
        let page = match &outcome {
            Ok(_) => Page::done(),
            Err(LoginError::Cancelled { .. }) => Page::cancelled(),
            Err(error) => Page::failed(&error.to_string()),
        };
        listener.finish(page).await;
    }
    outcome
}

/// What the browser brings; never, where nothing listens.
async fn came(listener: &mut Option<Listener>) -> Callback {
    match listener {
        Some(listener) => listener.callback().await,
        None => std::future::pending().await,
    }
}

/// The address of the issuer's page.
fn authorization<P: Person>(
    attempt: &Attempt<'_, P>,
    browser: &Browser,
    redirect_uri: &RedirectUrl,
    state: &CsrfToken,
    challenge: PkceCodeChallenge,
) -> Result<String, LoginError> {
    let page = attempt.origin.join::<&str, &str>(&browser.authorize, &[])?.to_string();
    let client = Client::new(ClientId::new(attempt.oauth.client_id.clone()))
        .set_auth_uri(AuthUrl::new(page).map_err(LoginError::address)?)
        .set_redirect_uri(redirect_uri.clone());
    let mut request = client
        .authorize_url(|| state.clone())
        .set_pkce_challenge(challenge)
        .add_scopes(attempt.oauth.scopes.iter().cloned().map(Scope::new));
    for (name, value) in &browser.parameters {
        request = request.add_extra_param(name, value);
    }
    let (mut page, _) = request.url();
    // The vendors' programs write a space as `%20`, and an issuer that reads no forms reads nothing else.
    let query = page.query().map(|query| query.replace('+', "%20"));
    page.set_query(query.as_deref());
    Ok(page.to_string())
}

fn ask<P: Person>(attempt: &Attempt<'_, P>, listener: Option<&Listener>, way: Return, page: &str) {
    let person = attempt.person;
    let opened = way == Return::Listen { open: true } && person.open(page);
    let begin = if opened { "your browser should be open. If it is not, go to:" } else { "go to:" };
    person.tell(&format!("To log in, {begin}\n\n  {page}\n"));
    person.tell(&match listener {
        Some(listener) => format!(
            "Waiting on port {}. If the browser cannot reach this machine, paste here the address that it ends at, and press \
             Enter.",
            listener.port
        ),
        None => "Then paste here the address that the browser ends at, although that page will not load.".to_owned(),
    });
}
