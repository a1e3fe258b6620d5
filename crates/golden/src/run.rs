//! Runs the hook that a case is for, and tells what it returned.

use std::fs;
use std::path::{Path, PathBuf};

use bitrouter_contract::cut::{sentence, word};
use bitrouter_document::Document;

use crate::case::{AnswerFile, CallFile, EventFile, StreamFile, WholeFile, read, text};
use crate::hooks::{Body, Broken, Hooks};
use crate::transcript::{self, Transcript};
use crate::{Failure, Step};

/// Entries of what a request drops, which a gateway shows.
const MOST_DROPPED: usize = 64;

/// One case: a folder with one input file.
pub struct Case {
    folder: PathBuf,
    input: Input,
}

enum Input {
    Call(Box<CallFile>, Option<String>),
    Trouble(Box<AnswerFile>),
    Limits(Box<AnswerFile>),
    Page(Box<AnswerFile>),
    Stream(Box<StreamFile>),
    Whole(Box<WholeFile>),
}

impl Case {
    /// Reads the folder of a case.
    ///
    /// # Errors
    ///
    /// A sentence: there is no input file in it, or one that is not in its form.
    pub fn read(folder: &Path) -> Result<Self, String> {
        let at = |name: &str| folder.join(name);
        let input = if let Some(call) = read(&at("call.json"))? {
            Input::Call(call, fs::read_to_string(at("body.json")).ok())
        } else if let Some(trouble) = read(&at("trouble.json"))? {
            Input::Trouble(trouble)
        } else if let Some(limits) = read(&at("limits.json"))? {
            Input::Limits(limits)
        } else if let Some(page) = read(&at("page.json"))? {
            Input::Page(page)
        } else if let Some(stream) = read(&at("stream.json"))? {
            Input::Stream(stream)
        } else if let Some(whole) = read(&at("answer.json"))? {
            Input::Whole(whole)
        } else {
            return Err(
                "there is none of call.json, trouble.json, limits.json, page.json, stream.json and answer.json".into(),
            );
        };
        Ok(Case { folder: folder.to_owned(), input })
    }

    /// The folder's name.
    pub fn name(&self) -> String {
        self.folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// The hook that it is for.
    pub fn hook(&self) -> &'static str {
        match &self.input {
            Input::Call(call, _) if call.answers.is_empty() => "prepare",
            Input::Call(..) => "resume",
            Input::Trouble(_) => "explain",
            Input::Limits(_) => "quota",
            Input::Page(_) => "interpret",
            Input::Stream(_) => "rewriter",
            Input::Whole(_) => "shape",
        }
    }
}

/// Runs a case, and tells what its hook returned.
///
/// # Errors
///
/// A sentence: the hook gave no answer, is not there, or the case does not fit it.
pub fn run(hooks: &mut dyn Hooks, case: &Case) -> Result<String, String> {
    let first = hooks.providers().into_iter().next().unwrap_or_default();
    let ran = match &case.input {
        Input::Call(call, body) => return prepare(hooks, &first, call, body.as_deref()),
        Input::Stream(stream) => rewrite(hooks, &first, stream),
        Input::Whole(whole) => return shape(hooks, &first, whole),
        Input::Trouble(trouble) => {
            let provider = trouble.provider.as_deref().unwrap_or(&first);
            let explained = hooks.explain(provider, &trouble.trouble(), trouble.memo.as_bytes());
            explained.map(|failure| transcript::failure(&cut(failure)))
        }
        Input::Limits(limits) => {
            let (event, provider) = (limits.event.as_ref().map(text), limits.provider.as_deref().unwrap_or(&first));
            let read = hooks.quota(provider, &limits.headers(), event.as_deref());
            read.map(|windows| transcript::windows(&windows))
        }
        Input::Page(page) => {
            let side = page.side.as_deref().ok_or("page.json does not say which `side` request it answers")?;
            let provider = page.provider.as_deref().unwrap_or(&first);
            match hooks.interpret(provider, side, &page.answer()) {
                Ok(Ok(json)) => return transcript::pretty(&json).map(|text| text + "\n"),
                Ok(Err(failure)) => Ok(transcript::failure(&cut(failure))),
                Err(broken) => Err(broken),
            }
        }
    };
    ran.map_err(said)
}

