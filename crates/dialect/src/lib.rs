//! The four wire formats of LLM APIs: how their streams are cut into events, what an event means, what an
//! answer used, how it ended, how a stream folds into one document, and how errors read and are written. The
//! host calls this on every chunk of every answer, so nothing here does I/O, waits, or copies bytes that it
//! does not have to keep.

#![forbid(unsafe_code)]

mod dialect;
mod error;
mod estimate;
mod event;
mod failure;
mod fold;
mod frames;
pub mod history;
mod json;
mod lines;
mod observe;
mod position;
pub mod quirks;
mod reader;
mod sse;
mod tap;
pub mod translate;
mod usage;
mod whole;

pub use dialect::{Dialect, UnknownDialect};
pub use error::{ApiError, ErrorKind, ParsedError, is_error_of, parse_error};
pub use estimate::estimate_tokens;
pub use event::{Event, EventClass, EventKind, classify};
pub use failure::{Failure, Trouble, as_error};
pub use fold::{DEFAULT_FOLD_LIMIT, Fold, FoldError};
pub use frames::FrameError;
pub use observe::Observer;
pub use position::Position;
pub use reader::{EventReader, Framed, StreamFraming};
pub use sse::{DEFAULT_EVENT_LIMIT, Splitter};
pub use tap::{End, First, Framing, LastWord, Report, StreamError, Tap};
pub use usage::Usage;
pub use whole::DocumentEnd;
