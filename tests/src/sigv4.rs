//! Checking a signature as AWS does (Signature Version 4), of what has arrived: written from AWS's own text, with none of the
//! code that signs.

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use super::Seen;

/// Whether a request is signed with this key, for this service and region. The error says which canonical request was
/// expected.
pub fn check_signature(seen: &Seen, secret: &str, service: &str, region: &str) -> Result<(), String> {
    let authorization = seen.header("authorization").ok_or("there is no signature")?;
    let part = |name: &str| {
        let (_, rest) = authorization.split_once(name).ok_or_else(|| format!("no `{name}` in {authorization}"))?;
        Ok::<_, String>(rest.split(',').next().unwrap_or_default().trim().to_owned())
    };
    let (scope, signature) = (part("Credential=")?, part("Signature=")?);
    let scope = scope.split_once('/').ok_or("the credential has no scope")?.1.to_owned();
    let date = seen.header("x-amz-date").ok_or("there is no date")?;
    if scope != format!("{}/{region}/{service}/aws4_request", &date[..8]) {
        return Err(format!("it is signed for {scope}"));
    }
    let (path, query) = seen.path.split_once('?').unwrap_or((&seen.path, ""));
    let mut query: Vec<&str> = query.split('&').filter(|pair| !pair.is_empty()).collect();
    query.sort_unstable();
    let names = signed_headers(seen);
    let mut headers = String::new();
    for name in &names {
        let values: Vec<&str> = seen.headers.all(name).map(str::trim).collect();
        let _ = writeln!(headers, "{name}:{}", values.join(","));
    }
    let body = hex(&Sha256::digest(&seen.body));
    let canonical =
        format!("{}\n{}\n{}\n{headers}\n{}\n{body}", seen.method, encoded(path), query.join("&"), names.join(";"));
    let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex(&Sha256::digest(&canonical)));
    let mut key = format!("AWS4{secret}").into_bytes();
    for step in [&date[..8], region, service, "aws4_request", &to_sign] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        mac.update(step.as_bytes());
        key = mac.finalize().into_bytes().to_vec();
    }
    if hex(&key) == signature { Ok(()) } else { Err(format!("the signature is not of\n{canonical}")) }
}

/// The names of the headers that a signature is of.
pub fn signed_headers(seen: &Seen) -> Vec<String> {
    let authorization = seen.header("authorization").unwrap_or_default();
    let names = authorization.split_once("SignedHeaders=").map_or("", |(_, rest)| rest.split(',').next().unwrap_or(""));
    names.split(';').map(str::to_owned).collect()
}

/// A path, encoded once more than it was sent.
fn encoded(path: &str) -> String {
    let mut text = String::new();
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => text.push(byte.into()),
            byte => drop(write!(text, "%{byte:02X}")),
        }
    }
    text
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
