//! What a request needs of whoever serves it. Made of its endpoint; every choice of a target asks for it.

/// What an endpoint wants of a provider, in the contract's words.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The operation.
    pub operation: &'a str,
    /// The dialect of the body.
    pub dialect: &'a str,
}

impl Wanted<'_> {
    /// As a sentence has it.
    pub fn words(&self) -> String {
        match self.operation {
            "generate" => format!("the {} dialect", self.dialect),
            operation => operation.to_owned(),
        }
    }
}
