//! Images of OCI registries in the layout of the WebAssembly community, which `wkg` writes: a manifest whose config is
//! `application/vnd.wasm.config.v0+json` and whose one layer is the component.
//!
//! A small client of our own: three kinds of GET over the way that all requests go, with its proxies and certificates.

use bitrouter_plugin::Digest;
use bitrouter_plugin::compile::MAX_COMPONENT;
use bitrouter_plugin::trust::signature::Signed;
use http::header::WWW_AUTHENTICATE;
use http::{HeaderValue, StatusCode};
use serde::Deserialize;
use url::Url;

use super::reference::Reference;
use super::registry_login;
use super::web::{Got, Web};
use super::{FetchError, Fetched, SIGNATURE};

/// The layer that is a component.
const WASM_LAYER: &str = "application/wasm";
/// One that is a description without a component.
const DESCRIPTION_LAYER: &str = "application/json";
/// What a signature says it is, as a manifest that refers to the component's.
const MINISIGN: &str = "application/vnd.minisign";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// The largest manifest that is read.
const LARGEST_MANIFEST: u64 = 1 << 20;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    #[serde(default)]
    media_type: Option<String>,
    #[serde(default)]
    layers: Vec<Part>,
    /// Of an index.
    #[serde(default)]
    manifests: Vec<Part>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    #[serde(default)]
    media_type: String,
    #[serde(default)]
    artifact_type: Option<String>,
    digest: String,
    #[serde(default)]
    size: u64,
}

/// One registry, and what it was shown of who asks.
struct Registry<'a> {
    web: &'a Web,
    of: &'a Reference,
    credential: Option<HeaderValue>,
}

/// Fetches an image's component; its source has the digest of the manifest that was found.
pub(super) async fn fetch(web: &Web, reference: &Reference) -> Result<Fetched, FetchError> {
    let mut registry = Registry { web, of: reference, credential: None };
    let manifest = registry.get(&format!("manifests/{}", reference.wanted()), MANIFEST, LARGEST_MANIFEST).await?;
    let digest = Digest::of(&manifest).as_str().to_owned();
    if let Some(wanted) = reference.digest.as_ref().filter(|wanted| **wanted != digest) {
        return Err(FetchError::Digest { place: reference.to_string(), wanted: wanted.clone(), is: digest });
    }
    let found = Reference { digest: Some(digest.clone()), ..reference.clone() };
    let layer = the_layer(reference, &manifest)?;
    let bytes = registry.blob(&layer, MAX_COMPONENT as u64).await?;
    let signature = registry.signature(&digest).await;
    let ending = if layer.media_type == DESCRIPTION_LAYER { "json" } else { "wasm" };
    Ok(Fetched { bytes, source: found.to_string(), name: format!("{}.{ending}", reference.last()), signature })
}

/// The component among an image's layers.
fn the_layer(of: &Reference, manifest: &[u8]) -> Result<Part, FetchError> {
    let refused = |why: String| FetchError::refused(of, why);
    let manifest: Manifest =
        serde_json::from_slice(manifest).map_err(|error| refused(format!("its manifest is none: {error}")))?;
    if !manifest.manifests.is_empty() || manifest.media_type.as_deref() == Some(INDEX) {
        return Err(refused("it is a list of several images. Name one of them by its digest".into()));
    }
    let all = manifest.layers.len();
    let is_ours = |part: &Part| [WASM_LAYER, DESCRIPTION_LAYER].contains(&part.media_type.as_str());
    let mut layers = manifest.layers.into_iter().filter(is_ours);
    match (layers.next(), layers.next()) {
        (Some(layer), None) => Ok(layer),
        (None, _) => Err(refused(format!(
            "none of its {all} layers is {WASM_LAYER}: it is no component. One is pushed with: wkg oci push"
        ))),
        (Some(_), Some(_)) => Err(refused("it has more than one component".into())),
    }
}

impl Registry<'_> {
    /// Asks for something of the image's repository; where the registry wants to know who asks, it is shown.
    async fn get(&mut self, path: &str, accept: &str, most: u64) -> Result<Vec<u8>, FetchError> {
        let text = format!("{}/{path}", self.of.base());
        let url = Url::parse(&text).map_err(|error| FetchError::refused(self.of, error.to_string()))?;
        let got = self.web.get(&url, accept, self.credential.as_ref(), most).await?;
        if got.status != StatusCode::UNAUTHORIZED || self.credential.is_some() {
            return got.body();
        }
        self.credential = Some(registry_login::answer(self.web, self.of, &challenge(&got)).await?);
        self.web.get(&url, accept, self.credential.as_ref(), most).await?.body()
    }

    /// A blob, held against its digest and its length.
    async fn blob(&mut self, part: &Part, most: u64) -> Result<Vec<u8>, FetchError> {
        if part.size > most {
            return Err(FetchError::refused(self.of, format!("it has {} bytes; the limit is {most}", part.size)));
        }
        let wanted = super::digest_of(&part.digest)
            .map_err(|why| FetchError::refused(self.of, format!("the digest of its layer {why}")))?;
        let bytes = self.get(&format!("blobs/sha256:{wanted}"), "*/*", most).await?;
        let is = Digest::of(&bytes);
        match is.as_str() == wanted {
            true => Ok(bytes),
            false => Err(FetchError::Digest { place: self.of.to_string(), wanted, is: is.as_str().to_owned() }),
        }
    }

    /// The signature that refers to a manifest, where the registry has one.
    async fn signature(&mut self, of: &str) -> Option<Signed> {
        let path = format!("referrers/sha256:{of}?artifactType={MINISIGN}");
        let index = self.get(&path, INDEX, LARGEST_MANIFEST).await.ok()?;
        let index: Manifest = serde_json::from_slice(&index).ok()?;
        let entry = index.manifests.into_iter().find(|part| part.artifact_type.as_deref() == Some(MINISIGN))?;
        let digest = super::digest_of(&entry.digest).ok()?;
        let manifest = self.get(&format!("manifests/sha256:{digest}"), MANIFEST, LARGEST_MANIFEST).await.ok()?;
        let manifest: Manifest = serde_json::from_slice(&manifest).ok()?;
        let text = self.blob(manifest.layers.first()?, SIGNATURE).await.ok()?;
        Signed::read(&String::from_utf8_lossy(&text)).ok()
    }
}

fn challenge(got: &Got) -> String {
    let challenge = got.headers.get(WWW_AUTHENTICATE).and_then(|challenge| challenge.to_str().ok());
    challenge.unwrap_or_default().to_owned()
}
