//! What a scripted model answers in one turn, in no dialect yet: [`crate::Anthropic`] and [`crate::Google`] put it into theirs.
//! A conversation that is scripted once can so be had with either.

use serde_json::Value;

/// One answer of a model's: its parts in their order, and how it ends.
#[derive(Clone, Debug, Default)]
pub struct Spoken {
    pub(crate) parts: Vec<Part>,
    pub(crate) end: End,
}

#[derive(Clone, Debug)]
pub(crate) enum Part {
    /// Thoughts, and what proves them when they come back.
    Thinking {
        text: String,
        signature: String,
    },
    Text(String),
    Call {
        name: String,
        arguments: Value,
    },
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum End {
    /// For calls where there are any, else because all is said.
    #[default]
    Whole,
    /// No more tokens were allowed.
    Length,
    /// A failure: instead of an answer where there are no parts, else in the middle of a stream.
    Fault(Fault),
    /// The connection ends in the middle of a stream.
    Cut,
}

/// What can go wrong at a vendor. Each says it in its own status, words and headers.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// The request is not as it has to be.
    Invalid,
    /// The conversation is longer than the model takes.
    TooLong,
    /// The account has nothing left to pay with.
    NoCredit,
    /// There is no such model.
    UnknownModel,
    /// Too many requests; again in so many seconds.
    RateLimited(u32),
    /// There is no room for this model at present.
    Overloaded,
    /// Something broke there.
    Internal,
}

/// What the scripted vendors say of the tokens of every answer: 100 in, of which 60 were cached, and 20 out.
pub(crate) const INPUT: u32 = 100;
pub(crate) const CACHED: u32 = 60;
pub(crate) const OUTPUT: u32 = 20;
/// Those of the output that are thoughts, where the vendor tells them apart.
pub(crate) const THOUGHTS: u32 = 5;

impl Spoken {
    /// The model says this, in one delta for each word.
    pub fn says(text: &str) -> Self {
        Self::default().then_says(text)
    }

    /// The model thinks first. The signature is base64, as all vendors' are.
    pub fn thinks(text: &str, signature: &str) -> Self {
        let part = Part::Thinking { text: text.to_owned(), signature: signature.to_owned() };
        Self::default().then(part)
    }

    /// The model calls a tool.
    pub fn calls(name: &str, arguments: Value) -> Self {
        Self::default().then_calls(name, arguments)
    }

    /// A failure instead of an answer.
    pub fn fails(fault: Fault) -> Self {
        Self::default().then_fails(fault)
    }

    /// And then says this.
    #[must_use]
    pub fn then_says(self, text: &str) -> Self {
        self.then(Part::Text(text.to_owned()))
    }

    /// And then calls a tool.
    #[must_use]
    pub fn then_calls(self, name: &str, arguments: Value) -> Self {
        self.then(Part::Call { name: name.to_owned(), arguments })
    }

    /// And then fails, in the middle of its stream.
    #[must_use]
    pub fn then_fails(mut self, fault: Fault) -> Self {
        self.end = End::Fault(fault);
        self
    }

    /// And then has used all tokens that it was allowed.
    #[must_use]
    pub fn then_is_too_long(mut self) -> Self {
        self.end = End::Length;
        self
    }

    /// And then the connection ends, in the middle of its stream.
    #[must_use]
    pub fn then_is_cut(mut self) -> Self {
        self.end = End::Cut;
        self
    }

    fn then(mut self, part: Part) -> Self {
        self.parts.push(part);
        self
    }

    pub(crate) fn has_calls(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Call { .. }))
    }
}

/// A text in the pieces in which it is streamed: words, and of JSON a few letters, wherever that cuts it.
pub(crate) fn pieces(text: &str) -> Vec<&str> {
    text.split_inclusive([' ', ',']).collect()
}
