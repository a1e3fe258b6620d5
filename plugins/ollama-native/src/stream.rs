//! Rewrites the lines of `/api/chat` into the chunks of Chat Completions. A line holds what is new of a text or of thoughts, or
//! whole calls, and the last one why the answer ended and what was used.

use bitrouter_provider::{Event, Failure, Json, Rewriter, kind, quote, scope};

/// One answer.
pub(crate) struct Chat {
    wants_usage: bool,
    /// The members with which every chunk begins; none before the first line.
    head: Option<String>,
    calls: usize,
}

impl Chat {
    pub(crate) fn new(wants_usage: bool) -> Self {
        Self { wants_usage, head: None, calls: 0 }
    }

    fn line(&mut self, line: Json<'_>, to: &mut Vec<Event>) -> Result<(), Failure> {
        if let Some(error) = line.get("error").and_then(Json::text) {
            return Err(failure(&error));
        }
        let first = self.head.is_none();
        let head = self.head.get_or_insert_with(|| head("chat.completion.chunk", line)).clone();
        let mut delta: Vec<String> = Vec::new();
        if first {
            delta.push("\"role\":\"assistant\"".into());
        }
        let message = line.get("message");
        for (theirs, ours) in [("thinking", "reasoning_content"), ("content", "content")] {
            let text = message.and_then(|message| message.get(theirs)).map_or("", Json::raw);
            if text.len() > 2 && text.starts_with('"') {
                delta.push(["\"", ours, "\":", text].concat());
            }
        }
        let calls = message.and_then(|message| message.get("tool_calls")).into_iter().flat_map(Json::items);
        let calls: Vec<String> = calls.map(|call| self.call(call)).collect();
        if !calls.is_empty() {
            delta.push(["\"tool_calls\":[", &calls.join(","), "]"].concat());
        }
        let done = line.get("done").is_some_and(Json::is_true);
        if !delta.is_empty() {
            to.push(chunk(&head, &delta.join(","), "null", None));
        }
        if done {
            let reason = quote(finish_reason(line, self.calls > 0));
            let usage = usage(line);
            match self.wants_usage {
                true => {
                    to.push(chunk(&head, "", &reason, None));
                    to.push(data([&head, ",\"choices\":[],\"usage\":", &usage, "}"].concat()));
                }
                false => to.push(chunk(&head, "", &reason, Some(&usage))),
            }
            to.push(data("[DONE]".into()));
        }
        Ok(())
    }

    fn call(&mut self, call: Json<'_>) -> String {
        let index = self.calls.to_string();
        self.calls += 1;
        ["{\"index\":", &index, ",", &call_members(call, self.calls), "}"].concat()
    }
}

impl Rewriter for Chat {
    fn push(&mut self, events: Vec<Event>) -> Result<Vec<Event>, Failure> {
        let mut to = Vec::with_capacity(events.len());
        events.iter().try_for_each(|event| self.line(Json::parse(&event.data), &mut to))?;
        Ok(to)
    }
}

/// A call as Chat Completions has it, without its index: Ollama's arguments are an object, and older ones give it no id.
pub(crate) fn call_members(call: Json<'_>, number: usize) -> String {
    let function = call.get("function");
    let of = |name| function.and_then(|function| function.get(name));
    let id = call.get("id").or_else(|| of("id")).and_then(Json::text).filter(|id| !id.is_empty());
    let id = id.map_or_else(|| ["call_", &number.to_string()].concat(), Into::into);
    let (name, arguments) = (of("name").map_or("\"\"", Json::raw), of("arguments").map_or("{}", Json::raw));
    [
        "\"id\":",
        &quote(&id),
        ",\"type\":\"function\",\"function\":{\"name\":",
        name,
        ",\"arguments\":",
        &quote(arguments),
        "}",
    ]
    .concat()
}

