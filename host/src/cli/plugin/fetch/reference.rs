//! The name of an image: `registry/name[:tag][@sha256:digest]`.

use std::fmt;

use bitrouter_contract::is_loopback;
use url::Url;

use super::digest_of;

/// Where an image is, and which it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Reference {
    /// The registry's host, with its port where it has one.
    pub registry: String,
    /// The repository there.
    pub name: String,
    /// What it is called; `latest` where neither a tag nor a digest is given.
    pub tag: Option<String>,
    /// SHA-256 of its manifest, in hex.
    pub digest: Option<String>,
}

impl Reference {
    /// Reads one, without `oci://`.
    ///
    /// # Errors
    ///
    /// It is none; as the end of a sentence.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let (text, digest) = match text.split_once('@') {
            Some((text, digest)) => (text, Some(digest_of(digest)?)),
            None => (text, None),
        };
        let names_no_registry = || "names no registry: write oci://registry.example/name:tag".to_owned();
        let (registry, path) = text.split_once('/').ok_or_else(names_no_registry)?;
        if !(registry.contains(['.', ':']) || registry == "localhost") || !is_authority(registry) {
            return Err(names_no_registry());
        }
        let (name, tag) = match path.rsplit_once(':') {
            Some((name, tag)) => (name, Some(tag)),
            None => (path, None),
        };
        let is_word = |word: &str| {
            !word.is_empty()
                && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
                && !word.starts_with(['.', '-'])
        };
        if name.len() > 255 || !name.split('/').all(|part| is_word(part) && part == part.to_ascii_lowercase()) {
            return Err("names no repository: its parts are a to z, 0 to 9, `.`, `_` and `-`".into());
        }
        if tag.is_some_and(|tag| !is_word(tag) || tag.len() > 128) {
            return Err("has a tag that is none: letters, digits, `.`, `_` and `-`".into());
        }
        let tag = tag.or(if digest.is_none() { Some("latest") } else { None });
        Ok(Reference {
            registry: registry.to_ascii_lowercase(),
            name: name.to_owned(),
            tag: tag.map(str::to_owned),
            digest,
        })
    }

    /// What a registry is asked for: the digest where it is known.
    pub(super) fn wanted(&self) -> String {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => format!("sha256:{digest}"),
            (None, Some(tag)) => tag.clone(),
            (None, None) => "latest".into(),
        }
    }

    /// The host that answers for the registry: Docker's has another name.
    pub(super) fn host(&self) -> &str {
        if self.registry == "docker.io" { "registry-1.docker.io" } else { &self.registry }
    }

    /// Its base URL: without TLS only on this machine.
    pub(super) fn base(&self) -> String {
        let host = self.host();
        let scheme = if is_loopback(without_port(host)) { "http" } else { "https" };
        format!("{scheme}://{host}/v2/{}", self.name)
    }

    /// Its last part, which a file of it is called by.
    pub(super) fn last(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or(&self.name)
    }
}

/// Whether a text is a host, and a port where it has one, as a URL has it: one that a URL would write otherwise is none.
fn is_authority(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let url = Url::parse(&format!("https://{lower}/"));
    url.is_ok_and(|url| url.host_str() == Some(without_port(&lower)) && url.username().is_empty() && url.path() == "/")
}

/// The host of a host and its port.
pub(super) fn without_port(text: &str) -> &str {
    match text.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => text,
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "oci://{}/{}", self.registry, self.name)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@sha256:{digest}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_read_and_written_as_it_was() {
        let digest = "a".repeat(64);
        for (text, base) in [
            ("ghcr.io/acme/provider:1.2".to_owned(), "https://ghcr.io/v2/acme/provider"),
            (format!("ghcr.io/acme/provider@sha256:{digest}"), "https://ghcr.io/v2/acme/provider"),
            (format!("localhost:5000/a:1@sha256:{digest}"), "http://localhost:5000/v2/a"),
            ("127.0.0.1:5000/a_b/c:x".to_owned(), "http://127.0.0.1:5000/v2/a_b/c"),
            ("[::1]:5000/a:1".to_owned(), "http://[::1]:5000/v2/a"),
            ("docker.io/acme/x:1".to_owned(), "https://registry-1.docker.io/v2/acme/x"),
        ] {
            let reference = Reference::read(&text).unwrap();
            assert_eq!((reference.to_string(), reference.base().as_str()), (format!("oci://{text}"), base));
        }
        assert_eq!(Reference::read("ghcr.io/a").unwrap().to_string(), "oci://ghcr.io/a:latest");
        for text in [
            "acme",
            "acme/provider",
            "me@ghcr.io/a",
            "ghcr.io/",
            "ghcr.io/A",
            "ghcr.io/a/../b",
            "ghcr.io/a?x",
            "ghcr.io/a:b/c",
            "ghcr.io/a:",
            "ghcr.io/a@sha256:12",
            "ghcr.io/a b",
            "ghcr.io/a%2fb",
            "0x7f.1/a",
            "ghcr.io:99999/a",
            "ghcr.io%2f/a",
        ] {
            assert!(Reference::read(text).is_err(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_taken_for_a_reference_names_its_registry_alone(text in "[a-z0-9./:@_%?#\\\\ -]{0,40}") {
            if let Ok(reference) = Reference::read(&text) {
                let url = url::Url::parse(&format!("{}/manifests/{}", reference.base(), reference.wanted())).unwrap();
                proptest::prop_assert_eq!(url.host_str().unwrap(), without_port(reference.host()));
                proptest::prop_assert!(url.path().starts_with(&format!("/v2/{}/", reference.name)), "{url}");
                proptest::prop_assert!(url.query().is_none() && url.fragment().is_none() && url.username().is_empty());
            }
        }
    }
}
