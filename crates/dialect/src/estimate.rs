//! Estimates how many tokens a request's input has, where no provider counts them. No tokenizer: text by its length, and
//! images and files by one figure. The host asks for Messages and generateContent, and tells its client that it is an
//! estimate.

use serde_json::Value;

use crate::dialect::Dialect;

/// English and code have about four bytes of text a token, with every vendor's tokenizer.
const BYTES_A_TOKEN: u64 = 4;
/// An image or a file. Anthropic counts at most about 1,600 tokens for an image; what a file holds is not looked at.
const MEDIA: u64 = 1_600;

/// About how many tokens the input of a request has. What is no JSON has as many as its bytes make.
pub fn estimate_tokens(dialect: Dialect, body: &[u8]) -> u64 {
    let mut sum = Sum::default();
    match serde_json::from_slice(body) {
        Ok(request) => sum.request(dialect, &request),
        Err(_) => sum.bytes = body.len() as u64,
    }
    sum.bytes.div_ceil(BYTES_A_TOKEN) + sum.media * MEDIA
}

#[derive(Default)]
struct Sum {
    bytes: u64,
    media: u64,
}

impl Sum {
    /// What of a request the model reads.
    fn request(&mut self, dialect: Dialect, request: &Value) {
        match dialect {
            Dialect::GenerateContent => {
                for name in ["generateContentRequest", "generate_content_request"] {
                    // One within another is nothing that the API knows.
                    if let Some(inner) = request.get(name) {
                        self.google(inner);
                    }
                }
                self.google(request);
            }
            Dialect::Messages => self.members(request, &["system", "messages"]),
            Dialect::ChatCompletions => self.members(request, &["messages"]),
            Dialect::Responses => self.members(request, &["instructions", "input"]),
        }
        self.json(request.get("tools"));
    }

    fn google(&mut self, request: &Value) {
        self.members(request, &["systemInstruction", "system_instruction", "contents"]);
        self.json(request.get("tools"));
    }

    fn members(&mut self, request: &Value, names: &[&str]) {
        names.iter().filter_map(|name| request.get(*name)).for_each(|value| self.content(value));
    }

    /// Content: its texts. What is only there for the API is not read by the model.
    fn content(&mut self, value: &Value) {
        match value {
            Value::String(text) => self.bytes += text.len() as u64,
            Value::Array(items) => items.iter().for_each(|item| self.content(item)),
            Value::Object(members) => members.iter().for_each(|(name, value)| self.member(name, value)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn member(&mut self, name: &str, value: &Value) {
        match name {
            "type" | "role" | "id" | "tool_use_id" | "call_id" | "cache_control" | "citations" | "signature"
            | "thoughtSignature" | "thought_signature" | "encrypted_content" | "data" | "status" | "language"
            | "outcome" | "partMetadata" => {}
            "input" | "args" | "response" | "arguments" => self.json(Some(value)),
            "inlineData" | "inline_data" | "fileData" | "file_data" | "image_url" | "input_audio" | "file" => {
                self.media += 1;
            }
            "source" => self.source(value),
            _ => self.content(value),
        }
    }

    /// Where a block of Messages has its image, its document or its text from.
    fn source(&mut self, source: &Value) {
        match source.get("type").and_then(Value::as_str) {
            Some("text") => source.get("data").into_iter().for_each(|text| self.content(text)),
            Some("content") => source.get("content").into_iter().for_each(|content| self.content(content)),
            Some(_) => self.media += 1,
            // Of a search result it is a text.
            None => self.content(source),
        }
    }

    /// JSON that the model reads as JSON: schemas, arguments, results.
    fn json(&mut self, value: Option<&Value>) {
        match value {
            None => {}
            Some(Value::Array(items)) => {
                self.bytes += 2;
                items.iter().for_each(|item| self.json(Some(item)));
            }
            Some(Value::Object(members)) => {
                self.bytes += 2;
                for (name, value) in members {
                    // Two quotes, a colon and a comma.
                    self.bytes += name.len() as u64 + 4;
                    self.json(Some(value));
                }
            }
            Some(Value::String(text)) => self.bytes += text.len() as u64 + 2,
            Some(Value::Null | Value::Bool(_) | Value::Number(_)) => self.bytes += 4,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn messages(body: &Value) -> u64 {
        estimate_tokens(Dialect::Messages, body.to_string().as_bytes())
    }

    fn google(body: &Value) -> u64 {
        estimate_tokens(Dialect::GenerateContent, body.to_string().as_bytes())
    }

    #[test]
    fn text_has_a_token_for_every_four_bytes() {
        let text = "x".repeat(400);
        assert_eq!(messages(&json!({ "model": "m", "messages": [{ "role": "user", "content": text }] })), 100);
        let block = json!({ "type": "text", "text": text, "cache_control": { "type": "ephemeral" } });
        let body = json!({ "system": [block], "messages": [{ "role": "user", "content": [block] }] });
        assert_eq!(messages(&body), 200);
        let contents = json!([{ "role": "user", "parts": [{ "text": text }] }]);
        assert_eq!(google(&json!({ "contents": contents })), 100);
        let system = json!({ "parts": [{ "text": text }] });
        let request = json!({ "model": "models/m", "contents": contents, "systemInstruction": system });
        assert_eq!(google(&json!({ "generateContentRequest": request })), 200);
    }

    #[test]
    fn an_image_or_a_file_has_one_figure_however_long_it_is() {
        let data = "A".repeat(100_000);
        let base64 = json!({ "type": "base64", "media_type": "image/png", "data": data });
        let image = json!({ "type": "image", "source": base64 });
        let result = json!({ "type": "tool_result", "tool_use_id": "t", "content": [image] });
        let body = json!({ "messages": [{ "role": "user", "content": [image, result] }] });
        assert_eq!(messages(&body), 2 * MEDIA);
        let part = json!({ "inlineData": { "mimeType": "image/png", "data": data } });
        assert_eq!(google(&json!({ "contents": [{ "parts": [part] }] })), MEDIA);
        let text = json!({ "type": "text", "media_type": "text/plain", "data": "12345678" });
        let document = json!({ "type": "document", "source": text });
        assert_eq!(messages(&json!({ "messages": [{ "content": [document] }] })), 2);
    }

    #[test]
    fn opaque_state_is_not_text_and_tools_are() {
        let signed = json!({ "type": "thinking", "thinking": "", "signature": "s".repeat(9_000) });
        assert_eq!(messages(&json!({ "messages": [{ "role": "assistant", "content": [signed] }] })), 0);
        let tool = json!({ "name": "look", "input_schema": { "type": "object", "properties": { "path": {} } } });
        let with_tools = messages(&json!({ "messages": [], "tools": [tool] }));
        assert!((15..40).contains(&with_tools), "{with_tools}");
        let call = json!({ "functionCall": { "name": "look", "args": { "path": "/tmp" } } });
        let called = google(&json!({ "contents": [{ "parts": [call] }] }));
        assert!((4..10).contains(&called), "{called}");
    }

    #[test]
    fn what_is_no_json_is_counted_by_its_bytes() {
        assert_eq!(estimate_tokens(Dialect::Messages, b"{1234"), 2);
        assert_eq!(estimate_tokens(Dialect::GenerateContent, b"[]"), 0);
    }
}
