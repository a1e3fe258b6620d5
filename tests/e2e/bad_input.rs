//! What clients do wrong, each answered with a status and a sentence that says what to do about it.

use std::io::Write;

use bitrouter_tests::{Answer, Gateway, Reply, Request, Upstream, eventually};
use serde_json::{Value, json};

const CHAT: &str = "/v1/chat/completions";
const DELTA: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"he\"}}]}\n\n";

fn hello() -> Value {
    json!({"model": "openai:gpt-4o", "messages": [{"role": "user", "content": "hi"}]})
}

fn hello_streamed() -> Value {
    json!({"model": "openai:gpt-4o", "messages": [], "stream": true})
}

fn raw(gateway: &Gateway, body: impl Into<Vec<u8>>) -> Answer {
    gateway.post(CHAT).body("application/json", body).send()
}

#[test]
fn a_body_that_is_no_object_with_a_model_is_refused_before_anything_is_sent() {
    let upstream = Upstream::start();
    let gateway = Gateway::start().with_openai_at(&upstream).run();
    for (body, sentence) in [
        ("", "not valid JSON"),
        ("{\"model\": \"openai:gpt-4o\"", "not valid JSON"),
        ("hello", "not valid JSON"),
        ("{\"model\": \"openai:gpt-4o\"} {}", "not valid JSON"),
        ("[]", ""),
        ("\"openai:gpt-4o\"", ""),
        ("null", ""),
        ("{}", "names no `model`"),
        ("{\"model\": \"\"}", "names no `model`"),
        ("{\"model\": null}", "model"),
        ("{\"model\": 4}", "model"),
        ("{\"model\": [\"openai:gpt-4o\"]}", "model"),
        ("{\"model\": \"openai:gpt-4o\", \"model\": \"openai:gpt-5\"}", "model"),
        ("{\"model\": \"openai:gpt-4o\", \"mod\\u0065l\": \"openai:gpt-5\"}", "model"),
    ] {
        let answer = raw(&gateway, body).status(400).says(sentence);
        assert_eq!(answer.json()["error"]["type"], "invalid_request_error", "{body}");
    }
    raw(&gateway, b"{\"model\": \"openai:gpt-4o\", \"x\": \"\xff\xfe\"".as_slice()).status(400);
    raw(&gateway, format!("{{\"model\":\"openai:gpt-4o\",\"x\":{}", "[".repeat(1 << 20))).status(400);
    assert!(upstream.requests().is_empty());
}

#[test]
fn a_provider_that_is_not_known_is_answered_with_the_nearest_names() {
    let gateway = Gateway::start().with_openai_at(&Upstream::start()).run();
    let ask = |model: &str| gateway.chat(&json!({"model": model, "messages": []})).status(400);
    ask("opnai:gpt-4o").says("openai");
    ask("gpt-4oo").says("gpt-4o");
    ask("nothing-like-it").says("PROVIDER:nothing-like-it").says("providers are openai");
    ask("openai:").says("names no model");
    ask("a\nb");
    let answer = ask(&"m".repeat(10_000));
    assert!(answer.text().len() < 2_000, "a name of 10 KB is not repeated in full");
    assert_eq!(answer.json()["error"]["param"], "model");
}

#[test]
fn a_provider_without_a_key_says_how_to_give_it_one() {
    let gateway = Gateway::start().run();
    gateway.chat(&hello()).status(401).says("OPENAI_API_KEY");
}

#[test]
fn an_account_that_is_not_known_is_answered_with_those_that_are() {
    let gateway = Gateway::start().with_openai_at(&Upstream::start()).run();
    gateway.chat(&json!({"model": "openai@nobody:gpt-4o"})).status(401).says("nobody").says("only `env`");
}

#[test]
fn a_body_that_a_web_page_could_send_without_asking_is_refused() {
    let upstream = Upstream::start();
    let gateway = Gateway::start().with_openai_at(&upstream).run();
    let body = hello().to_string();
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "json"] {
        let answer = gateway.post(CHAT).body(kind, body.clone()).send().status(415).says("application/json");
        assert!(answer.message().contains(kind.split(';').next().unwrap()), "{}", answer.text());
    }
    assert!(upstream.requests().is_empty());
}

#[test]
fn a_body_over_the_limit_is_refused_however_it_comes() {
    let upstream = Upstream::start();
    let limited = Gateway::start().with_openai_at(&upstream).with("/server/body_limit", json!("1MiB"));
    let gateway = limited.run();
    let large = json!({"model": "openai:gpt-4o", "x": "a".repeat(1 << 20)}).to_string();
    let request = |body: Vec<u8>| gateway.post(CHAT).body("application/json", body);
    let refused = |request: Request| {
        request.send().status(413).says("server.body_limit");
    };
    refused(request(large.clone().into()));
    refused(request(large.clone().into()).chunked());
    let bomb = zstd::encode_all(std::io::repeat(b' ').take_bytes(256 << 20), 1).unwrap();
    assert!(bomb.len() < 1 << 20);
    refused(request(bomb).header("content-encoding", "zstd"));
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(large.as_bytes()).unwrap();
    refused(request(gzip.finish().unwrap()).header("content-encoding", "gzip"));
    assert!(upstream.requests().is_empty());
    gateway.chat(&hello()).status(200);
}

