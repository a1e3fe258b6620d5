//! Fetching components: from a file, an `https` URL or an OCI registry. What comes is bounded, and a digest that was given is
//! held against it; whether it is accepted is decided elsewhere.

mod oci;
mod reference;
mod registry_login;
mod web;

use std::path::{Path, PathBuf};

use bitrouter_plugin::compile::MAX_COMPONENT;
use bitrouter_plugin::trust::Entry;
use bitrouter_plugin::trust::signature::{ENDING, Signed};
use bitrouter_plugin::{Digest, file};
use url::Url;

use reference::Reference;
use web::Web;

/// The largest signature that is fetched, in bytes.
const SIGNATURE: u64 = 16 << 10;

/// Where a component is to be had.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// A file of this machine.
    File(PathBuf),
    /// A URL, without its fragment.
    Web(Url),
    /// An image of an OCI registry.
    Oci(Reference),
}

/// What was fetched.
pub(super) struct Fetched {
    /// The component, or a description without one.
    pub bytes: Vec<u8>,
    /// Where it came from, as `plugins.lock` has it: an image with the digest of its manifest.
    pub source: String,
    /// What a file of it is called.
    pub name: String,
    /// The signature that was there beside it.
    pub signature: Option<Signed>,
}

/// Why nothing was fetched, each as a sentence with the next step.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    /// The text names no source.
    #[error("`{text}` {why}")]
    NotASource { text: String, why: String },
    /// A file cannot be read.
    #[error("{} cannot be read: {error}", file.display())]
    File { file: PathBuf, error: std::io::Error },
    /// The other side did not give it.
    #[error("{place}: {why}")]
    Refused { place: String, why: String },
    /// What came is not what its digest says.
    #[error(
        "{place}: what came has the digest sha256:{is}, not sha256:{wanted}. Somebody has changed it, or the digest is of another file"
    )]
    Digest { place: String, wanted: String, is: String },
}

impl FetchError {
    fn refused(place: impl ToString, why: impl Into<String>) -> Self {
        FetchError::Refused { place: place.to_string(), why: why.into() }
    }
}

impl Source {
    /// What a text names, and the digest that its fragment gives: `https://…#sha256=…`.
    pub(super) fn read(text: &str) -> Result<(Self, Option<String>), FetchError> {
        let wrong = |why: &str| FetchError::NotASource { text: text.to_owned(), why: why.to_owned() };
        if let Some(image) = text.strip_prefix("oci://") {
            let reference = Reference::read(image).map_err(|why| wrong(&why))?;
            return Ok((Source::Oci(reference), None));
        }
        if !text.contains("://") {
            return Ok((Source::File(text.into()), None));
        }
        let mut url = Url::parse(text).map_err(|error| wrong(&format!("is no URL: {error}")))?;
        web::check(&url).map_err(|why| wrong(&why))?;
        let digest = match url.fragment().map(|fragment| fragment.strip_prefix("sha256=")) {
            None => None,
            Some(Some(digest)) => Some(digest_of(digest).map_err(|why| wrong(&why))?),
            Some(None) => return Err(wrong("has a fragment that is no digest: write it as #sha256=HEX")),
        };
        url.set_fragment(None);
        Ok((Source::Web(url), digest))
    }

    /// Whether it may have something newer: not where its digest is all that names it, nor where it is a file.
    pub(super) fn moves(&self) -> bool {
        match self {
            Source::File(_) => false,
            Source::Web(_) => true,
            Source::Oci(reference) => reference.tag.is_some(),
        }
    }

    /// The same as it is now, whatever digest it had when it was accepted.
    pub(super) fn newest(self) -> Self {
        match self {
            Source::Oci(reference) if reference.tag.is_some() => Source::Oci(Reference { digest: None, ..reference }),
            other => other,
        }
    }

