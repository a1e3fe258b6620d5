//! Logging in through a browser: authorization code with PKCE and a loopback redirect (RFC 6749, 7636, 8252).

use super::exchange::{self, Code};
use super::listener::{Callback, Listener, redirect_uri};
use super::pages::Page;
use super::pasted::Pasted;
use super::pkce::{self, Pkce};
use super::{Attempt, LoginError, Person};
use crate::credential::issuer::Tokens;
use crate::plugin::description::Browser;

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
    let (pkce, state) = (Pkce::new()?, pkce::state()?);
    let person = attempt.person;
    let mut listener = match way {
        Return::Listen { .. } => Some(Listener::open(&browser.redirect, &state, |line| person.tell(line)).await?),
        Return::Paste => None,
    };
    let redirect_uri = match &listener {
        Some(listener) => listener.redirect_uri.clone(),
        None => redirect_uri(&browser.redirect, browser.redirect.ports.first().copied().unwrap_or(80)),
    };
    let page = authorization(attempt, browser, &redirect_uri, &state, &pkce)?;
    ask(attempt, listener.as_ref(), way, &page);

    let brought = loop {
        tokio::select! {
            callback = came(&mut listener) => break callback,
            line = person.line() => match Pasted::read(&line, &state) {
                Pasted::Code(code) => break Callback::Code(code),
                Pasted::Refused(error, description) => break Callback::Refused(error, description),
                Pasted::StateMismatch => person.tell("that is of another login: paste what the address above led to"),
                Pasted::Nothing => person.tell("that holds no code: paste the whole address that the browser ended at"),
            },
        }
    };
    let outcome = match brought {
        Callback::Code(code) => {
            let code = Code { code: &code, verifier: &pkce.verifier, redirect_uri: &redirect_uri };
            exchange::exchange(attempt, code).await
        }
        Callback::Refused(error, description) => Err(LoginError::refused(&error, description.as_deref())),
        Callback::Cancelled => Err(LoginError::Cancelled { port: listener.as_ref().map_or(0, |open| open.port) }),
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
    redirect_uri: &str,
    state: &str,
    pkce: &Pkce,
) -> Result<String, LoginError> {
    let scope = attempt.oauth.scopes.join(" ");
    let mut query = vec![
        ("response_type", "code"),
        ("client_id", &attempt.oauth.client_id),
        ("redirect_uri", redirect_uri),
        ("code_challenge", &pkce.challenge),
        ("code_challenge_method", "S256"),
        ("state", state),
    ];
    if !scope.is_empty() {
        query.push(("scope", &scope));
    }
    query.extend(browser.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    Ok(attempt.origin.join(&browser.authorize, &query)?.to_string())
}

fn ask<P: Person>(attempt: &Attempt<'_, P>, listener: Option<&Listener>, way: Return, page: &str) {
    let person = attempt.person;
    let opened = way == Return::Listen { open: true } && person.open(page);
    let begin = if opened { "your browser should be open. If it is not, go to:" } else { "go to:" };
    person.tell(&format!("To log in, {begin}\n\n  {page}\n"));
    person.tell(&match listener {
        Some(listener) => format!(
            "Waiting on port {}. If the browser cannot reach this machine, paste here the address that it ends at.",
            listener.port
        ),
        None => "Then paste here the address that the browser ends at, although that page will not load.".to_owned(),
    });
}
