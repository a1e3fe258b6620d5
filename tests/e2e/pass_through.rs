//! What goes through unchanged, in both directions, and what little is changed on the way.

use std::io::Write;

use bitrouter_tests::{Gateway, KEY, Reply, Seen, Upstream};
use serde_json::{Value, json};

const CHUNK: &str = "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"he\"}}]}\n\n";
const DONE: &str = "data: [DONE]\n\n";

fn hello() -> Value {
    json!({"model": "openai:gpt-4o", "messages": [{"role": "user", "content": "hi"}]})
}

fn bearer() -> String {
    format!("Bearer {KEY}")
}

fn openai_at(upstream: &Upstream) -> Gateway {
    Gateway::start().with_openai_at(upstream).run()
}

#[test]
fn a_chat_goes_up_with_the_key_and_its_answer_comes_back_as_it_is() {
    let upstream = Upstream::start();
    let body = "{ \"id\":\"chatcmpl-1\",  \"choices\":[ ], \"x_new\":1.0e2 }\n";
    upstream.replies(Reply::body("application/json", body));
    let gateway = openai_at(&upstream);
    let answer = gateway.chat(&hello()).status(200).is(body);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let seen = upstream.last();
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/v1/chat/completions"));
    assert_eq!(seen.headers.all("authorization").collect::<Vec<_>>(), [bearer()]);
    assert_eq!(seen.header("content-type"), Some("application/json"));
}

#[test]
fn a_stream_comes_back_byte_for_byte() {
    let upstream = Upstream::start();
    let pieces = [
        ": a comment\r\n\r\n",
        CHUNK,
        "event: new\ndata: {\"a\":\ndata: 1}\n\n",
        "data: {\"te",
        "xt\":\"\u{e9}\"}\n\n",
        DONE,
    ];
    upstream.streams(&pieces);
    let gateway = openai_at(&upstream);
    let mut body = hello();
    body["stream"] = json!(true);
    let answer = gateway.chat(&body).status(200).is(pieces.concat());
    assert!(answer.header("content-type").unwrap().starts_with("text/event-stream"));
    assert_eq!(answer.header("content-length"), None);
}

#[test]
fn an_event_is_forwarded_when_it_comes_and_not_when_the_stream_ends() {
    let upstream = Upstream::start();
    upstream.replies(Reply::sse().send(CHUNK).wait_until_gone());
    let gateway = openai_at(&upstream);
    let mut stream = gateway.post("/v1/chat/completions").json(&streamed(hello())).open();
    assert_eq!(stream.head().0, 200);
    assert_eq!(stream.read_until("he"), CHUNK);
}

#[test]
fn only_the_model_changes_in_the_body_that_goes_up() {
    let upstream = Upstream::start();
    let gateway = openai_at(&upstream);
    let odd = "{\t\"messages\" :[ {\"role\":\"user\",\n \"content\":\"\\u0068i \\/ \\ud83d\\ude00 \u{1f600}\"} ] ,\
               \r\n  \
               \"x_unknown\": {\"deep\" : [1.0e2, -0, 1E+400, 12345678901234567890123]}, \"model\" : \"openai:gpt-4o\",\
               \"temperature\":1.0e2 }  ";
    gateway.post("/v1/chat/completions").body("application/json; charset=utf-8", odd).send().status(200);
    assert_eq!(upstream.last().text(), odd.replace("openai:gpt-4o", "gpt-4o"));
}

#[test]
fn a_model_in_escapes_is_understood_and_goes_up_without_its_provider() {
    let upstream = Upstream::start();
    let gateway = openai_at(&upstream);
    let body = r#"{"model":"\u006fpenai:gpt-4o","messages":[]}"#;
    gateway.post("/v1/chat/completions").body("application/json", body).send().status(200);
    assert_eq!(upstream.last().json()["model"], "gpt-4o");
}

#[test]
fn a_bare_model_that_openai_lists_is_routed_to_it() {
    let upstream = Upstream::start();
    let gateway = openai_at(&upstream);
    let body = r#"{"model":"gpt-4o","messages":[]}"#;
    let answer = gateway.post("/v1/chat/completions").body("application/json", body).send().status(200);
    assert_eq!(answer.header("x-bitrouter-provider"), Some("openai"));
    assert_eq!(upstream.last().text(), body);
}

