//! The secrets of one authorization request: `state`, and the verifier of RFC 7636.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::LoginError;

/// As many as the vendors' own programs take. RFC 7636 (section 4.1) allows 32 to 96.
const VERIFIER_BYTES: usize = 64;
/// 256 bits: nobody guesses it.
const STATE_BYTES: usize = 32;

/// Proof that who exchanges the code is who asked for it.
pub(super) struct Pkce {
    /// Shown at the exchange.
    pub verifier: String,
    /// Shown at the authorization: the verifier's SHA-256.
    pub challenge: String,
}

impl Pkce {
    pub(super) fn new() -> Result<Self, LoginError> {
        let verifier = random::<VERIFIER_BYTES>()?;
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&verifier));
        Ok(Pkce { verifier, challenge })
    }
}

/// What the browser has to bring back.
pub(super) fn state() -> Result<String, LoginError> {
    random::<STATE_BYTES>()
}

fn random<const N: usize>() -> Result<String, LoginError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| LoginError::NoRandomness(error.to_string()))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verifier_has_86_characters_and_is_never_the_same() {
        let (one, other) = (Pkce::new().unwrap(), Pkce::new().unwrap());
        assert_eq!((one.verifier.len(), one.challenge.len()), (86, 43));
        assert_ne!(one.verifier, other.verifier);
        assert_eq!(state().unwrap().len(), 43);
    }

    #[test]
    fn the_challenge_is_that_of_rfc_7636_appendix_b() {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"));
        assert_eq!(challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }
}
