//! Signatures against AWS's own cases, which the signing crate's package carries, and what is signed of our requests.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use aws_sigv4::http_request::{PayloadChecksumKind, PercentEncodingMode, UriPathNormalizationMode};
use serde_json::{Value, json};

use super::*;

/// The folder of AWS's cases, in the package as cargo has it: `aws-signing-test-suite/v4` (Apache-2.0).
fn cases() -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["metadata", "--format-version", "1", "--offline", "--manifest-path"]);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"));
    let metadata: Value = serde_json::from_slice(&command.output().unwrap().stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let package = packages.iter().find(|package| package["name"] == "aws-sigv4").unwrap();
    Path::new(package["manifest_path"].as_str().unwrap()).with_file_name("aws-signing-test-suite").join("v4")
}

fn read(folder: &Path, name: &str) -> Option<String> {
    Some(fs::read_to_string(folder.join(name)).ok()?.replace("\r\n", "\n"))
}

/// A request as a case has it; none where no client of ours could send it, such as one with a folded header or a space in
/// its path.
fn request(text: &str) -> Option<Request<String>> {
    let (head, body) = text.split_once("\n\n").unwrap_or((text.trim_end(), ""));
    let mut lines = head.lines();
    let (method, rest) = lines.next()?.split_once(' ')?;
    let target = rest.strip_suffix(" HTTP/1.1").unwrap_or(rest);
    if !target.is_ascii() {
        return None;
    }
    let headers: Option<Vec<(&str, &str)>> = lines.map(|line| line.split_once(':')).collect();
    let headers = headers?;
    let host = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("host"))?.1.trim();
    let mut request = Request::builder().method(method).uri(format!("https://{host}{target}"));
    for (name, value) in headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("host")) {
        request = request.header(*name, *value);
    }
    request.body(body.to_owned()).ok()
}

fn header<'t>(text: &'t str, name: &str) -> &'t str {
    let has = |line: &&str| line.get(..name.len()).is_some_and(|head| head.eq_ignore_ascii_case(name));
    text.lines().find(has).unwrap()[name.len()..].trim()
}

fn signer(credentials: &Value, service: &str, region: &str) -> Signer {
    let secret = |name: &str| credentials[name].as_str().map(SecretString::from);
    let keys = [secret("access_key_id").unwrap(), secret("secret_access_key").unwrap()];
    Signer::new([&keys[0], &keys[1]], secret("token").as_ref(), service, region).unwrap()
}