#[test]
fn what_the_client_proves_itself_with_never_goes_up() {
    let upstream = Upstream::start();
    let gateway = openai_at(&upstream);
    let request = gateway.post("/v1/chat/completions").json(&hello());
    let secret = "of-the-client-alone";
    [
        "authorization",
        "x-api-key",
        "cookie",
        "x-goog-api-key",
        "api-key",
        "proxy-authorization",
        "x-forwarded-for",
        "x-private",
    ]
    .iter()
    .fold(request, |request, name| request.header(name, secret))
    .send()
    .status(200);
    let seen = upstream.last();
    assert!(!format!("{seen:?}").contains(secret), "{seen:?}");
    assert_eq!(seen.headers.all("authorization").collect::<Vec<_>>(), [bearer()]);
}

#[test]
fn only_client_headers_that_the_provider_names_go_up() {
    let upstream = Upstream::start();
    let gateway = openai_at(&upstream);
    let request = gateway.post("/v1/chat/completions").json(&hello());
    request.header("idempotency-key", "once").header("x-stainless-lang", "python").send().status(200);
    assert_eq!(upstream.last().header("idempotency-key"), Some("once"));
    assert_eq!(upstream.last().header("x-stainless-lang"), None);
}

#[test]
fn an_idempotency_key_is_bound_to_the_caller_where_several_share_an_account() {
    let upstream = Upstream::start();
    let keys = ["one-key-of-the-gateway", "other-key-of-the-gateway"];
    let gateway = Gateway::start().with_openai_at(&upstream).with("/server/keys", json!(keys)).run();
    let sent = |path: &str, shown: &str, value: &str| {
        let request = gateway.post(path).json(&hello()).header("authorization", &format!("Bearer {shown}"));
        request.header("idempotency-key", value).send().status(200);
        let seen = upstream.last();
        assert!(!format!("{seen:?}").contains(shown), "{seen:?}");
        seen.header("idempotency-key").unwrap().to_owned()
    };
    for path in ["/v1/chat/completions", "/v1/responses"] {
        let first = sent(path, keys[0], "once");
        assert_eq!(first, sent(path, keys[0], "once"), "to repeat it is what it is for");
        assert_ne!(first, sent(path, keys[1], "once"));
        assert_ne!(first, sent(path, keys[0], "twice"));
    }
}

#[test]
fn nothing_of_one_call_is_left_in_the_next() {
    let upstream = Upstream::start();
    let gateway = Gateway::start().with_openai_at(&upstream).with_plugin("echo").with_origin("echo", &upstream).run();
    for (model, key) in [
        ("openai:gpt-4o", Some("first")),
        ("openai:gpt-4o", Some("second")),
        ("openai:gpt-4o", None),
        ("echo:gpt-4o", None),
        ("openai:gpt-5", Some("third")),
    ] {
        for (path, streaming) in
            [("/v1/chat/completions", false), ("/v1/chat/completions", true), ("/v1/responses", false)]
        {
            let body = json!({"model": model, "input": "x", "stream": streaming});
            let request = gateway.post(path).json(&body);
            let request = key.map_or(request.clone(), |key| request.header("idempotency-key", key));
            request.send().status(200);
            let seen = upstream.last();
            let (provider, own) = model.split_once(':').unwrap();
            assert_eq!((seen.path.as_str(), &seen.json()["model"]), (path, &json!(own)));
            assert_eq!(seen.header("idempotency-key"), key.filter(|_| provider == "openai"));
            assert_eq!(seen.header("authorization").is_some(), provider == "openai");
            assert_eq!(seen.header("accept"), Some(if streaming { "text/event-stream" } else { "*/*" }));
        }
    }
}

#[test]
fn answer_headers_come_back_except_those_that_are_not_the_clients() {
    let upstream = Upstream::start();
    let reply = Reply::json(&json!({})).header("x-ratelimit-remaining-requests", "7").header("x-unheard-of", "yes");
    let reply = reply.header("set-cookie", "session=1").header("keep-alive", "timeout=5").header("x-hop", "no");
    upstream.replies(reply.header("connection", "keep-alive, x-hop").header("proxy-authenticate", "Basic"));
    let gateway = openai_at(&upstream);
    let answer = gateway.chat(&hello()).status(200);
    assert_eq!(answer.header("x-ratelimit-remaining-requests"), Some("7"));
    assert_eq!(answer.header("x-unheard-of"), Some("yes"));
    for name in ["set-cookie", "keep-alive", "x-hop", "proxy-authenticate"] {
        assert_eq!(answer.header(name), None, "{name}");
    }
}

