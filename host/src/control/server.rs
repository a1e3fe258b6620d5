//! What a running gateway answers on its control socket: HTTP with JSON, for `status` and `reload`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Instant, SystemTime};

use axum::extract::State as From;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bitrouter_route::cooldown::Cooling;
use bitrouter_route::nearest::nearest;
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::reload::Reloader;
use super::status::{GatewayState, Process, Status};
use crate::app::Live;
use crate::gateway::Connections;
use crate::route::Providers;

/// Which cooldowns are to be lifted: all of them where nothing is named.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Which {
    /// Those of this provider.
    pub provider: Option<String>,
    /// Those of this account of it.
    pub label: Option<String>,
}

/// How many cooldowns were lifted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Cleared {
    /// That many.
    pub cleared: usize,
}

/// Nothing was lifted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NotCleared {
    /// What is not there, and what is.
    pub reason: String,
}

/// What the control socket speaks for.
pub struct Control {
    live: Arc<Live>,
    reloader: Arc<Reloader>,
    connections: Arc<Connections>,
    listening: Vec<SocketAddr>,
    started: (SystemTime, Instant),
    stopping: AtomicBool,
}

impl Control {
    /// Of a gateway that was started just now.
    pub fn new(
        live: Arc<Live>,
        reloader: Arc<Reloader>,
        connections: Arc<Connections>,
        listening: Vec<SocketAddr>,
    ) -> Arc<Self> {
        let started = (SystemTime::now(), Instant::now());
        Arc::new(Control { live, reloader, connections, listening, started, stopping: AtomicBool::new(false) })
    }

    /// Says from now on that the gateway stops.
    pub fn stops(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Answers for as long as it is polled.
    #[cfg(unix)]
    pub async fn serve(self: Arc<Self>, socket: super::Socket) {
        let _ = axum::serve(socket, routes(self)).await;
    }

    /// There is no such socket.
    #[cfg(not(unix))]
    pub async fn serve(self: Arc<Self>, socket: super::Socket) {
        match socket {}
    }

    /// The gateway at this moment. May read the token store, which blocks briefly.
    fn status(&self) -> Status {
        let process = Process {
            state: if self.stopping.load(Ordering::Relaxed) { GatewayState::Stopping } else { GatewayState::Serving },
            started: self.started.0,
            uptime: self.started.1.elapsed(),
            listening: self.listening.clone(),
            connections: self.connections.open(),
        };
        Status::of(&self.live.now(), process, self.reloader.in_force())
    }
}

#[cfg_attr(not(unix), allow(dead_code))]
fn routes(control: Arc<Control>) -> Router {
    Router::new()
        .route("/status", get(status))
        .route("/reload", post(reload))
        .route("/clear", post(clear))
        .with_state(control)
}

async fn status(From(control): From<Arc<Control>>) -> Response {
    match tokio::task::spawn_blocking(move || control.status()).await {
        Ok(status) => Json(status).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn reload(From(control): From<Arc<Control>>) -> Response {
    match control.reloader.reload().await {
        Ok(reloaded) => Json(reloaded).into_response(),
        Err(refused) => (StatusCode::CONFLICT, Json(refused)).into_response(),
    }
}

async fn clear(From(control): From<Arc<Control>>, Json(which): Json<Which>) -> Response {
    let app = control.live.now();
    let (cooldowns, providers) = (app.directory.cooldowns(), app.directory.now());
    // May read the token store, which blocks briefly.
    let named = which.clone();
    let cooling = cooldowns.list(SystemTime::now());
    match tokio::task::spawn_blocking(move || named.unknown(&providers, &cooling)).await {
        Ok(None) => {}
        Ok(Some(unknown)) => return (StatusCode::CONFLICT, Json(unknown)).into_response(),
        Err(error) => return (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
    let cleared = cooldowns.clear(which.provider.as_deref(), which.label.as_deref(), SystemTime::now());
    tracing::info!(provider = which.provider, account = which.label, cleared, "cooldowns lifted by hand");
    Json(Cleared { cleared }).into_response()
}

impl Which {
    /// What is wrong where it names no provider, or no account of one, that is there or cools down.
    fn unknown(&self, providers: &Providers, cooling: &[Cooling]) -> Option<NotCleared> {
        let provider = self.provider.as_deref();
        let mut known: Vec<&str> = providers.by_id.keys().map(String::as_str).collect();
        known.extend(cooling.iter().map(|cooling| cooling.subject.provider.as_str()));
        let Some(provider) = provider else {
            let reason = "an account is named and no provider: write PROVIDER@LABEL".to_owned();
            return self.label.is_some().then_some(NotCleared { reason });
        };
        if !known.contains(&provider) {
            return Some(NotCleared { reason: format!("there is no provider `{provider}`{}", near(provider, known)) });
        }
        let label = self.label.as_deref()?;
        let of_provider = cooling.iter().filter(|cooling| cooling.subject.provider == provider);
        let mut labels: Vec<String> = of_provider.filter_map(|cooling| cooling.subject.label.clone()).collect();
        if let Some(provider) = providers.by_id.get(provider) {
            let listing = provider.accounts.list();
            labels.extend(listing.accounts().map(|credential| credential.label.to_string()));
            labels.extend(listing.faults().filter_map(|fault| fault.label().map(str::to_owned)));
        }
        (!labels.iter().any(|known| known == label)).then(|| {
            let near = near(label, labels.iter().map(String::as_str).collect());
            NotCleared { reason: format!("{provider} has no account `{label}`{near}") }
        })
    }
}

/// The nearest of what is there, or all of it.
fn near(name: &str, mut known: Vec<&str>) -> String {
    known.sort_unstable();
    known.dedup();
    match (nearest(name, known.iter().copied(), 1).first(), known.is_empty()) {
        (Some(near), _) => format!(": did you mean `{near}`?"),
        (None, true) => ": there is none".to_owned(),
        (None, false) => format!(": there are {}", known.join(", ")),
    }
}
