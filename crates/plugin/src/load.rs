//! From a component's bytes to a `Plugin`: names, machine code, description, links.
//!
//! The registry calls it for each component at start and at a reload, off the request path.

use std::sync::Arc;

use bitrouter_contract::cut::sentence;
use bitrouter_contract::description::family;
use bitrouter_contract::{Description, Invalid, section, validate};
use wasmtime::Engine;
use wasmtime::component::{Component, Linker};

use super::cache::{Cache, Code, Digest};
use super::code::Code as Linked;
use super::compile::{CompileError, Compiler};
use super::contract::{self, NotAProvider};
use super::engine::{REWRITERS, Runtime, SLOTS};
use super::guest_log::GuestLog;
use super::hook;
use super::instance::HookError;
use super::prepare_cache::PrepareCache;
use super::slots::Slots;
use super::{Origin, Plugin, quarantine::Quarantine, wasi};

/// The longest description that is read, in bytes.
const MAX_DESCRIPTION: usize = 1 << 20;

/// Why a component does not load.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It is not a provider component of a version that is understood.
    #[error(transparent)]
    NotAProvider(#[from] NotAProvider),
    /// It does not compile.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// It compiles, and wants more than a component may have.
    #[error("it does not fit this gateway's limits: {0}")]
    Engine(String),
    /// It imports something that the host does not lend, or exports the wrong types.
    #[error("it does not fit the contract: {0}")]
    Link(String),
    /// Its `describe` failed.
    #[error("its describe {0}")]
    Describe(HookError),
    /// What it says of itself when it is asked is not what its file says, which is what its user was shown.
    #[error(
        "its describe does not say what its section `{}` says, so it is not what was shown. Build it anew, or ask its author to",
        section::NAME
    )]
    SaysOtherwise,
    /// Its description is not one.
    #[error("its description is not valid: {0}")]
    Description(#[from] Invalid),
}

/// Everything that loading needs.
#[derive(Clone)]
pub struct Loader {
    runtime: Runtime,
    cache: Cache,
    compiler: Compiler,
    slots: Arc<Slots>,
    rewriters: Arc<Slots>,
}

impl Loader {
    /// A loader that keeps compiled code in `cache`.
    pub fn new(runtime: Runtime, cache: Cache, compiler: Compiler) -> Self {
        Loader {
            runtime,
            cache,
            compiler,
            slots: Slots::new(SLOTS as usize),
            rewriters: Slots::new(REWRITERS as usize),
        }
    }

    /// Whether both load for one engine, so that what one loaded is as good as what the other would.
    pub fn is_the_same_as(&self, other: &Loader) -> bool {
        Engine::same(self.runtime.engine(), other.runtime.engine())
    }

    /// What a component says of itself: by its section or from the cache where it was ever loaded, so usually without
    /// compiling. One of several providers says as many.
    pub async fn describe(&self, bytes: &[u8], digest: &Digest) -> Result<Vec<Description>, LoadError> {
        if let Some(told) = told(bytes)? {
            return Ok(told);
        }
        if let Some(known) = self.cache.description(digest).and_then(|json| descriptions(&json).ok()) {
            return Ok(known);
        }
        Ok(self.component(bytes, digest).await?.0)
    }

    /// Loads a component, or a description without one, with all that it says of itself: whether that is believed is for
    /// the registry to decide. One that describes several providers is as many, of the same code.
    pub async fn load(&self, bytes: &[u8], digest: Digest, origin: Origin) -> Result<Vec<Plugin>, LoadError> {
        let (descriptions, code) = match is_description(bytes) {
            true => (alone(bytes)?, None),
            false => {
                let (descriptions, code) = self.component(bytes, &digest).await?;
                (descriptions, Some(code))
            }
        };
        let plugin = |description| self.plugin(description, digest.clone(), origin.clone(), code.clone());
        Ok(descriptions.into_iter().map(plugin).collect())
    }

