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
use crate::gateway::connections::Seat;

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

impl<S, A, B, U> Session<S, A, B>
where
    S: AsyncRead + AsyncWrite + Unpin,
    A: Answers,
    B: Fn() -> Option<U>,
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

#[cfg(test)]
mod tests {
    use futures_util::{SinkExt as _, StreamExt as _};
    use serde_json::{Value, json};
    use tokio::io::{AsyncWriteExt as _, DuplexStream};
    use tokio_tungstenite::WebSocketStream;
    use tokio_tungstenite::tungstenite::Message;
    use tokio_tungstenite::tungstenite::protocol::Role;

    use super::*;
    use crate::call::Bodies;
    use crate::config::{Config, Paths};
    use crate::gateway::websocket::Sockets;

    /// Answers after a while, with nothing but the end.
    struct After(Duration);

    impl Answers for After {
        async fn answer(&self, _: Create) -> Answered {
            tokio::time::sleep(self.0).await;
            let end = json!({"type": "response.completed", "response": {"id": "resp_1", "output": []}});
            Answered { response: Response::new(Body::from(format!("data: {end}\n\n"))), turn: None }
        }
    }

    /// A client of a session whose answers take so long.
    async fn client(answers: Duration) -> (WebSocketStream<DuplexStream>, Sockets) {
        let (near, far) = tokio::io::duplex(64 << 10);
        let server = Config::defaults(&Paths::for_tests()).server;
        let sockets = Sockets::new();
        let ends =
            Ends { stopping: sockets.open(), reloads: watch::Sender::new(()).subscribe(), at: Instant::now() + LASTS };
        let bodies = Bodies::new(&server);
        let client = Client::over(far, Rules::of(&server), &bodies).await;
        let session = Session { client, answers: After(answers), begin: || Some(()), ends, waiting: None };
        tokio::spawn(session.run());
        (WebSocketStream::from_raw_socket(near, Role::Client, None).await, sockets)
    }

    async fn next(client: &mut WebSocketStream<DuplexStream>) -> Value {
        serde_json::from_str(client.next().await.unwrap().unwrap().to_text().unwrap()).unwrap()
    }

    async fn is_closed_with(client: &mut WebSocketStream<DuplexStream>, code: CloseCode) {
        let Some(Ok(Message::Close(Some(frame)))) = client.next().await else { panic!("no close frame came") };
        assert_eq!(frame.code, code);
    }

    fn create() -> Message {
        Message::text(r#"{"type":"response.create"}"#)
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_ends_after_an_hour_and_says_so() {
        let began = Instant::now();
        let (mut client, _sockets) = client(Duration::ZERO).await;
        let told = next(&mut client).await;
        assert_eq!(
            (&told["status"], &told["error"]["code"]),
            (&json!(400), &json!("websocket_connection_limit_reached"))
        );
        assert_eq!(began.elapsed().as_secs(), LASTS.as_secs());
        is_closed_with(&mut client, CloseCode::Normal).await;
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_under_way_after_an_hour_is_finished_and_what_waits_is_not_begun() {
        let (mut client, _sockets) = client(LASTS + Duration::from_secs(1)).await;
        client.send(create()).await.unwrap();
        client.send(create()).await.unwrap();
        assert_eq!(next(&mut client).await["type"], "response.completed");
        assert_eq!(next(&mut client).await["error"]["code"], "websocket_connection_limit_reached");
        is_closed_with(&mut client, CloseCode::Normal).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_gateway_that_stops_waits_for_the_answer_under_way() {
        let (mut idle, all) = client(Duration::ZERO).await;
        all.stop();
        is_closed_with(&mut idle, CloseCode::Away).await;
        let (mut busy, all) = client(Duration::from_secs(5)).await;
        busy.send(create()).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        all.stop();
        assert_eq!(next(&mut busy).await["type"], "response.completed");
        is_closed_with(&mut busy, CloseCode::Away).await;
        drop(busy);
        all.closed().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_that_does_not_go_on_is_not_waited_for() {
        let began = Instant::now();
        let (mut client, _sockets) = client(Duration::ZERO).await;
        // A masked text frame of 100 bytes, of which ten come.
        client.get_mut().write_all(&[0x81, 0x80 | 100, 1, 2, 3, 4, 0, 0, 0, 0]).await.unwrap();
        let told = next(&mut client).await;
        assert_eq!((&told["status"], &told["error"]["code"]), (&json!(408), &json!("body_timeout")));
        assert_eq!(began.elapsed().as_secs(), 30);
        is_closed_with(&mut client, CloseCode::Policy).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_says_goodbye_is_answered() {
        let (mut client, _sockets) = client(Duration::ZERO).await;
        client.close(None).await.unwrap();
        assert!(matches!(client.next().await, Some(Ok(Message::Close(_)))));
        assert!(client.next().await.is_none());
    }
}
