//! Settings of other programs that are to use this gateway: what each client's own files have to say, writing it, and
//! taking it back.
//!
//! `bitrouter connect` and `init` call it. Only settings of ours are written, with a copy of the file as it was; what cannot
//! be read is left alone, and a key is never written into a file that a repository holds.

mod clients;
mod edit;
mod files;
mod plan;
mod record;

use std::io;

pub use clients::CLIENTS;
pub use edit::{Fault, Format, Place, Step};
pub use files::{Change, Connection, Pointing, Preview};
pub use plan::{Client, FilePlan, Gateway, Machine, Model, Plan, Setting, Way};

/// The environment variable from which a connected client takes the gateway's key where it can read one.
pub const KEY_VARIABLE: &str = "BITROUTER_API_KEY";

/// Why a client's settings are left as they are.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// There is nowhere to look.
    #[error("there is no home folder, so the settings of {client} cannot be found. Set HOME")]
    NoHome {
        /// The client.
        client: &'static str,
    },
    /// It has to be told a model, and none is known.
    #[error(
        "{client} has to be told a model, and no provider is active that lists one. Name it: --model MODEL, or get an \
         account first: bitrouter login"
    )]
    NoModel {
        /// The client.
        client: &'static str,
    },
    /// A file cannot be used.
    #[error("{path}: {source}. Nothing was changed")]
    File {
        /// The file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// The client's file is broken already, or holds something that is in the way.
    #[error("{path}: {fault}. Nothing was changed: {next}")]
    Unfit {
        /// The file.
        path: String,
        /// What is the matter.
        fault: Fault,
        /// What to do about it.
        next: &'static str,
    },
    /// There is nothing to undo.
    #[error("{client} was not connected from here: there is nothing to undo")]
    NotConnected {
        /// The client.
        client: &'static str,
    },
    /// Its settings point at a gateway, and what they were before is not known.
    #[error(
        "{client} points at a gateway by {path}, which was not written from here (another BITROUTER_HOME, or by hand), so what it was \
         before is not known. Nothing was changed: take it out by hand"
    )]
    NotOurs {
        /// The client.
        client: &'static str,
        /// The file.
        path: String,
    },
}