/// `Read::take`, without importing a trait that would hide the rest.
trait TakeBytes: std::io::Read + Sized {
    fn take_bytes(self, bytes: u64) -> std::io::Take<Self> {
        self.take(bytes)
    }
}

impl TakeBytes for std::io::Repeat {}

#[test]
fn a_body_that_cannot_be_decompressed_is_refused() {
    let gateway = Gateway::start().with_openai_at(&Upstream::start()).run();
    let body = hello().to_string().into_bytes();
    let compressed = zstd::encode_all(body.as_slice(), 1).unwrap();
    let encoded = |encoding: &str, body: &[u8]| {
        gateway.post(CHAT).header("content-encoding", encoding).body("application/json", body).send()
    };
    encoded("zstd", &body).status(400).says("zstd");
    encoded("gzip", &body).status(400).says("gzip");
    encoded("zstd", &compressed[..compressed.len() - 3]).status(400);
    encoded("compress", &body).status(415).says("compress").says("zstd, gzip and br");
    encoded("zstd, gzip", &compressed).status(415);
}

#[test]
fn a_form_that_is_malformed_is_refused() {
    let gateway = Gateway::start().with_openai_at(&Upstream::start()).run();
    let form = |kind: &str, body: &str| gateway.post("/v1/audio/transcriptions").body(kind, body).send();
    form("multipart/form-data", "--x--\r\n").status(400).says("boundary");
    form("multipart/form-data; boundary=x", "nothing").status(400).says("boundary");
    let nameless = "--x\r\ncontent-disposition: form-data; name=\"file\"\r\n\r\nabc\r\n--x--\r\n";
    form("multipart/form-data; boundary=x", nameless).status(400).says("model");
    form("text/plain", "x").status(415).says("multipart/form-data");
}

