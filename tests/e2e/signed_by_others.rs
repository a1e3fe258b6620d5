//! What is signed here, against those who sign and verify elsewhere: AWS's botocore, Google's google-auth. `cargo xtask e2e` gets
//! the packages and runs this.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bitrouter_tests::{Gateway, Reply, Seen, Upstream, key_file, signed_headers};
use serde_json::{Value, json};

use super::signing::{aws, chat, form, google, member, setup};

const SECRET: &str = "canary/secret+access/key/0123456789";

#[test]
#[ignore = "needs Python packages: cargo xtask e2e"]
fn botocore_signs_the_same_and_google_auth_verifies_what_a_service_account_signs() {
    let python = std::env::var_os("BITROUTER_E2E_PYTHON").expect("which Python is not said. Run: cargo xtask e2e");
    let (upstream, issuer) = (Upstream::start(), Upstream::start());
    let mut requests = Vec::new();
    for session in [None, Some("canary/session+token==")] {
        let setup = setup(aws(), &upstream, &issuer).with_key("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE");
        let setup = setup.with_key("AWS_SECRET_ACCESS_KEY", SECRET).with_key("AWS_REGION", "eu-west-1");
        let gateway = session.into_iter().fold(setup, |setup, token| setup.with_key("AWS_SESSION_TOKEN", token)).run();
        for model in ["acme-1", "acme:anthropic.claude-v1:0", "acme:arn:aws:bedrock:x/y z", "acme:ünïcode"] {
            gateway.chat(&chat(model)).status(200);
            requests.push(as_botocore_takes_it(&upstream.last(), &upstream, session));
        }
    }
    issuer.replies(Reply::json(&json!({ "access_token": "canary-minted", "expires_in": 3600 })));
    let (setup, url) = (setup(google(), &upstream, &issuer), format!("{}/token", issuer.origin()));
    let file = setup.home().join("key.json");
    fs::write(&file, key_file(&url).to_string()).unwrap();
    setup.with_key("GOOGLE_APPLICATION_CREDENTIALS", file.to_str().unwrap()).run().chat(&chat("acme-1")).status(200);
    let sent = form(&issuer.last());
    let public_key = concat!(env!("CARGO_MANIFEST_DIR"), "/src/service_account.pub.pem");
    let assertion = json!({ "text": member(&sent, "assertion"), "audience": url, "public_key": public_key });
    let said = json!({ "requests": requests, "assertion": assertion }).to_string();

    let mut script = Command::new(python);
    script.arg(Gateway::script("python/signatures.py")).stdin(Stdio::piped());
    let mut script = script.stderr(Stdio::piped()).spawn().unwrap();
    script.stdin.take().unwrap().write_all(said.as_bytes()).unwrap();
    let ran = script.wait_with_output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}

fn as_botocore_takes_it(seen: &Seen, upstream: &Upstream, session: Option<&str>) -> Value {
    let names = signed_headers(seen);
    let headers = names.iter().map(|name| (name.clone(), Value::from(seen.header(name).unwrap())));
    json!({
        "method": seen.method, "url": format!("{}{}", upstream.origin(), seen.path), "body": STANDARD.encode(&seen.body),
        "headers": Value::Object(headers.collect()), "authorization": seen.header("authorization"),
        "access_key_id": "AKIDEXAMPLE", "secret_access_key": SECRET, "session_token": session,
        "service": "bedrock", "region": "eu-west-1",
    })
}