#[test]
fn the_answer_says_which_way_it_went() {
    let upstream = Upstream::start();
    let gateway = openai_at(&upstream);
    let answer = gateway.chat(&hello()).status(200);
    assert_eq!(answer.header("x-bitrouter-provider"), Some("openai"));
    assert_eq!(answer.header("x-bitrouter-account"), Some("env"));
    assert_eq!(answer.header("x-bitrouter-model"), Some("gpt-4o"));
    let id = answer.header("x-bitrouter-request-id").unwrap();
    assert!(!id.is_empty());
    gateway.logs(id);
}

#[test]
fn settings_go_up_as_openais_headers() {
    let upstream = Upstream::start();
    let settings = json!({"organization": "org-1", "project": "proj-2"});
    let gateway = Gateway::start().with_openai_at(&upstream).with("/providers/openai/settings", settings).run();
    gateway.chat(&hello()).status(200);
    assert_eq!(upstream.last().header("openai-organization"), Some("org-1"));
    assert_eq!(upstream.last().header("openai-project"), Some("proj-2"));
}

#[test]
fn a_key_in_the_config_wins_over_the_environments() {
    let upstream = Upstream::start();
    let key = json!("sk-of-the-config-0123456789");
    let gateway = Gateway::start().with_openai_at(&upstream).with("/providers/openai/api_key", key).run();
    let answer = gateway.chat(&hello()).status(200);
    assert_eq!(answer.header("x-bitrouter-account"), Some("config"));
    assert_eq!(upstream.last().header("authorization"), Some("Bearer sk-of-the-config-0123456789"));
}

#[test]
fn compressed_bodies_are_understood_and_go_up_plain() {
    let upstream = Upstream::start();
    let gateway = openai_at(&upstream);
    let plain = hello().to_string().into_bytes();
    for (encoding, bytes) in [("zstd", zstd(&plain)), ("gzip", gzip(&plain)), ("br", brotli(&plain))] {
        let request = gateway.post("/v1/chat/completions").header("content-encoding", encoding);
        request.body("application/json", bytes).send().status(200);
        let seen = upstream.last();
        assert_eq!(seen.json()["model"], "gpt-4o", "{encoding}");
        assert_eq!(seen.header("content-encoding"), None, "{encoding}");
    }
}

#[test]
fn an_upstreams_error_comes_back_with_its_status_and_body() {
    let upstream = Upstream::start();
    let mut gateway = openai_at(&upstream);
    for status in [400, 403, 404, 422, 500, 503, 401, 429] {
        let body = json!({"error": {"message": format!("because {status}"), "type": "t", "param": "p", "code": "c"}});
        upstream.replies(Reply::json(&body).status(status).header("retry-after", "7"));
        for streaming in [false, true] {
            // What failed is left alone for a moment: a model after an outage, the account after a refusal or a limit.
            if matches!(status, 401 | 429) {
                gateway = openai_at(&upstream);
            }
            let mut request = hello();
            request["model"] = json!(format!("openai:gpt-{status}-{streaming}"));
            request["stream"] = json!(streaming);
            let answer = gateway.chat(&request).status(status).says(&format!("because {status}"));
            assert_eq!(answer.header("content-type"), Some("application/json"), "{status}");
            if status == 429 {
                assert!(answer.header("retry-after").is_some());
            }
        }
    }
}

#[test]
fn an_upstreams_error_that_is_not_json_keeps_its_status() {
    let upstream = Upstream::start();
    upstream.replies(Reply::body("text/html", "<h1>Bad gateway</h1>").status(502));
    let gateway = openai_at(&upstream);
    gateway.chat(&hello()).status(502);
}