/// Why an answer ended.
pub(crate) fn finish_reason(line: Json<'_>, called: bool) -> &'static str {
    match line.get("done_reason").and_then(Json::text).as_deref() {
        Some("length") => "length",
        _ if called => "tool_calls",
        _ => "stop",
    }
}

/// What was used. A prompt that was in the cache may have no count.
pub(crate) fn usage(line: Json<'_>) -> String {
    let count = |name| line.get(name).and_then(Json::integer).unwrap_or_default();
    let (prompt, answer) = (count("prompt_eval_count"), count("eval_count"));
    let numbers = [prompt, answer, prompt + answer].map(|count| count.to_string());
    let [prompt, answer, total] = numbers;
    ["{\"prompt_tokens\":", &prompt, ",\"completion_tokens\":", &answer, ",\"total_tokens\":", &total, "}"].concat()
}

/// The beginning of an object: id, kind, time and model. Ollama gives answers no id; the moment at which one began is as good.
pub(crate) fn head(object: &str, line: Json<'_>) -> String {
    let at = line.get("created_at").and_then(Json::text).unwrap_or_default();
    let digits: String = at.chars().filter(char::is_ascii_digit).collect();
    let model = line.get("model").map_or("\"\"", Json::raw);
    let created = seconds(&at).unwrap_or_default().to_string();
    ["{\"id\":\"chatcmpl-", &digits, "\",\"object\":\"", object, "\",\"created\":", &created, ",\"model\":", model]
        .concat()
}

/// What an error of Ollama's means. It has a sentence and nothing else.
pub(crate) fn failure(message: &str) -> Failure {
    let (kind, scope) = match message {
        _ if message.contains("more system memory") => (kind::UNAVAILABLE, scope::MODEL),
        _ if message.contains("does not support") => (kind::UNSUPPORTED, scope::MODEL),
        _ if message.contains("not found") => (kind::MODEL_NOT_FOUND, scope::MODEL),
        _ if message.contains("busy") => (kind::OVERLOADED, scope::PROVIDER),
        _ => (kind::UNAVAILABLE, scope::PROVIDER),
    };
    Failure::new(kind, scope, message)
}

/// Seconds since 1970 of a moment as Go writes it in JSON: `2026-11-30T15:04:05.999Z`, or with `+01:00` in the place of `Z`.
fn seconds(moment: &str) -> Option<i64> {
    let number = |from: usize, to: usize| moment.get(from..to)?.parse::<i64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    // Days since 1970 by the civil calendar, in which a year begins in March.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468;
    let zone = moment.get(19..)?.trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
    let offset = match (zone.get(..1)?, zone.get(1..3), zone.get(4..6)) {
        ("Z", _, _) => 0,
        (sign, Some(hours), Some(minutes)) => {
            let seconds = 3600 * hours.parse::<i64>().ok()? + 60 * minutes.parse::<i64>().ok()?;
            if sign == "-" { -seconds } else { seconds }
        }
        _ => return None,
    };
    Some(86_400 * days + 3600 * number(11, 13)? + 60 * number(14, 16)? + number(17, 19)? - offset)
}

fn chunk(head: &str, delta: &str, reason: &str, usage: Option<&str>) -> Event {
    let usage = usage.map_or(String::new(), |usage| [",\"usage\":", usage].concat());
    data(
        [head, ",\"choices\":[{\"index\":0,\"delta\":{", delta, "},\"finish_reason\":", reason, "}]", &usage, "}"]
            .concat(),
    )
}

fn data(data: String) -> Event {
    Event { name: None, headers: Vec::new(), data, binary: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn a_moment_is_read_in_every_zone() {
        for (moment, expected) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2024-02-29T12:00:01.5Z", Some(1_709_208_001)),
            ("2026-11-30T16:00:00.123456789+01:00", Some(1_796_050_800)),
            ("2026-11-30T10:00:00-05:00", Some(1_796_050_800)),
            ("yesterday", None),
            ("2026-11-30T10:00:00", None),
        ] {
            assert_eq!(seconds(moment), expected, "{moment}");
        }
    }
}
