//! Looks for the servers of this machine whose providers say how they are told: Ollama and its like, which come and go.
//!
//! `serve` looks each second, commands once. No credential goes along, and what answers otherwise is another program.

use std::sync::Arc;
use std::time::Duration;

use bitrouter_contract::description::{Probe, SideKind};
use futures_util::future::join_all;

use super::query::get;
use crate::pipeline;
use crate::route::{Provider, Providers};

/// How long a server of this machine may take to say what it is.
const WITHIN: Duration = Duration::from_millis(200);

/// Looks for all of them at once. Those that have come are asked for their models, where that is wanted.
pub async fn look_for_local(providers: &Providers, with_models: bool) {
    let local =
        providers.on().filter(|provider| provider.fault.is_none() && provider.plugin.description.local.is_some());
    let came = join_all(local.map(async |provider| {
        let found = tokio::time::timeout(WITHIN, is_found(provider)).await.unwrap_or(false);
        if !provider.note_found(found) {
            return None;
        }
        tracing::info!(provider = provider.id(), found, "a server of this machine");
        found.then(|| provider.id().to_owned())
    }));
    for id in came.await.into_iter().flatten().filter(|_| with_models) {
        for trouble in super::query_now(providers, SideKind::Models, Some(&id)).await {
            tracing::warn!("{trouble}");
        }
    }
}

async fn is_found(provider: &Arc<Provider>) -> bool {
    let Some(local) = &provider.plugin.description.local else { return true };
    let mut found = false;
    for probe in &local.probes {
        found = found || answers(provider, probe).await;
    }
    for probe in &local.unless {
        found = found && !answers(provider, probe).await;
    }
    found
}

async fn answers(provider: &Arc<Provider>, probe: &Probe) -> bool {
    let answer = pipeline::query(provider, None, &get("api", &probe.path)).await;
    answer.is_ok_and(|(page, _)| probe.is_answered_by(page.status, &page.body))
}
