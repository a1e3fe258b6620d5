//! TLS for the upstream that speaks HTTP/2: a certificate authority made at run time, and clients that trust it.
//! Called by the upstream, the floor and the load generator. The keys live as long as the process.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};

/// A server's configuration for `127.0.0.1` and `localhost` that speaks HTTP/2 only, so that a client that did
/// not ask for it fails instead of being measured over HTTP/1. The authority's certificate is written to `ca` (PEM).
pub fn server(ca: &Path) -> Result<Arc<ServerConfig>> {
    let issuer = authority()?;
    std::fs::write(ca, issuer.pem()).with_context(|| format!("write {}", ca.display()))?;

    let key = KeyPair::generate()?;
    let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
    let certificate = CertificateParams::new(names)?.signed_by(&key, &issuer)?;
    let chain = vec![certificate.der().clone(), issuer.der().clone()];
    let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(anyhow::Error::msg)?;

    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Arc::new(config))
}

/// A client's configuration that trusts the authority in `ca` (PEM) and nobody else. ALPN is the caller's.
pub fn client(ca: &Path) -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for certificate in
        CertificateDer::pem_file_iter(ca).with_context(|| format!("read the CA certificate {}", ca.display()))?
    {
        roots.add(certificate?)?;
    }
    Ok(ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

/// The same, for HTTP/2 and nothing else.
pub fn client_http2(ca: &Path) -> Result<Arc<ClientConfig>> {
    let mut config = client(ca)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Arc::new(config))
}

fn authority() -> Result<CertifiedIssuer<'static, KeyPair>> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "bitrouter-bench authority");
    Ok(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?)
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