#[test]
fn requests_are_signed_as_awss_own_cases_have_it() {
    let (mut compared, mut skipped) = (0, Vec::new());
    for folder in fs::read_dir(cases()).unwrap().map(|entry| entry.unwrap().path()) {
        let context = read(&folder, "context.json").map_or_else(
            || json!({ "credentials": { "access_key_id": "AKIDEXAMPLE", "secret_access_key": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY" } }),
            |text| serde_json::from_str(&text).unwrap(),
        );
        let signed = read(&folder, "header-signed-request.txt").unwrap();
        let expected = header(&signed, "authorization:");
        let request = request(&read(&folder, "request.txt").unwrap());
        // A token that is added behind the signature is what no service of ours wants; one case is of keys that are not there.
        let key = context["credentials"]["access_key_id"].as_str().unwrap();
        let is_ours = context["omit_session_token"] != true && expected.contains(&format!("Credential={key}/"));
        let Some(mut request) = request.filter(|_| is_ours) else {
            skipped.push(folder.file_name().unwrap().to_owned());
            continue;
        };
        let scope: Vec<&str> = expected.split('/').collect();
        let signer = signer(&context["credentials"], scope[3], scope[2]);
        let mut settings = SigningSettings::default();
        if context["sign_body"] == true {
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        }
        // All but two cases are of services that take a path as it is, as S3 does and none of ours.
        if !folder.file_name().unwrap().to_string_lossy().starts_with("double-") {
            settings.percent_encoding_mode = PercentEncodingMode::Single;
        }
        settings.uri_path_normalization_mode = UriPathNormalizationMode::from(context["normalize"] != false);
        let date = header(&signed, "x-amz-date:");
        let [day, time] = [&date[..8], &date[9..15]];
        let date = format!("{}-{}-{}T{}:{}:{}Z", &day[..4], &day[4..6], &day[6..], &time[..2], &time[2..4], &time[4..]);
        let seconds = date.parse::<Timestamp>().unwrap().unix();
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.try_into().unwrap());
        let body = Bytes::from(request.body().clone());
        signer.sign_at(&mut request, [body], now, settings, |_| true).unwrap();
        assert_eq!(request.headers()["authorization"].to_str().unwrap(), expected, "{}", folder.display());
        compared += 1;
    }
    assert!(compared >= 32, "{compared} were compared, and these were not: {skipped:?}");
}

fn sent(body: &[&'static str], headers: &[(&str, &str)]) -> Request<()> {
    let keys = json!({ "access_key_id": "AKIDEXAMPLE", "secret_access_key": "canary-secret", "token": "canary-token" });
    let url = "https://bedrock-runtime.us-east-1.amazonaws.com/model/anthropic.claude-v1%3A0/invoke?b=2&a=1";
    let mut request = Request::builder().method("POST").uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut request = request.body(()).unwrap();
    let signer = signer(&keys, "bedrock", "us-east-1");
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    let body = body.iter().map(|piece| Bytes::from_static(piece.as_bytes()));
    signer.sign_at(&mut request, body, now, SigningSettings::default(), is_signed).unwrap();
    assert!(!format!("{signer:?}").contains("canary"), "{signer:?}");
    request
}

#[test]
fn a_signature_is_of_the_whole_body_however_it_is_cut_and_of_no_header_that_changes_on_the_way() {
    let signature = |request: Request<()>| request.headers()["authorization"].clone();
    let json = ("content-type", "application/json");
    let whole = signature(sent(&["{\"a\":1}"], &[json]));
    assert!(whole.is_sensitive());
    let text = whole.to_str().unwrap();
    assert!(text.contains("SignedHeaders=content-type;host;x-amz-date;x-amz-security-token,"), "{text}");
    assert_eq!(signature(sent(&["{\"a\"", ":1}"], &[json])), whole);
    assert_eq!(signature(sent(&["{\"a\":1}"], &[json, ("user-agent", "x"), ("accept", "*/*")])), whole);
    assert_ne!(signature(sent(&["{\"a\":2}"], &[json])), whole);
    assert_ne!(signature(sent(&["{\"a\":1}"], &[("content-type", "text/plain")])), whole);
}

#[test]
fn what_a_client_sends_in_the_place_of_a_signature_is_replaced() {
    let forged = [("authorization", "forged"), ("x-amz-date", "forged"), ("x-amz-content-sha256", "forged")];
    let request = sent(&[], &forged);
    assert_eq!(request.headers().get_all("authorization").iter().count(), 1);
    assert!(request.headers().values().all(|value| value != "forged"), "{:?}", request.headers());
    assert_eq!(request.headers()["x-amz-security-token"], "canary-token");
    assert!(request.headers()["x-amz-security-token"].is_sensitive());
}

#[test]
fn a_refusal_sets_the_clock_right_once_and_only_if_its_date_says_that_it_was_wrong() {
    let keys = json!({ "access_key_id": "AKIDEXAMPLE", "secret_access_key": "secret" });
    let (signer, now) = (signer(&keys, "bedrock", "us-east-1"), Timestamp::now());
    assert_eq!(signer.set_right(StatusCode::FORBIDDEN, now), None);
    assert_eq!(signer.set_right(StatusCode::OK, now.shifted(3600)), None);
    let behind = signer.set_right(StatusCode::FORBIDDEN, now.shifted(3600)).unwrap();
    assert!((3590..=3610).contains(&behind), "{behind}");
    assert_eq!(signer.set_right(StatusCode::FORBIDDEN, now.shifted(3600)), None, "it is right now");
    let mut request = Request::builder().uri("https://a.example/").body(()).unwrap();
    signer.sign(&mut request, []).unwrap();
    let hour = |time: Timestamp| time.to_string().replace([':', '-'], "")[..11].to_owned();
    let signed_at = request.headers()["x-amz-date"].to_str().unwrap()[..11].to_owned();
    assert!([hour(now.shifted(3600)), hour(now.shifted(3630))].contains(&signed_at), "{signed_at}");
}
