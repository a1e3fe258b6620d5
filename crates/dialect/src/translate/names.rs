//! Names of tools that a target cannot have as they are: namespaces are flattened, long names shortened, custom tools
//! become functions. What they were is kept for the answer, from the tools of the very request.

/// What the answer to a request needs to name tools as its client does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {}
