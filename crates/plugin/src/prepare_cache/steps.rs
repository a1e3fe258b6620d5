//! What a component asked of the document before it answered, as a tree: a step is what it asked, and leads on by what it was told.
//!
//! A component is a pure function, so what it asks next follows from the call and from all that it was told until then. The tree
//! is walked over the document of a new call, edits included. Where it ends with a request, that is the component's answer.
//! Where it does not, the component runs, and what it asks first it is told from the walk (`Script`): nothing is done twice.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use bitrouter_document::Document;

use crate::asked::{Asked, Said};
use crate::contract::Request;

/// Ways that lead on from one step. What is told is different each time where a component reads a text of the user's: then
/// no more is kept.
const MOST_WAYS: usize = 16;
/// Steps on one way: more are a loop over messages, which the next call is longer by.
const MOST_STEPS: usize = 64;
/// Bytes of all that is kept of one way.
const MOST_BYTES: usize = 16 << 10;

/// How long a walk may take where everybody is answered. What is left is the component's to ask, at its own expense.
const LONG_WALK: Duration = Duration::from_millis(2);

/// Where a way leads.
#[derive(Clone, Debug)]
pub(super) enum Next {
    Step(Arc<AskedStep>),
    Request(Arc<Request>),
}

/// Something that is asked, and where it led.
#[derive(Debug)]
pub(super) struct AskedStep {
    asked: Asked,
    ways: RwLock<Vec<(Said, Next)>>,
}

/// What the document was asked already, in the component's place, and what it said: in the order in which the component will ask.
#[derive(Debug, Default)]
pub(crate) struct Script(Vec<(Arc<AskedStep>, Said)>);

/// Where a walk ended.
pub(crate) enum Walked {
    /// With what the component would answer. The document is as it would have left it.
    Request(Arc<Request>),
    /// Where nothing is known.
    Unknown(Script),
}

/// Walks over this document for as long as what it says is known.
pub(super) fn walk(start: Option<Next>, document: Option<&mut Document>) -> Walked {
    let mut script = Vec::new();
    let mut step = match (start, &document) {
        (Some(Next::Request(request)), _) => return Walked::Request(request),
        (Some(Next::Step(step)), Some(_)) => step,
        (Some(Next::Step(_)), None) | (None, _) => return Walked::Unknown(Script(script)),
    };
    let Some(document) = document else { return Walked::Unknown(Script(script)) };
    let started = Instant::now();
    // What takes long or fails is left to the component, which is told so.
    while let Some(Ok(said)) = step.asked.soon(document) {
        let next = step.next(&said);
        script.push((Arc::clone(&step), said));
        match next {
            Some(Next::Request(request)) => return Walked::Request(request),
            Some(Next::Step(next)) if started.elapsed() < LONG_WALK => step = next,
            Some(Next::Step(_)) | None => break,
        }
    }
    Walked::Unknown(Script(script))
}

impl AskedStep {
    fn next(&self, said: &Said) -> Option<Next> {
        let ways = self.ways.read().unwrap_or_else(PoisonError::into_inner);
        ways.iter().find(|(known, _)| known == said).map(|(_, next)| next.clone())
    }
}

/// What a running hook asks: told from a script first, and noted as far as it can be kept.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    script: std::vec::IntoIter<(Arc<AskedStep>, Said)>,
    /// The last step of the script, from which a new way leads.
    from: Option<(Arc<AskedStep>, Said)>,
    /// None where nothing of it is kept.
    noted: Option<Vec<(Asked, Said)>>,
    steps: usize,
    bytes: usize,
}

impl Trace {
    /// Of a hook whose answer may be kept.
    pub(crate) fn new(script: Script) -> Self {
        let from = script.0.last().cloned();
        Trace { steps: script.0.len(), script: script.0.into_iter(), from, noted: Some(Vec::new()), bytes: 0 }
    }

    /// Whether the answer may still be kept.
    pub(crate) fn is_kept(&self) -> bool {
        self.noted.is_some()
    }

    /// What the document said to this before; none where it is to be asked.
    ///
    /// # Errors
    ///
    /// The component asks something else than it did before, after it had been told the same.
    pub(crate) fn told(&mut self, asked: &Asked) -> wasmtime::Result<Option<Said>> {
        match self.script.next() {
            None => Ok(None),
            Some((step, said)) if step.asked == *asked => Ok(Some(said)),
            Some(_) => {
                self.forget();
                Err(wasmtime::format_err!(
                    "it asks other things than before of a call that is alike in all it was told"
                ))
            }
        }
    }

    /// Notes what the document said.
    pub(crate) fn note(&mut self, asked: Asked, said: &Said) {
        let Some(noted) = &mut self.noted else { return };
        self.steps += 1;
        self.bytes += asked.bytes() + said.bytes();
        if self.steps > MOST_STEPS || self.bytes > MOST_BYTES {
            return self.forget();
        }
        noted.push((asked, said.clone()));
    }

    /// Keeps nothing of this hook: it did something that must be done again, such as a line of the log.
    pub(crate) fn forget(&mut self) {
        self.noted = None;
    }

    /// The way to this request, and its bytes; none where it is not kept.
    pub(super) fn way_to(self, request: &Arc<Request>) -> Option<NewWay> {
        let steps = self.noted?.into_iter().rev();
        let next = steps.fold(Next::Request(Arc::clone(request)), |next, (asked, said)| {
            Next::Step(Arc::new(AskedStep { asked, ways: RwLock::new(vec![(said, next)]) }))
        });
        Some(NewWay { from: self.from, next, bytes: self.bytes })
    }
}

/// A way that was not known.
pub(super) struct NewWay {
    from: Option<(Arc<AskedStep>, Said)>,
    next: Next,
    pub(super) bytes: usize,
}

/// What became of a new way.
pub(super) enum Added {
    /// It leads on from a step.
    Here,
    /// It is the first of its call.
    First(Next),
    /// Its step has as many as it may, or another call was quicker.
    Nowhere,
}

impl NewWay {
    /// Adds it to the step that it leads on from.
    pub(super) fn add(self) -> Added {
        let Some((step, said)) = self.from else { return Added::First(self.next) };
        let mut ways = step.ways.write().unwrap_or_else(PoisonError::into_inner);
        if ways.len() >= MOST_WAYS || ways.iter().any(|(known, _)| *known == said) {
            return Added::Nowhere;
        }
        ways.push((said, self.next));
        Added::Here
    }
}