    /// Fetches it, and what lies beside it as a signature.
    pub(super) async fn fetch(&self) -> Result<Fetched, FetchError> {
        match self {
            Source::File(file) => of_file(file),
            Source::Web(url) => of_url(url).await,
            Source::Oci(reference) => oci::fetch(&Web::new(), reference).await,
        }
    }
}

impl Fetched {
    /// Holds a digest against what came.
    pub(super) fn check(&self, wanted: &str) -> Result<(), FetchError> {
        let is = Digest::of(&self.bytes);
        match is.as_str() == wanted {
            true => Ok(()),
            false => Err(FetchError::Digest {
                place: self.source.clone(),
                wanted: wanted.to_owned(),
                is: is.as_str().to_owned(),
            }),
        }
    }
}

/// A SHA-256 as people write it, with or without `sha256:` before it, in lower case.
///
/// # Errors
///
/// It is none; as the end of a sentence.
pub(super) fn digest_of(text: &str) -> Result<String, String> {
    let hex = text.trim().trim_start_matches("sha256:").to_ascii_lowercase();
    match hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        true => Ok(hex),
        false => Err("is no SHA-256: that is 64 digits of 0 to 9 and a to f".to_owned()),
    }
}

fn of_file(path: &Path) -> Result<Fetched, FetchError> {
    let bytes =
        file::read(path, MAX_COMPONENT as u64).map_err(|error| FetchError::File { file: path.to_owned(), error })?;
    let signature = bitrouter_plugin::trust::signature::of_file(path).ok();
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Fetched { bytes, source: Entry::source_of(path), name, signature })
}

async fn of_url(url: &Url) -> Result<Fetched, FetchError> {
    let web = Web::new();
    let bytes = web.get(url, "application/wasm, application/json, */*", None, MAX_COMPONENT as u64).await?.body()?;
    let mut beside = url.clone();
    beside.set_path(&format!("{}.{ENDING}", url.path()));
    // Most have none; what answers in its place, such as a page, is no signature.
    let signature = web.get(&beside, "*/*", None, SIGNATURE).await.and_then(web::Got::body).ok();
    let signature = signature.and_then(|text| Signed::read(&String::from_utf8_lossy(&text)).ok());
    let name = url.path_segments().and_then(|mut segments| segments.next_back()).unwrap_or_default().to_owned();
    Ok(Fetched { bytes, source: url.to_string(), name, signature })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_a_file_a_url_or_an_image_and_nothing_that_goes_in_the_clear() {
        for text in ["acme.wasm", "./a/acme.json", "/p/acme.wasm"] {
            assert!(matches!(Source::read(text), Ok((Source::File(_), None))), "{text}");
        }
        let digest = "0".repeat(64);
        let (source, given) = Source::read(&format!("https://host.example/a.wasm#sha256={digest}")).unwrap();
        assert!(matches!(source, Source::Web(url) if url.as_str() == "https://host.example/a.wasm"));
        assert_eq!(given, Some(digest));
        assert!(Source::read("http://127.0.0.1:9/a.wasm").is_ok() && Source::read("oci://localhost:5000/a:1").is_ok());
        for (text, why) in [
            ("http://host.example/a.wasm", "without TLS"),
            ("http://10.0.0.1/a.wasm", "without TLS"),
            ("ftp://host.example/a.wasm", "neither https"),
            ("https://me:secret@host.example/a.wasm", "name or password"),
            ("https://host.example/a.wasm#part", "no digest"),
            ("https://host.example/a.wasm#sha256=12", "64 digits"),
            ("oci://acme", "registry"),
        ] {
            let error = Source::read(text).unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn only_what_a_name_leads_to_may_have_something_newer() {
        let moves = |text: &str| Source::read(text).unwrap().0.moves();
        let digest = "0".repeat(64);
        assert!(moves("https://host.example/a.wasm") && moves("oci://host.example/a:1"));
        assert!(moves(&format!("oci://host.example/a:1@sha256:{digest}")));
        assert!(!moves(&format!("oci://host.example/a@sha256:{digest}")) && !moves("a.wasm"));
    }
}
