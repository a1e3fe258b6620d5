//! Signatures of components, in minisign's form (Ed25519): a file beside the component's, with `.minisig` behind its name.
//!
//! Optional: a signature says who built a component, never what it may do. Its user still accepts that.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use minisign_verify::{PublicKey, Signature};

/// What a signature's file ends with.
pub const ENDING: &str = "minisig";
/// The longest one that is read: two lines of base64 and two comments.
const LONGEST: u64 = 16 << 10;

/// The public keys that the user trusts, by the name that the user gave them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signers(pub BTreeMap<String, String>);

impl Signers {
    /// What a key is called: its name where the user gave it one, else the key itself.
    pub fn name<'k>(&'k self, key: &'k str) -> &'k str {
        self.0.iter().find(|(_, known)| *known == key).map_or(key, |(name, _)| name)
    }

    /// The one of these keys that signed these bytes.
    pub fn that_signed(&self, signature: &Signed, bytes: &[u8]) -> Option<&str> {
        self.0.values().find(|key| signature.verify_by(key, bytes).is_ok()).map(String::as_str)
    }
}

/// A signature that was read, of whomever.
#[derive(Clone, Debug)]
pub struct Signed(String);

impl Signed {
    /// Reads one.
    ///
    /// # Errors
    ///
    /// It is none; as the end of a sentence.
    pub fn read(text: &str) -> Result<Self, String> {
        Signature::decode(text).map_err(|error| format!("its signature is none ({error})"))?;
        Ok(Signed(text.to_owned()))
    }

    /// As it stands in its file.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The signed comment, which may say what was signed.
    pub fn comment(&self) -> String {
        Signature::decode(&self.0).map(|signature| signature.trusted_comment().to_owned()).unwrap_or_default()
    }

    /// Whether this key made it of these bytes.
    ///
    /// # Errors
    ///
    /// It did not, or is no key; as the end of a sentence.
    pub fn verify_by(&self, key: &str, bytes: &[u8]) -> Result<(), String> {
        let key = public_key(key)?;
        let signature = Signature::decode(&self.0).map_err(|error| format!("its signature is none ({error})"))?;
        key.verify(bytes, &signature, true)
            .map_err(|_| "its signature is not by that key, or not of this build".to_owned())
    }
}

/// Whether a text is a public key, as `minisign -G` prints it: `RW…`.
///
/// # Errors
///
/// It is none; as the end of a sentence.
pub fn public_key(text: &str) -> Result<PublicKey, String> {
    PublicKey::from_base64(text.trim()).map_err(|_| "is no public key of minisign, which begins with RW".to_owned())
}

/// Where the signature of a file is.
pub fn beside(file: &Path) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(ENDING);
    file.with_file_name(name)
}

/// The signature beside a file.
///
/// # Errors
///
/// There is none that can be read; as the end of a sentence.
pub fn of_file(file: &Path) -> Result<Signed, String> {
    let place = beside(file);
    let bytes = crate::file::read(&place, LONGEST).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => format!("there is no {}", place.display()),
        _ => format!("{} cannot be read: {error}", place.display()),
    })?;
    Signed::read(&String::from_utf8_lossy(&bytes))
}
