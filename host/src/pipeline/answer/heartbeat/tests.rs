//! A call that waits for its answer: its client is kept awake, told what comes of it, and let go where it does not read.

use http_body_util::BodyExt;

use super::*;
use crate::caller::Caller;
use crate::telemetry::{RequestRecord, Requests};

/// The body of a call that ends as `pending` does, and what those under way are.
fn kept_awake(pending: PendingAnswer) -> (Body, Arc<Requests>, Box<RequestRecord>) {
    let requests = Arc::<Requests>::default();
    let record = RequestRecord::start(&requests, "req_1".into(), Caller::Anybody, "messages");
    let response = answer(pending, Dialect::Messages, &record.id, record.under_way());
    assert_eq!(response.headers()[CONTENT_TYPE], "text/event-stream");
    assert_eq!(response.headers()["x-accel-buffering"], "no");
    assert_eq!(response.headers()["cache-control"], "no-cache");
    (response.into_body(), requests, record)
}

async fn next(body: &mut Body) -> Option<Result<String, String>> {
    let frame = body.frame().await?;
    let text = |bytes: Bytes| String::from_utf8(bytes.to_vec()).unwrap();
    Some(frame.map(|frame| text(frame.into_data().unwrap())).map_err(|error| error.to_string()))
}

const PING: &str = "event: ping\ndata: {\"type\":\"ping\"}\n\n";

#[tokio::test(start_paused = true)]
async fn a_client_is_kept_awake_until_its_answer_comes() {
    let (mut body, _requests, _record) = kept_awake(Box::pin(async {
        tokio::time::sleep(Duration::from_secs(40)).await;
        let mut response = Response::new(Body::from("data: {}\n\n"));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        Ok(response)
    }));
    let start = Instant::now();
    for after in [0, 15, 30] {
        assert_eq!(next(&mut body).await, Some(Ok(PING.to_owned())));
        assert_eq!(start.elapsed().as_secs(), after);
    }
    assert_eq!(next(&mut body).await, Some(Ok("data: {}\n\n".to_owned())));
    assert_eq!(start.elapsed().as_secs(), 40);
    assert_eq!(next(&mut body).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_stops_tells_a_client_whose_answer_has_not_begun() {
    let (mut body, requests, _record) = kept_awake(Box::pin(std::future::pending()));
    assert_eq!(next(&mut body).await, Some(Ok(PING.to_owned())));
    requests.in_flight.end_unread();
    requests.in_flight.stop();
    let told = next(&mut body).await.unwrap().unwrap();
    assert!(told.starts_with("event: error\ndata: {") && told.contains("stopping"), "{told}");
    assert!(next(&mut body).await.unwrap().unwrap_err().contains("stopping"), "its end is no clean one");
    assert_eq!(next(&mut body).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_request_whose_client_does_not_read_is_given_up() {
    let under_way = Arc::new(());
    let held = Arc::clone(&under_way);
    let (mut body, requests, _record) = kept_awake(Box::pin(async move {
        let _held = held;
        std::future::pending().await
    }));
    tokio::time::advance(Duration::from_secs(59)).await;
    requests.in_flight.end_unread();
    assert_eq!(Arc::strong_count(&under_way), 2);
    tokio::time::advance(Duration::from_secs(2)).await;
    requests.in_flight.end_unread();
    assert_eq!(Arc::strong_count(&under_way), 1, "nothing is asked on its behalf any more");
    assert_eq!(next(&mut body).await, Some(Ok(PING.to_owned())));
    assert!(next(&mut body).await.unwrap().unwrap().contains("read nothing"));
}
