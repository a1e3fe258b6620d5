//! The message of a candidate that is written as a whole: what its deltas would say, gathered until its end. It is what `fold`
//! makes of them.

use crate::translate::writer::Writer;

/// A message so far. Texts are as they stand inside strings, lists without their brackets.
#[derive(Debug, Default)]
pub(super) struct Message {
    pub(super) content: Option<Vec<u8>>,
    pub(super) reasoning: Option<Vec<u8>>,
    pub(super) refusal: Option<Vec<u8>>,
    pub(super) details: Writer,
    pub(super) annotations: Writer,
    pub(super) logprobs: Writer,
    calls: Vec<Call>,
    function: Option<Function>,
}

/// The call of a client that has `functions`.
#[derive(Debug, Default)]
struct Function {
    name: Vec<u8>,
    arguments: Vec<u8>,
}

#[derive(Debug)]
struct Call {
    /// All before its arguments, and all behind them.
    begin: Vec<u8>,
    arguments: Vec<u8>,
    end: Vec<u8>,
}

/// Adds to a text, which is there from now on.
pub(super) fn add(text: &mut Option<Vec<u8>>, more: &[u8]) {
    text.get_or_insert_default().extend_from_slice(more);
}

impl Message {
    /// Begins the next call, of which this stands before its arguments and behind them.
    pub(super) fn begin_call(&mut self, begin: Vec<u8>, end: Vec<u8>) {
        self.calls.push(Call { begin, arguments: Vec::new(), end });
    }

    /// Adds to the arguments of that call.
    pub(super) fn arguments(&mut self, index: u64, text: &[u8]) {
        if let Some(call) = usize::try_from(index).ok().and_then(|index| self.calls.get_mut(index)) {
            call.arguments.extend_from_slice(text);
        }
    }

    /// Adds to a member of the one call that a client of `functions` hears of.
    pub(super) fn function_call(&mut self, member: &str, text: &[u8]) {
        let function = self.function.get_or_insert_default();
        match member {
            "name" => function.name.extend_from_slice(text),
            _ => function.arguments.extend_from_slice(text),
        }
    }

    /// Writes the message.
    pub(super) fn write(&self, to: &mut Writer) {
        to.open(b'{');
        to.text_member("role", "assistant");
        match &self.content {
            Some(text) => to.inside_member("content", text),
            None => to.member("content", b"null"),
        }
        for (name, text) in [("reasoning_content", &self.reasoning), ("refusal", &self.refusal)] {
            if let Some(text) = text {
                to.inside_member(name, text);
            }
        }
        for (name, list) in [("reasoning_details", &self.details), ("annotations", &self.annotations)] {
            if !list.bytes().is_empty() {
                to.key(name);
                to.open(b'[');
                to.frame(list.bytes());
                to.close(b']');
            }
        }
        if let Some(Function { name, arguments }) = &self.function {
            to.key("function_call");
            to.open(b'{');
            to.inside_member("name", name);
            to.inside_member("arguments", arguments);
            to.close(b'}');
        }
        if !self.calls.is_empty() {
            to.key("tool_calls");
            to.open(b'[');
            for call in &self.calls {
                to.raw(&call.begin);
                to.frame(&call.arguments);
                to.frame(&call.end);
            }
            to.close(b']');
        }
        to.close(b'}');
        if !self.logprobs.bytes().is_empty() {
            to.key("logprobs");
            to.open(b'{');
            to.key("content");
            to.open(b'[');
            to.frame(self.logprobs.bytes());
            to.close(b']');
            to.close(b'}');
        }
    }
}
