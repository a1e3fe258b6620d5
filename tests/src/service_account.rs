//! A service account of Google's as its key file has it: a key of the tests' own, which opens nothing.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde_json::{Value, json};

/// The private key (RSA, PKCS #8).
pub const SERVICE_ACCOUNT_KEY: &str = include_str!("service_account.pem");
const PUBLIC_KEY: &str = include_str!("service_account.pub.pem");
/// Whose it is.
pub const SERVICE_ACCOUNT: &str = "tests@example.iam.gserviceaccount.com";

/// A key file whose tokens are minted at this address.
pub fn key_file(token_url: &str) -> Value {
    json!({
        "type": "service_account", "project_id": "example", "private_key_id": "key-1",
        "private_key": SERVICE_ACCOUNT_KEY, "client_email": SERVICE_ACCOUNT, "token_uri": token_url,
    })
}

/// Reads an assertion (RFC 7523) once its signature holds; its claims.
pub fn check_assertion(assertion: &str) -> Value {
    let (signed, signature) = assertion.rsplit_once('.').unwrap();
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).unwrap();
    let pem: String = PUBLIC_KEY.lines().filter(|line| !line.starts_with('-')).collect();
    // What stands before the key says that it is one of RSA, with 2048 bits.
    let key = STANDARD.decode(pem).unwrap().split_off(24);
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key);
    key.verify(signed.as_bytes(), &decode(signature)).expect("the signature holds");
    serde_json::from_slice(&decode(signed.split_once('.').unwrap().1)).unwrap()
}
