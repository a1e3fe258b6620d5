//! What TLS trusts: the platform's roots, or the file that `SSL_CERT_FILE` names.

use std::sync::Arc;

use memchr::memmem;
use rustls::{ClientConfig, RootCertStore};

use super::proxy::{Env, SettingError};

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

/// Checks the variables that say whom to trust: what cannot be read would be missed only by the first request.
pub(super) fn check(env: Env<'_>) -> Result<(), SettingError> {
    let refuse = |variable, problem| Err(SettingError { variable, problem });
    if let Some(file) = env("SSL_CERT_FILE") {
        let shown = file.display();
        match std::fs::read(&file) {
            Err(error) => return refuse("SSL_CERT_FILE", format!("names `{shown}`, which cannot be read: {error}")),
            Ok(text) if memmem::find(&text, b"-----BEGIN CERTIFICATE-----").is_none() => {
                let problem = format!("names `{shown}`, in which there is no certificate: a PEM file is expected");
                return refuse("SSL_CERT_FILE", problem);
            }
            Ok(_) => {}
        }
    }
    match env("SSL_CERT_DIR") {
        Some(folders) if !folders.is_empty() && !std::env::split_paths(&folders).any(|folder| folder.is_dir()) => {
            refuse("SSL_CERT_DIR", format!("names `{}`, which is no folder", folders.display()))
        }
        _ => Ok(()),
    }
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

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    #[test]
    fn whom_to_trust_is_checked_before_it_is_needed() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let pem = file("ca.pem", "# ours\n-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n");
        let der = file("ca.der", "0\u{3}");
        let here = folder.path().display().to_string();
        let said = |variable: &str, value: &str| {
            let set = |name: &str| (name == variable).then(|| OsString::from(value));
            check(&set).map_err(|error| error.to_string())
        };
        assert_eq!(said("SSL_CERT_FILE", &pem), Ok(()));
        let folders = std::env::join_paths(["/not/there", &here]).unwrap();
        assert_eq!(said("SSL_CERT_DIR", folders.to_str().unwrap()), Ok(()));
        assert_eq!(said("SSL_CERT_DIR", ""), Ok(()));
        for (variable, value, problem) in [
            ("SSL_CERT_FILE", "/not/there.pem", "cannot be read"),
            ("SSL_CERT_FILE", "", "cannot be read"),
            ("SSL_CERT_FILE", &here, "cannot be read"),
            ("SSL_CERT_FILE", &der, "a PEM file is expected"),
            ("SSL_CERT_DIR", &pem, "is no folder"),
            ("SSL_CERT_DIR", "/not/there", "is no folder"),
        ] {
            let said = said(variable, value).unwrap_err();
            assert!(said.starts_with(&format!("{variable} names `{value}`")) && said.contains(problem), "{said}");
        }
    }
}
