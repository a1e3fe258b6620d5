//! A real request, which a running gateway serves as it serves a client's.

use std::time::{Duration, Instant};

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::CheckResult;
use crate::cli::serve::reachable;
use crate::cli::setup::Setup;
use crate::cli::{as_client, print};
use crate::control::Client;

/// How long a model may think about a greeting.
const ANSWER_WITHIN: Duration = Duration::from_secs(120);

/// Asks a model for a word.
pub(super) async fn ask(setup: &Setup, model: &str) -> CheckResult {
    let begun = Instant::now();
    match exchange(setup, model).await {
        Ok(()) => CheckResult::Well(format!("{model} answers, after {:.1} s", begun.elapsed().as_secs_f32())),
        Err(why) => CheckResult::Wrong(format!("{model}: {}", print::printable(&why))),
    }
}

async fn exchange(setup: &Setup, model: &str) -> Result<(), String> {
    let status = Client::new(&setup.paths).status().await.map_err(|error| error.to_string())?;
    let address = status.listening.first().ok_or("the gateway listens on no address")?;
    let url = format!("http://{}/v1/chat/completions", reachable(*address));
    let body = json!({ "model": model, "messages": [{ "role": "user", "content": "Say hello in one word." }] });
    let key = setup.loaded.config.server.keys.first().map(|key| SecretString::from(key.expose_secret().to_owned()));
    let answer = as_client::ask(&url, key.as_ref(), Some(&body), ANSWER_WITHIN).await;
    answer.map(drop).map_err(|why| format!("{why}. To see where it would go: bitrouter route {model}"))
}
