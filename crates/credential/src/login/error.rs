//! Why a login failed: each a sentence with its next step, and no secret in any of them.

use bitrouter_contract::JoinError;
use thiserror::Error;

use crate::issuer::IssuerError;

/// The most that is shown of what an issuer says, in characters.
const LONGEST_SHOWN: usize = 300;

/// Why a login failed.
#[derive(Debug, Error)]
pub enum LoginError {
    /// The issuer was not reached, or refused.
    #[error(transparent)]
    Issuer(#[from] IssuerError),
    /// A path of the description does not fit its origin.
    #[error("the description's paths cannot be used: {0}")]
    Path(#[from] JoinError),
    /// An address of the description's is none.
    #[error("the description's addresses cannot be used: {0}")]
    Address(String),
    /// All the ports that the issuer knows are in use.
    #[error("{} in use, often by another login that still waits: end that one, or log in another way", Ports(.ports))]
    PortsBusy {
        /// The ports.
        ports: Vec<u16>,
    },
    /// The listener cannot be opened at all.
    #[error("no connection from the browser can be taken: {0}")]
    Listen(std::io::Error),
    /// Another program asked for the port.
    #[error("cancelled: another program asked for port {port} to log in itself. Run it again, or log in another way")]
    Cancelled {
        /// The port.
        port: u16,
    },
    /// The issuer said no in the browser.
    #[error("the login was refused: {error}{}", Because(.description))]
    Refused {
        /// The issuer's word for it.
        error: String,
        /// What it says for people.
        description: Option<String>,
    },
    /// There is nothing more to read, and nothing else brings the code.
    #[error("nothing was pasted that holds a code. Run it again, and paste the address that the browser ended at")]
    NothingPasted,
    /// The device login is not there.
    #[error(
        "logging in with a device code is not enabled for this account, or not offered by {issuer}. Log in another way"
    )]
    DeviceNotEnabled {
        /// The issuer's origin.
        issuer: String,
    },
    /// Nobody entered the code in time.
    #[error("the code was not entered within {minutes} minutes. Run it again for a new one")]
    DeviceExpired {
        /// How long it was good.
        minutes: u64,
    },
    /// An answer of the issuer's lacks what it must have.
    #[error("{issuer} answered without `{missing}`, which a login needs. Log in another way")]
    Incomplete {
        /// The issuer's origin.
        issuer: String,
        /// The member.
        missing: &'static str,
    },
}

impl LoginError {
    pub(super) fn address(error: oauth2::url::ParseError) -> Self {
        LoginError::Address(error.to_string())
    }

    /// A refusal in the issuer's words, made fit to be shown.
    pub(super) fn refused(error: &str, description: Option<&str>) -> Self {
        LoginError::Refused { error: shown(error), description: description.map(shown) }
    }
}

/// One line of a length that a terminal takes, without anything that it obeys.
fn shown(text: &str) -> String {
    let text: String = text.chars().take(LONGEST_SHOWN).collect();
    text.replace(char::is_control, " ")
}

struct Ports<'p>(&'p [u16]);

impl std::fmt::Display for Ports<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ports: Vec<String> = self.0.iter().map(u16::to_string).collect();
        match self.0 {
            [_] => write!(f, "port {} is", ports.join(", ")),
            _ => write!(f, "the ports {} are", ports.join(", ")),
        }
    }
}

struct Because<'b>(&'b Option<String>);

impl std::fmt::Display for Because<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.as_ref().map_or(Ok(()), |description| write!(f, " ({description})"))
    }
}
