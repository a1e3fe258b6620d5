//! How an answer of Responses ends: the response as a whole, with all that was said and used, or what went wrong.

use super::items::PartKind;
use super::write::{AnswerWriter, close};
use crate::error::{ApiError, ErrorKind, ParsedError};
use crate::translate::answer::Stop;
use crate::translate::error::api_error;
use crate::translate::writer::Writer;

/// How the answer ended.
#[derive(Debug)]
pub(super) enum End {
    Completed,
    /// The reason that `incomplete_details` gives.
    Incomplete(&'static str),
    Failed(Box<ParsedError>),
}

impl AnswerWriter {
    /// The response as it is now. Clients want these members, and have no use for others.
    pub(super) fn write_response(&self, status: &str, error: Option<&ApiError>, to: &mut Writer) {
        to.open(b'{');
        to.text_member("id", &self.response);
        to.text_member("object", "response");
        to.number_member("created_at", self.naming.created);
        to.text_member("status", status);
        match error {
            Some(error) => to.member("error", error.error_of_response().to_string().as_bytes()),
            None => to.member("error", b"null"),
        }
        match self.end {
            End::Incomplete(reason) if status == "incomplete" => {
                to.key("incomplete_details");
                to.open(b'{');
                to.text_member("reason", reason);
                to.close(b'}');
            }
            _ => to.member("incomplete_details", b"null"),
        }
        to.member("instructions", b"null");
        to.member("metadata", b"{}");
        to.text_member("model", &self.naming.model);
        to.key("output");
        to.open(b'[');
        self.output.iter().filter(|item| !item.is_empty()).for_each(|item| to.raw(item));
        to.close(b']');
        to.member("parallel_tool_calls", b"true");
        to.member("temperature", b"null");
        to.text_member("tool_choice", "auto");
        to.member("tools", b"[]");
        to.member("top_p", b"null");
        to.key("usage");
        if status == "in_progress" {
            to.raw(b"null");
        } else {
            self.usage(to);
        }
        to.close(b'}');
    }

    /// What is not known is zero, since clients fail without the members.
    fn usage(&self, to: &mut Writer) {
        let usage = &self.usage;
        let (input, output) = (usage.input.unwrap_or_default(), usage.output.unwrap_or_default());
        to.open(b'{');
        to.number_member("input_tokens", input);
        to.key("input_tokens_details");
        to.open(b'{');
        to.number_member("cached_tokens", usage.cached_input.unwrap_or_default());
        to.number_member("cache_write_tokens", usage.cache_write.unwrap_or_default());
        to.close(b'}');
        to.number_member("output_tokens", output);
        to.key("output_tokens_details");
        to.open(b'{');
        to.number_member("reasoning_tokens", usage.reasoning.unwrap_or_default());
        to.close(b'}');
        to.number_member("total_tokens", usage.total.unwrap_or(input.saturating_add(output)));
        to.close(b'}');
    }

    pub(super) fn stop(&mut self, stop: Stop<'_>) {
        let refused = self.has_refusal();
        self.end = match stop {
            Stop::Done | Stop::Calls | Stop::StopString(_) => End::Completed,
            Stop::Refused if refused => End::Completed,
            Stop::MaxTokens | Stop::ContextFull => End::Incomplete("max_output_tokens"),
            Stop::Filter(_) | Stop::Refused => End::Incomplete("content_filter"),
            // `stream` has made errors of these; a success they must never be.
            Stop::Paused | Stop::Broken(_) => {
                let message = "the upstream's answer is not whole".to_owned();
                End::Failed(Box::new(ParsedError { kind: ErrorKind::Upstream, message, ..ParsedError::default() }))
            }
        };
    }

    /// Whether the model said a refusal last.
    fn has_refusal(&mut self) -> bool {
        self.part().is_some_and(|part| part.kind == PartKind::Refusal)
    }

    pub(super) fn finish(&mut self, to: &mut Writer) {
        let kind = match std::mem::replace(&mut self.end, End::Completed) {
            End::Failed(error) => return self.fail(&error, to),
            end @ End::Completed => {
                self.end = end;
                "completed"
            }
            end @ End::Incomplete(_) => {
                self.end = end;
                "incomplete"
            }
        };
        self.end_spoken(kind, None, to);
        while !self.calls.is_empty() {
            self.end_call(0, kind, to);
        }
        self.event(if kind == "completed" { "response.completed" } else { "response.incomplete" }, to);
        to.key("response");
        self.write_response(kind, None, to);
        close(to);
        self.over = true;
        self.status = Some(kind);
    }

    /// Two events, as OpenAI writes them: SDKs listen for `error`, the Codex CLI for `response.failed` alone.
    pub(super) fn fail(&mut self, error: &ParsedError, to: &mut Writer) {
        let error = api_error(error);
        to.frame(b"event: error\ndata: ");
        to.raw(error.event_of_responses(self.sequence).to_string().as_bytes());
        to.frame(b"\n\n");
        self.sequence += 1;
        self.event("response.failed", to);
        to.key("response");
        self.write_response("failed", Some(&error), to);
        close(to);
        self.over = true;
    }
}
