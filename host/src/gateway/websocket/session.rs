//! One client's WebSocket from its first message to its last: turn after turn, one at a time, as OpenAI runs them.
//!
//! Between two turns the connection ends where the gateway stops or was configured anew, and where it is an hour old. A client
//! that leaves has its answer cancelled at once. Nothing here knows what a turn asks.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt as _, Limited};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::client::{Client, End};
use super::events::Events;
use super::frame::{self, Create};
use super::sockets::Stopping;
use super::turns::{Answered, Opened, Turns};
use crate::error::Error;
use crate::gateway::body::Rules;
use crate::gateway::connections::{Seat, UnderWay};

/// How long a connection may last: OpenAI's own end after 60 minutes.
pub(super) const LASTS: Duration = Duration::from_secs(60 * 60);
/// The longest body of an answer that is an error.
const LONGEST_ERROR: usize = 1 << 20;

/// What answers the turns of a connection.
pub(super) trait Answers: Send {
    /// Answers one. Giving it up cancels it.
    fn answer(&self, create: Create) -> impl Future<Output = Answered> + Send;
}

/// Serves an upgraded connection to its end.
pub(in crate::gateway) async fn serve(upgraded: OnUpgrade, opened: Opened, seat: Arc<Seat>, stopping: Stopping) {
    let stream = match upgraded.await {
        Ok(stream) => TokioIo::new(stream),
        Err(error) => return tracing::debug!(%error, "a WebSocket was not opened"),
    };
    // Its own end comes first.
    seat.stays_for(LASTS + Duration::from_secs(60));
    let app = opened.live.now();
    let (reloads, rules) = (opened.live.replacements(), Rules::of(&app.config.server));
    let client = Client::over(stream, rules, &app.bodies).await;
    drop(app);
    let begin = move || seat.begin();
    let ends = Ends { stopping, reloads, at: Instant::now() + LASTS };
    Session { client, answers: Turns::of(opened), begin, ends, waiting: None }.run().await;
}

/// A connection that is open.
struct Session<S, A, B> {
    client: Client<S>,
    answers: A,
    /// Begins a turn; none where the connection is being closed.
    begin: B,
    ends: Ends,
    /// What the client asks next. While something waits here nothing more is read.
    waiting: Option<Create>,
}

/// What ends a connection between two turns.
struct Ends {
    stopping: Stopping,
    reloads: watch::Receiver<()>,
    at: Instant,
}

impl Ends {
    async fn come(&mut self) -> End {
        tokio::select! {
            biased;
            () = self.stopping.stops() => End::Closed(CloseCode::Away, "the gateway is stopping"),
            Ok(()) = self.reloads.changed() => End::Closed(CloseCode::Restart, "the gateway was configured anew"),
            () = tokio::time::sleep_until(self.at) => End::Refused(Error::SocketLimit, CloseCode::Normal),
        }
    }
}

impl<S, A, B> Session<S, A, B>
where
    S: AsyncRead + AsyncWrite + Unpin,
    A: Answers,
    B: Fn() -> Option<UnderWay>,
{
    async fn run(mut self) {
        let Err(end) = self.turns().await;
        self.client.close(end).await;
    }

    async fn turns(&mut self) -> Result<Infallible, End> {
        loop {
            let create = self.next().await?;
            // A connection that is being closed for another's sake asks no more.
            let Some(_under_way) = (self.begin)() else { return Err(End::Gone) };
            self.turn(create).await?;
        }
    }

    /// What the client asks next, unless the connection ends before that.
    async fn next(&mut self) -> Result<Create, End> {
        let Session { client, ends, waiting, .. } = self;
        loop {
            tokio::select! {
                biased;
                end = ends.come() => return Err(end),
                () = std::future::ready(()), if waiting.is_some() => {}
                message = client.next() => heed(message?, client, waiting).await?,
            }
            if let Some(create) = waiting.take() {
                return Ok(create);
            }
        }
    }

    /// Answers one request.
    async fn turn(&mut self, create: Create) -> Result<(), End> {
        let Session { client, answers, waiting, .. } = self;
        let mut answering = pin!(answers.answer(create));
        let Answered { response, turn } = loop {
            tokio::select! {
                biased;
                answered = &mut answering => break answered,
                message = client.next(), if waiting.is_none() => heed(message?, client, waiting).await?,
            }
        };
        let whole = match is_stream(&response) {
            true => stream(client, waiting, response.into_body()).await?,
            false => {
                client.send(refusal(response).await).await?;
                None
            }
        };
        if let Some(turn) = turn {
            turn.ended(whole.as_deref());
        }
        Ok(())
    }
}

/// What a message asks waits for its turn; what is not understood is answered at once.
async fn heed<S: AsyncRead + AsyncWrite + Unpin>(
    message: Bytes,
    client: &mut Client<S>,
    waiting: &mut Option<Create>,
) -> Result<(), End> {
    match frame::read(message) {
        Ok(create) => *waiting = create,
        Err(error) => client.send(frame::of_error(&error)).await?,
    }
    Ok(())
}

/// Sends an answer as it comes, and returns it if it is whole. As long as the client takes nothing, nothing is read of it.
async fn stream<S: AsyncRead + AsyncWrite + Unpin>(
    client: &mut Client<S>,
    waiting: &mut Option<Create>,
    mut body: Body,
) -> Result<Option<Bytes>, End> {
    let mut events = Events::new();
    while !events.is_over() {
        let frame = tokio::select! {
            biased;
            message = client.next(), if waiting.is_none() => {
                heed(message?, client, waiting).await?;
                continue;
            }
            frame = body.frame() => frame,
        };
        let Some(Ok(frame)) = frame else {
            client.send(frame::cut()).await?;
            return Ok(None);
        };
        if let Some(bytes) = frame.data_ref() {
            for message in events.feed(bytes) {
                client.feed(message).await?;
            }
            client.flush().await?;
        }
    }
    // The upstream's connection may be used again once its answer was read to the end, for which nobody needs to wait.
    tokio::spawn(async move { while let Some(Ok(_)) = body.frame().await {} });
    Ok(events.whole())
}

/// An answer that is no stream, as the frame of an error.
async fn refusal(response: Response) -> String {
    let (head, body) = response.into_parts();
    let body = Limited::new(body, LONGEST_ERROR).collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    if head.status.is_success() {
        // A document where a stream was asked for.
        return frame::cut();
    }
    frame::failed(head.status, &head.headers, &body)
}

fn is_stream(response: &Response) -> bool {
    let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    response.status().is_success() && content_type.is_none_or(|value| !value.starts_with("application/json"))
}
