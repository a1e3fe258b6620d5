//! Signing requests as AWS has it (Signature Version 4), by the crate of AWS's own SDK.
//!
//! The pipeline has it done last, over what is sent: the path as it goes up, encoded once more, the query, and the digest of
//! the very body. The secret key never leaves this room.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use bitrouter_contract::description::AWS_HEADERS;
use bitrouter_files::Timestamp;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Request, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use super::attach::{AttachError, check_copied, check_secret};

/// How far a clock may be off before AWS refuses what it signs: five minutes, less some.
const TOLERATED: u64 = 240;

/// A request that cannot be signed, with what the signer says. None of it is secret.
#[derive(Clone, Debug, Error)]
#[error("the request cannot be signed: {0}")]
pub struct SignError(String);

/// The keys of one account, and what its signatures name.
pub(super) struct Signer {
    credentials: Credentials,
    service: String,
    region: String,
    /// What the system's clock is behind by, in seconds.
    behind: AtomicI64,
}

impl Signer {
    /// Checks the keys; the session token may be missing.
    pub(super) fn new(
        [access_key_id, secret_access_key]: [&SecretString; 2],
        session_token: Option<&SecretString>,
        service: &str,
        region: &str,
    ) -> Result<Self, AttachError> {
        for secret in [access_key_id, secret_access_key].into_iter().chain(session_token) {
            check_secret(secret.expose_secret())?;
            check_copied(secret.expose_secret(), false)?;
        }
        let credentials = Credentials::new(
            access_key_id.expose_secret(),
            secret_access_key.expose_secret(),
            session_token.map(|token| token.expose_secret().to_owned()),
            None,
            "bitrouter",
        );
        let behind = AtomicI64::new(0);
        Ok(Signer { credentials, service: service.to_owned(), region: region.to_owned(), behind })
    }

    /// Signs a request whose body is these pieces. Nothing of it may change afterwards.
    pub(super) fn sign<B>(
        &self,
        request: &mut Request<B>,
        body: impl IntoIterator<Item = Bytes>,
    ) -> Result<(), SignError> {
        let behind = self.behind.load(Ordering::Relaxed);
        let shift = Duration::from_secs(behind.unsigned_abs());
        let now = if behind < 0 { SystemTime::now() - shift } else { SystemTime::now() + shift };
        self.sign_at(request, body, now, SigningSettings::default(), is_signed)
    }

    fn sign_at<B>(
        &self,
        request: &mut Request<B>,
        body: impl IntoIterator<Item = Bytes>,
        now: SystemTime,
        settings: SigningSettings,
        is_signed: fn(&HeaderName) -> bool,
    ) -> Result<(), SignError> {
        AWS_HEADERS.iter().for_each(|name| drop(request.headers_mut().remove(*name)));
        let mut digest = Sha256::new();
        body.into_iter().for_each(|piece| digest.update(&piece));
        let digest = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        let failed = |error: &dyn fmt::Display| SignError(error.to_string());
        let identity = self.credentials.clone().into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(&self.service)
            .time(now)
            .settings(settings)
            .build()
            .map_err(|error| failed(&error))?;
        let headers = request.headers().iter().filter(|(name, _)| is_signed(name));
        let headers = headers.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        let (method, uri) = (request.method().as_str(), request.uri().to_string());
        let signable = SignableRequest::new(method, uri, headers, SignableBody::Precomputed(digest));
        let signable = signable.map_err(|error| failed(&error))?;
        let (instructions, _) = sign(signable, &params.into()).map_err(|error| failed(&error))?.into_parts();
        for header in instructions.into_parts().0 {
            let mut value = HeaderValue::from_str(header.value()).map_err(|error| failed(&error))?;
            value.set_sensitive(true);
            request.headers_mut().insert(header.name(), value);
        }
        Ok(())
    }

    /// After a refusal: whether the answer's date says that this machine's clock was why. Then signatures go by that date from
    /// here on, and the request may be sent once more. Answers by how many seconds the clock was off.
    pub(super) fn set_right(&self, status: StatusCode, date: Timestamp) -> Option<i64> {
        let refused = matches!(status, StatusCode::FORBIDDEN | StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED);
        let behind = date.unix().saturating_sub(Timestamp::now().unix());
        let off = behind.saturating_sub(self.behind.load(Ordering::Relaxed));
        if !refused || off.unsigned_abs() <= TOLERATED {
            return None;
        }
        self.behind.store(behind, Ordering::Relaxed);
        Some(behind)
    }
}

/// What intermediaries leave alone. The host is signed by itself.
fn is_signed(name: &HeaderName) -> bool {
    *name == CONTENT_TYPE || name.as_str().starts_with("x-amz-")
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("service", &self.service).field("region", &self.region).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