    pub(super) fn plugin(
        &self,
        description: Description,
        digest: Digest,
        origin: Origin,
        code: Option<Linked>,
    ) -> Plugin {
        for what in &description.not_understood {
            tracing::warn!(
                provider = description.id,
                what,
                "left out of a component's description: it is not known here"
            );
        }
        let description = Arc::new(description);
        Plugin {
            id: description.id.as_str().into(),
            says: Arc::clone(&description),
            log: GuestLog::new(&description.id),
            description,
            trusted: true,
            notice: None,
            origin,
            digest,
            code,
            runtime: self.runtime.clone(),
            slots: self.slots.share(),
            rewriters: self.rewriters.share(),
            quarantine: Quarantine::default(),
            prepare_cache: PrepareCache::default(),
            most_memory: Default::default(),
        }
    }

    /// The JSON of each description that a file holds, unchecked, and whether the host makes their requests: what an author
    /// wants to have looked at.
    pub async fn says(&self, bytes: &[u8], digest: &Digest) -> Result<(Vec<String>, bool), LoadError> {
        let (text, described) = if is_description(bytes) {
            (String::from_utf8_lossy(bytes).into_owned(), true)
        } else {
            let (code, written) = self.linked(bytes, digest).await?;
            (self.ask(&code, digest, written).await?, code.requests.is_none())
        };
        // What is not JSON is looked at as one.
        Ok((
            family::entries(&text)
                .or_else(|error| if let Invalid::Json(_) = error { Ok(vec![text]) } else { Err(error) })?,
            described,
        ))
    }

    async fn component(&self, bytes: &[u8], digest: &Digest) -> Result<(Vec<Description>, Linked), LoadError> {
        let (code, written) = self.linked(bytes, digest).await?;
        let descriptions = descriptions(&self.ask(&code, digest, written).await?)?;
        if code.requests.is_none() {
            descriptions.iter().try_for_each(validate::paths)?;
        }
        Ok((descriptions, code))
    }

    /// Its code, and what its section says.
    async fn linked(&self, bytes: &[u8], digest: &Digest) -> Result<(Linked, Option<String>), LoadError> {
        let names = contract::names(bytes)?;
        let component = match self.cache.code(self.runtime.engine(), digest) {
            Some(component) => component,
            None => self.compile(bytes, digest).await?,
        };
        Ok((self.link(&component, &names)?, names.description))
    }

    async fn compile(&self, bytes: &[u8], digest: &Digest) -> Result<Component, LoadError> {
        let started = std::time::Instant::now();
        let code = Code::compiled(self.compiler.compile(bytes, self.runtime.budget().memory).await?);
        tracing::debug!(digest = digest.as_str(), ms = started.elapsed().as_millis(), "component compiled");
        let component = code.load(self.runtime.engine());
        let component = component.map_err(|error| LoadError::Engine(sentence(format!("{error:#}"))))?;
        if let Err(error) = self.cache.keep_code(digest, code.bytes()) {
            tracing::warn!(%error, "a component's machine code is not kept: it is compiled again at the next start");
        }
        Ok(component)
    }

    pub(super) fn link(&self, component: &Component, names: &contract::Names) -> Result<Linked, LoadError> {
        let link = || {
            let mut linker = Linker::new(self.runtime.engine());
            contract::Full::add_to_linker::<_, wasmtime::component::HasSelf<_>>(&mut linker, |state| state)?;
            if names.wasi {
                wasi::add_to_linker(&mut linker)?;
            }
            Linked::new(linker.instantiate_pre(component)?, names)
        };
        link().map_err(|error: wasmtime::Error| LoadError::Link(sentence(format!("{error:#}"))))
    }

    /// Its description, which is asked for once; that of its section where it has one, if both say the same.
    async fn ask(&self, code: &Linked, digest: &Digest, written: Option<String>) -> Result<String, LoadError> {
        let said = self.said(code, digest).await?;
        match written {
            None => Ok(said),
            Some(written) if written == said || is_same_json(&written, &said) => Ok(written),
            Some(_) => Err(LoadError::SaysOtherwise),
        }
    }