#[test]
fn a_head_that_never_ends_is_not_waited_for() {
    let gateway = Gateway::start().run();
    let mut slow = gateway.connect();
    slow.write(b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nx-slow:");
    assert!(slow.wait_at_most(15).is_closed());
}

#[test]
fn bytes_that_are_no_http_end_the_connection_and_nothing_else() {
    let gateway = Gateway::start().run();
    for bytes in [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 tls".as_slice(),
        b"HELO you\r\n\r\n",
        b"GET / HTTP/1.1\r\n\0: x\r\n\r\n",
    ] {
        assert!(gateway.connect().write(bytes).is_closed(), "{bytes:?}");
    }
    gateway.get("/health").send().status(200);
}

#[test]
fn a_request_with_two_lengths_is_refused() {
    let upstream = Upstream::start();
    let gateway = Gateway::start().with_openai_at(&upstream).run();
    let body = hello().to_string();
    for framing in [
        format!("content-length: {}\r\ncontent-length: 3\r\n", body.len()),
        "content-length: 3\r\ntransfer-encoding: chunked\r\n".to_owned(),
        "transfer-encoding: chunked, identity\r\n".to_owned(),
    ] {
        let head =
            format!("POST {CHAT} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n{framing}\r\n");
        let answer = gateway.connect().write(format!("{head}{body}").as_bytes()).answer();
        assert!((400..500).contains(&answer.code), "{framing}: {answer:?}");
    }
    assert!(upstream.requests().is_empty());
}

#[test]
fn a_host_that_is_not_this_gateways_is_refused() {
    let upstream = Upstream::start();
    let gateway = Gateway::start().with_openai_at(&upstream).run();
    for host in ["evil.example", "localhost.evil.example:80", "192.0.2.1"] {
        gateway.post(CHAT).json(&hello()).header("host", host).send().status(403).says(host);
    }
    // An absolute address in the first line counts for more than the header.
    let absolute = gateway.post(&format!("http://evil.example{CHAT}")).json(&hello());
    absolute.header("host", "localhost").send().status(403).says("evil.example");
    for host in ["localhost", "127.0.0.1:1", "[::1]:4356"] {
        gateway.post(CHAT).json(&hello()).header("host", host).send().status(200);
    }
    assert_eq!(upstream.requests().len(), 3);
}

#[test]
fn a_web_page_is_refused_unless_it_is_allowed() {
    let upstream = Upstream::start();
    let setup = Gateway::start().with_openai_at(&upstream);
    let gateway = setup.with("/server/allowed_origins", json!(["https://app.example"])).run();
    let from = |origin: &str| gateway.post(CHAT).json(&hello()).header("origin", origin).send();
    for origin in
        ["https://evil.example", "null", "http://app.example", "https://app.example.evil", "http://localhost:3000"]
    {
        let answer = from(origin).status(403).says("server.allowed_origins");
        assert_eq!(answer.header("access-control-allow-origin"), None, "{origin}");
    }
    assert!(upstream.requests().is_empty());
    let answer = from("https://app.example").status(200);
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://app.example"));
    assert!(answer.header("vary").unwrap().to_lowercase().contains("origin"));
}

#[test]
fn a_browsers_question_beforehand_is_answered_for_allowed_pages_alone() {
    let gateway = Gateway::start().with("/server/allowed_origins", json!(["https://app.example"])).run();
    let ask = |origin: &str| {
        let request = gateway.request("OPTIONS", CHAT).header("origin", origin);
        request.header("access-control-request-method", "POST").send()
    };
    let answer = ask("https://app.example").status(204);
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://app.example"));
    assert!(answer.header("access-control-allow-methods").unwrap().contains("POST"));
    assert!(answer.header("access-control-allow-headers").unwrap().contains("authorization"));
    assert_eq!(ask("https://evil.example").status(403).header("access-control-allow-origin"), None);
}

#[test]
fn a_gateway_with_keys_wants_one_and_does_not_pass_it_on() {
    let upstream = Upstream::start();
    let key = "key-of-the-gateway-0123";
    let gateway = Gateway::start().with_openai_at(&upstream).with("/server/keys", json!([key])).run();
    let request = gateway.post(CHAT).json(&hello());
    request.clone().send().status(401).says("server.keys").never_says(key);
    request.clone().header("authorization", "Bearer key-of-the-gateway-012").send().status(401);
    request.clone().header("x-api-key", "").send().status(401);
    gateway.get("/v1/models").send().status(401);
    assert!(upstream.requests().is_empty());
    request.clone().header("authorization", &format!("Bearer {key}")).send().status(200);
    assert!(!format!("{:?}", upstream.last()).contains(key));
    request.header("x-api-key", key).send().status(200);
    assert!(!format!("{:?}", upstream.last()).contains(key));
    gateway.get("/health").send().status(200);
    assert!(!gateway.log().contains(key));
}

#[test]
fn a_path_or_method_that_is_not_there_is_named() {
    let gateway = Gateway::start().run();
    gateway.post("/v1/nothing").json(&hello()).send().status(404).says("/v1/nothing");
    gateway.get(CHAT).send().status(405).says(CHAT);
    gateway.request("DELETE", "/v1/models").send().status(405).says("DELETE");
}

#[test]
fn an_error_has_the_shape_of_the_clients_dialect() {
    let gateway = Gateway::start().run();
    let ask = |path: &str| gateway.post(path).json(&json!({"model": "no-such-model"})).send().status(400);
    for path in [CHAT, "/v1/responses", "/v1/embeddings"] {
        let answer = ask(path);
        let error = &answer.json()["error"];
        assert_eq!(
            (&error["type"], &error["code"]),
            (&json!("invalid_request_error"), &json!("model_not_found")),
            "{path}"
        );
        assert!(error["message"].is_string(), "{path}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
    }
    let answer = ask("/v1/messages");
    let json = answer.json();
    assert_eq!((&json["type"], &json["error"]["type"]), (&json!("error"), &json!("invalid_request_error")));
    assert_eq!(json["request_id"].as_str(), answer.header("x-bitrouter-request-id"));
}

#[test]
fn a_client_that_goes_away_ends_the_upstreams_work() {
    let upstream = Upstream::start();
    upstream.replies(Reply::sse().send(DELTA).wait_until_gone());
    let gateway = Gateway::start().with_openai_at(&upstream).run();
    let mut stream = gateway.post(CHAT).json(&hello_streamed()).open();
    assert_eq!(stream.head().0, 200);
    stream.read_until("he");
    assert_eq!(upstream.hung_up(), 0);
    stream.leave();
    assert!(eventually(|| upstream.hung_up() == 1), "the upstream still waits");
    gateway.logs("client gone");
}

#[test]
fn a_client_that_goes_away_before_the_answer_ends_the_upstreams_work() {
    let upstream = Upstream::start();
    upstream.replies(Reply::silence());
    let gateway = Gateway::start().with_openai_at(&upstream).run();
    let waiting = gateway.post(CHAT).json(&hello()).open();
    assert!(eventually(|| upstream.requests().len() == 1));
    waiting.leave();
    assert!(eventually(|| upstream.hung_up() == 1), "the upstream still waits");
}

#[test]
fn a_head_that_is_too_large_is_refused() {
    let gateway = Gateway::start().run();
    let code = gateway.get("/v1/models").header("x-large", &"a".repeat(2 << 20)).send().code;
    assert_eq!(code, 431);
    gateway.get("/health").send().status(200);
}

#[test]
fn a_client_that_asks_before_it_sends_a_body_is_told_to_go_on() {
    let upstream = Upstream::start();
    let gateway = Gateway::start().with_openai_at(&upstream).run();
    let body = hello().to_string();
    let head = format!(
        "POST {CHAT} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nexpect: 100-continue\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    let mut careful = gateway.connect();
    assert_eq!(careful.write(head.as_bytes()).head().0, 100);
    careful.write(body.as_bytes()).answer().status(200);
}
