//! What TLS trusts: the platform's roots, or the file that `SSL_CERT_FILE` names.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};

/// Why no TLS connection can be made.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TlsError {
    /// There is nothing to trust.
    #[error(
        "no root certificates were found{0}. Install the system's ca-certificates, or name a PEM file in SSL_CERT_FILE"
    )]
    NoRoots(String),
    /// The library refused its configuration.
    #[error("TLS could not be set up: {0}")]
    Setup(String),
}

/// Reads the roots. Takes some milliseconds, so it is done once, when the first `https` request is sent.
pub(crate) fn config() -> Result<ClientConfig, TlsError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (added, ignored) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        let why = found.errors.first().map_or(String::new(), |error| format!(" ({error})"));
        return Err(TlsError::NoRoots(why));
    }
    if ignored > 0 {
        tracing::debug!(ignored, "some root certificates are malformed and were left out");
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::Setup(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}