    /// What it says when it is asked.
    async fn said(&self, code: &Linked, digest: &Digest) -> Result<String, LoadError> {
        if let Some(known) = self.cache.description(digest) {
            return Ok(known);
        }
        let json = hook::describe(&self.runtime, code).await.map_err(LoadError::Describe)?;
        if json.len() > MAX_DESCRIPTION {
            return Err(Invalid::TooLong(json.len()).into());
        }
        if let Err(error) = self.cache.keep_description(digest, &json) {
            tracing::warn!(%error, "a description is not kept: it is asked for again at the next start");
        }
        Ok(json)
    }
}

/// Whether a file is a description and no component, by what it begins with.
fn is_description(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().first() == Some(&b'{')
}

/// What a file says of its providers without being run: a description alone, or a component with a section. `None` where
/// only the component itself can say it.
///
/// # Errors
///
/// It is no provider of a version that is understood, or what it says is not valid.
pub(super) fn told(bytes: &[u8]) -> Result<Option<Vec<Description>>, LoadError> {
    if is_description(bytes) {
        return alone(bytes).map(Some);
    }
    let Some(text) = contract::names(bytes)?.description else { return Ok(None) };
    if text.len() > MAX_DESCRIPTION {
        return Err(Invalid::TooLong(text.len()).into());
    }
    Ok(Some(descriptions(&text)?))
}

fn is_same_json(one: &str, other: &str) -> bool {
    let value = |text| serde_json::from_str::<serde_json::Value>(text).ok();
    value(one).is_some_and(|one| Some(one) == value(other))
}

/// The descriptions of a file without a component: all that they serve must have a path.
fn alone(bytes: &[u8]) -> Result<Vec<Description>, LoadError> {
    if bytes.len() > MAX_DESCRIPTION {
        return Err(Invalid::TooLong(bytes.len()).into());
    }
    let descriptions = descriptions(&String::from_utf8_lossy(bytes))?;
    descriptions.iter().try_for_each(validate::paths)?;
    Ok(descriptions)
}

/// The ids that a file without a component says that its providers have; none for a component.
pub(super) fn ids(bytes: &[u8]) -> Option<Vec<String>> {
    #[derive(serde::Deserialize)]
    struct Entry {
        id: String,
    }
    let entries = is_description(bytes).then(|| family::entries(&String::from_utf8_lossy(bytes)).ok())??;
    Some(entries.iter().filter_map(|entry| Some(serde_json::from_str::<Entry>(entry).ok()?.id)).collect())
}

/// Every description of a text, each checked. What is wrong with one of several is said with its place.
fn descriptions(text: &str) -> Result<Vec<Description>, Invalid> {
    let entries = family::entries(text)?;
    if let [one] = entries.as_slice() {
        return Ok(vec![validate::description(one)?]);
    }
    let check = |(at, entry): (usize, &String)| {
        validate::description(entry)
            .map_err(|error| Invalid::Member { place: format!("providers.{at}"), problem: error.to_string() })
    };
    entries.iter().enumerate().map(check).collect()
}

#[cfg(feature = "test-support")]
impl Plugin {
    /// A provider that says this of itself and has no code, for tests of what is decided by a description.
    #[allow(clippy::unwrap_used, reason = "it is for tests: a panic is how one fails")]
    pub fn described(description: Description) -> Arc<Plugin> {
        static RUNTIME: std::sync::OnceLock<Runtime> = std::sync::OnceLock::new();
        let runtime = RUNTIME.get_or_init(|| Runtime::with(super::settings(), super::Budget::default()).unwrap());
        let description = Arc::new(description);
        Arc::new(Plugin {
            id: description.id.as_str().into(),
            digest: Digest::of(description.id.as_bytes()),
            says: Arc::clone(&description),
            description,
            trusted: true,
            notice: None,
            origin: Origin::BuiltIn,
            code: None,
            runtime: runtime.clone(),
            log: GuestLog::new("described"),
            slots: Slots::new(1).share(),
            rewriters: Slots::new(1).share(),
            quarantine: Quarantine::default(),
            prepare_cache: PrepareCache::default(),
            most_memory: Default::default(),
        })
    }
}