fn prepare(hooks: &mut dyn Hooks, first: &str, file: &CallFile, text: Option<&str>) -> Result<String, String> {
    let mut transcript = Transcript::default();
    let mut body = match (text, &file.opaque) {
        (Some(text), _) => match Document::parse(text.to_owned()) {
            Ok(document) => Body::Json(document),
            // No hook is called for such a call.
            Err(error) => {
                transcript.refused(&error.to_string());
                return Ok(transcript.text());
            }
        },
        (None, Some(content_type)) => Body::Opaque(content_type.clone()),
        (None, None) => Body::None,
    };
    let call = file.call(first);
    let mut answers = file.answers.iter();
    let mut step = hooks.prepare(&call, &mut body);
    let request = loop {
        match step {
            Ok(Ok(Step::Send(request))) => break request,
            Ok(Ok(Step::Ask(exchange))) => {
                transcript.ask(&exchange);
                let answer = answers.next().ok_or("the provider asks more often than call.json has `answers`")?;
                step = hooks.resume(&call, &mut body, &exchange.memo, &answer.answer());
            }
            Ok(Ok(Step::Reply(reply))) => {
                transcript.reply(&reply);
                return Ok(transcript.text());
            }
            Ok(Err(failure)) => {
                transcript.fail(&cut(failure));
                return Ok(transcript.text());
            }
            Err(Broken::Body(why)) => {
                transcript.refused(&why);
                return Ok(transcript.text());
            }
            Err(broken) => return Err(said(broken)),
        }
    };
    let mut request = request;
    request.dropped.truncate(MOST_DROPPED);
    request.dropped.iter_mut().for_each(|pointer| *pointer = word(std::mem::take(pointer)));
    transcript.send(&request);
    if let (Some(before), Body::Json(document)) = (text, &body) {
        transcript.body(before, &whole(document))?;
    }
    Ok(transcript.text())
}

/// Edits a whole answer.
fn shape(hooks: &mut dyn Hooks, first: &str, file: &WholeFile) -> Result<String, String> {
    let before = text(&file.body);
    let mut document = Document::parse(before.clone()).map_err(|error| format!("answer.json: its body: {error}"))?;
    let call = file.call.call(first);
    let shaped = hooks.shape(&call, file.memo.as_bytes(), &file.head.head(), &mut document).map_err(said)?;
    let mut transcript = Transcript::default();
    match shaped {
        Ok(()) => transcript.shaped(&before, &whole(&document))?,
        Err(failure) => transcript.fail(&cut(failure)),
    }
    Ok(transcript.text())
}

/// Runs the rewriter over the batches of a stream.
fn rewrite(hooks: &mut dyn Hooks, first: &str, file: &StreamFile) -> Result<String, Broken> {
    let mut rewriter = hooks.rewriter(&file.call.call(first), file.memo.as_bytes(), &file.head.head())?;
    let mut transcript = Transcript::default();
    for batch in &file.batches {
        let returned = rewriter.push(batch.iter().map(EventFile::event).collect())?;
        if !transcript.events("push", &returned.map_err(cut)) {
            return Ok(transcript.text());
        }
    }
    transcript.events("finish", &rewriter.finish()?.map_err(cut));
    Ok(transcript.text())
}

/// The document as it would leave.
fn whole(document: &Document) -> String {
    String::from_utf8_lossy(&document.output().into_bytes()).into_owned()
}

/// A failure as a gateway takes it: what is longer than its place is cut.
fn cut(failure: Failure) -> Failure {
    Failure {
        kind: word(failure.kind),
        scope: word(failure.scope),
        message: sentence(failure.message),
        code: failure.code.map(word),
        status: failure.status.filter(|status| (400..600).contains(status)),
        ..failure
    }
}

fn said(broken: Broken) -> String {
    match broken {
        Broken::Body(why) => format!("the body is refused: {why}"),
        Broken::Hook(why) | Broken::Absent(why) => why,
    }
}