#[test]
fn a_burst_of_events_arrives_complete() {
    let upstream = Upstream::start();
    let events: Vec<String> = (0..64).map(|n| CHUNK.replace("he", &format!("word-{n}"))).collect();
    let gateway = openai_at(&upstream);
    // Once as one piece and once as pieces of their own.
    let mut pieces: Vec<&str> = events.iter().map(String::as_str).collect();
    pieces.push(DONE);
    for reply in
        [Reply::sse().send(pieces.concat()), pieces.iter().fold(Reply::sse(), |reply, piece| reply.send(*piece))]
    {
        upstream.replies(reply);
        gateway.chat(&streamed(hello())).status(200).is(pieces.concat());
    }
}

#[test]
fn a_megabyte_goes_up_and_comes_back() {
    let upstream = Upstream::start();
    upstream.follows(|request| Reply::body("application/json", request.body.clone()));
    let gateway = openai_at(&upstream);
    let code = "fn main() {\n\t\"\\\u{e9}\"\n}\n".repeat(40_000);
    let body = json!({"model": "openai:gpt-4o", "messages": [{"role": "user", "content": code}]}).to_string();
    assert!(body.len() > 1 << 20);
    let gone_up = body.replacen("openai:gpt-4o", "gpt-4o", 1);
    let request = gateway.post("/v1/chat/completions").body("application/json", body);
    let chunked = request.clone().chunked();
    for request in [request, chunked] {
        let answer = request.send().status(200);
        assert!(answer.body == gone_up.as_bytes() && answer.complete, "{} bytes came back", answer.body.len());
    }
}

#[test]
fn one_connection_takes_many_requests() {
    let upstream = Upstream::start();
    upstream.follows(|request: &Seen| Reply::json(&json!({"n": request.json()["n"]})));
    let gateway = openai_at(&upstream);
    let mut connection = gateway.connect();
    for n in 0..50 {
        let mut body = hello();
        body["n"] = json!(n);
        let answer = connection.send(&gateway.post("/v1/chat/completions").json(&body)).answer().status(200);
        assert_eq!(answer.json()["n"], n);
        // What went wrong with one request is no reason to end the connection.
        connection.send(&gateway.post("/v1/chat/completions").json(&json!({}))).answer().status(400);
    }
    assert_eq!(upstream.connections(), 1, "connections to the upstream are kept as well");
}

#[test]
fn many_clients_at_once_each_get_their_own_answer() {
    let upstream = Upstream::start();
    upstream.follows(|request: &Seen| Reply::json(&json!({"n": request.json()["n"]})));
    let gateway = openai_at(&upstream);
    std::thread::scope(|threads| {
        for client in 0..16 {
            let gateway = &gateway;
            threads.spawn(move || {
                for n in 0..10 {
                    let mut body = hello();
                    body["n"] = json!(client * 100 + n);
                    assert_eq!(gateway.chat(&body).status(200).json()["n"], client * 100 + n);
                }
            });
        }
    });
}

#[test]
fn a_client_that_speaks_http_2_at_once_is_served() {
    use http_body_util::{BodyExt, Full};
    use hyper_util::rt::{TokioExecutor, TokioIo};

    let upstream = Upstream::start();
    upstream.streams(&[CHUNK, DONE]);
    let gateway = openai_at(&upstream);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    let (status, body) = runtime.block_on(async {
        let socket = tokio::net::TcpStream::connect(gateway.address()).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(socket)).await.unwrap();
        let _connection = runtime.spawn(connection);
        let body = Full::new(bytes::Bytes::from(streamed(hello()).to_string()));
        let uri = format!("http://{}/v1/chat/completions", gateway.address());
        let request = hyper::Request::post(uri).header("content-type", "application/json").body(body).unwrap();
        let answer = sender.send_request(request).await.unwrap();
        (answer.status().as_u16(), answer.into_body().collect().await.unwrap().to_bytes())
    });
    assert_eq!((status, body.as_ref()), (200, [CHUNK, DONE].concat().as_bytes()));
}

fn streamed(mut body: Value) -> Value {
    body["stream"] = json!(true);
    body
}

fn zstd(plain: &[u8]) -> Vec<u8> {
    zstd::encode_all(plain, 3).unwrap()
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn brotli(plain: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::new();
    brotli::CompressorWriter::new(&mut encoded, 4096, 5, 20).write_all(plain).unwrap();
    encoded
}
