//! A service account of Google's as its key file has it: a key of the tests' own, which opens nothing.

use serde_json::{Value, json};

/// The private key (RSA, PKCS #8).
pub const SERVICE_ACCOUNT_KEY: &str = include_str!("service_account.pem");
/// Whose it is.
pub const SERVICE_ACCOUNT: &str = "tests@example.iam.gserviceaccount.com";

/// A key file whose tokens are minted at this address.
pub fn key_file(token_url: &str) -> Value {
    json!({
        "type": "service_account", "project_id": "example", "private_key_id": "key-1",
        "private_key": SERVICE_ACCOUNT_KEY, "client_email": SERVICE_ACCOUNT, "token_uri": token_url,
    })
}
