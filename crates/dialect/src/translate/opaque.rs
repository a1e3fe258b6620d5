//! Opaque state of reasoning: it goes back to the vendor, account and model family that made it, or nowhere. On its way to
//! a client it is wrapped with its owner's name, `br1.` and base64 of JSON; on the way back it is unwrapped for its owner
//! and taken away for everybody else. `normalize` and `stream` call it; it must never let a foreign state through.

use std::fmt;

use base64::alphabet::URL_SAFE;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD, URL_SAFE_NO_PAD};
use base64::engine::{DecodePaddingMode, Engine};

use super::request::{State, StateKind};
use super::run::messages::MADE;
use super::writer::{Inside, Writer, unescaped};
use crate::dialect::Dialect;
use crate::json;

/// What every wrapped state begins with.
const MARK: &[u8] = b"br1.";
/// What it begins with where only base64 passes: a client of generateContent.
const MARK_IN_BASE64: &[u8] = b"YnIxL";

/// Clients write base64 as they like: Google's Python SDK changes the alphabet and pads.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Who made a state, and who alone gets it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner<'a> {
    /// The provider's id.
    pub provider: &'a str,
    /// What tells the account from the provider's other accounts, without telling who it is.
    pub account: &'a str,
    /// The model, as the target calls it.
    pub model: &'a str,
}

/// States that the gateway keeps beside the conversation, for clients whose dialect has no place for them.
pub trait States: Send + Sync {
    /// The state that was kept for that call.
    fn find(&self, owner: &Owner<'_>, call: &str) -> Option<String>;
    /// Keeps the state of a call, which [`super::AnswerTranslation::take_states`] gave. May forget it at any time.
    fn keep(&self, owner: &Owner<'_>, call: &str, state: &str);
}

impl fmt::Debug for dyn States {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("States")
    }
}

/// Keeps nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoStates;

impl States for NoStates {
    fn find(&self, _owner: &Owner<'_>, _call: &str) -> Option<String> {
        None
    }

    fn keep(&self, _owner: &Owner<'_>, _call: &str, _state: &str) {}
}

/// A state out of its wrapping.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unwrapped {
    pub(crate) state: State<'static>,
    /// The thinking's text, where it belongs to the state and the client may have lost it.
    pub(crate) text: Option<Vec<u8>>,
    /// How many states of its owner stood before it.
    pub(crate) place: Option<u64>,
    /// Whether it came in the form that clients of generateContent keep, on a call or behind the words that it is of.
    pub(crate) in_base64: bool,
}

/// States that travel together, as JSON objects one behind the other.
#[derive(Debug, Default)]
pub(crate) struct Wrapping {
    json: Vec<u8>,
}

impl StateKind {
    fn name(self) -> &'static str {
        match self {
            Self::Signature => "signature",
            Self::Redacted => "redacted",
            Self::Encrypted => "encrypted",
            Self::Thought => "thought",
            Self::Block => "block",
            Self::Plain => "plain",
        }
    }

    fn from_name(name: &[u8]) -> Option<Self> {
        let all = [Self::Signature, Self::Redacted, Self::Encrypted, Self::Thought, Self::Block, Self::Plain];
        all.into_iter().find(|kind| kind.name().as_bytes() == name)
    }
}

impl Wrapping {
    pub(crate) fn is_empty(&self) -> bool {
        self.json.is_empty()
    }

    /// Adds a state that an upstream of this dialect made.
    pub(crate) fn add(
        &mut self,
        owner: &Owner<'_>,
        dialect: Dialect,
        state: &State<'_>,
        text: Option<&[u8]>,
        place: Option<u64>,
    ) {
        let mut json = Writer::default();
        json.open(b'{');
        json.text_member("dialect", dialect.as_str());
        json.text_member("provider", owner.provider);
        json.text_member("account", owner.account);
        json.text_member("model", owner.model);
        json.text_member("kind", state.kind.name());
        json.inside_member("value", &state.value);
        if let Some(id) = &state.id {
            json.inside_member("id", id);
        }
        if let Some(text) = text {
            json.inside_member("text", text);
        }
        if let Some(place) = place {
            json.number_member("place", place);
        }
        json.close(b'}');
        self.json.extend_from_slice(&json.into_bytes());
    }

    /// The wrapped states, in the form that clients of that dialect keep, and nothing is left here.
    pub(crate) fn take(&mut self, client: Dialect) -> String {
        let json = std::mem::take(&mut self.json);
        match client {
            Dialect::GenerateContent => STANDARD.encode([MARK, &json].concat()),
            _ => format!("br1.{}", URL_SAFE_NO_PAD.encode(json)),
        }
    }
}

/// Whether a value is one that the gateway wrapped.
pub(crate) fn is_wrapped(value: &[u8]) -> bool {
    value.starts_with(MARK) || (value.starts_with(MARK_IN_BASE64) && from_base64(value).is_some())
}

/// Whether a body may hold a value that the gateway wrapped, found by one search for its bytes.
pub(super) fn may_be_wrapped(dialect: Dialect, body: &[u8]) -> bool {
    let mark = if dialect == Dialect::GenerateContent { MARK_IN_BASE64 } else { MARK };
    let has = |mark: &[u8]| memchr::memmem::find(body, mark).is_some();
    has(mark) || dialect == Dialect::Messages && has(MADE.as_bytes())
}

fn from_base64(value: &[u8]) -> Option<Vec<u8>> {
    let value: Vec<u8> = value
        .iter()
        .map(|byte| match byte {
            b'+' => b'-',
            b'/' => b'_',
            other => *other,
        })
        .collect();
    LENIENT.decode(value).ok()?.strip_prefix(MARK).map(<[u8]>::to_vec)
}

/// The states in a value, if the gateway wrapped it and this owner made them; those of others are left out. The value is
/// what stands between quotes.
pub(crate) fn unwrap(value: &[u8], owner: &Owner<'_>, dialect: Dialect) -> Vec<Unwrapped> {
    let text = unescaped(value);
    let value = text.as_deref().map_or(value, str::as_bytes);
    let in_base64 = value.starts_with(MARK_IN_BASE64);
    let json = match value.strip_prefix(MARK) {
        Some(encoded) => LENIENT.decode(encoded).ok(),
        None if in_base64 => from_base64(value),
        None => None,
    };
    let json = json.unwrap_or_default();
    let mut objects = serde_json::Deserializer::from_slice(&json).into_iter::<&serde_json::value::RawValue>();
    let mut found = Vec::new();
    while let Some(Ok(object)) = objects.next() {
        found.extend(read(object.get().as_bytes(), owner, dialect).map(|it| Unwrapped { in_base64, ..it }));
    }
    found
}

fn read(object: &[u8], owner: &Owner<'_>, dialect: Dialect) -> Option<Unwrapped> {
    let inside = |name| json::get(object, name)?.strip_prefix(b"\"")?.strip_suffix(b"\"");
    let same = |name, own: &str| json::get_text(object, name).is_some_and(|it| it == own);
    let kind = StateKind::from_name(inside("kind")?)?;
    // Plain text is nobody's: whoever takes unsigned thinking may have it.
    let owned = same("dialect", dialect.as_str())
        && same("provider", owner.provider)
        && same("account", owner.account)
        && json::get_text(object, "model").is_some_and(|model| family(&model) == family(owner.model));
    if !owned && kind != StateKind::Plain {
        return None;
    }
    Some(Unwrapped {
        state: State {
            kind,
            value: Inside::Owned(inside("value")?.to_vec()),
            id: inside("id").map(|id| Inside::Owned(id.to_vec())),
        },
        text: inside("text").map(<[u8]>::to_vec),
        place: json::get(object, "place").and_then(json::count),
        in_base64: false,
    })
}

/// What names the model without its date: `claude-opus-5` of `anthropic/claude-opus-5-20260901[1m]`.
fn family(model: &str) -> &str {
    let model = model.rsplit('/').next().unwrap_or(model);
    let model = model.split(['[', '@', ':']).next().unwrap_or(model);
    let model = model.strip_suffix("-latest").unwrap_or(model);
    match model.rsplit_once('-') {
        Some((family, date)) if date.len() == 8 && date.bytes().all(|byte| byte.is_ascii_digit()) => family,
        _ => model,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: Owner<'_> = Owner { provider: "anthropic", account: "a", model: "claude-opus-5" };

    fn wrapped(client: Dialect, kinds: &[StateKind]) -> String {
        let mut wrapping = Wrapping::default();
        for (place, kind) in kinds.iter().enumerate() {
            let state = State { kind: *kind, value: Inside::Borrowed(br"E\u002f+="), id: None };
            wrapping.add(&OWNER, Dialect::Messages, &state, Some(b"a\\n\xC3\xA9"), Some(place as u64));
        }
        wrapping.take(client)
    }

    #[test]
    fn a_state_comes_back_to_its_owner_as_it_was_in_either_form() {
        for client in Dialect::ALL {
            let wrapped = wrapped(client, &[StateKind::Signature, StateKind::Redacted]);
            let found = unwrap(wrapped.as_bytes(), &OWNER, Dialect::Messages);
            assert_eq!(found.len(), 2, "{client}");
            assert_eq!(found[0].state.value, &br"E\u002f+="[..]);
            assert_eq!(found[1].state.kind, StateKind::Redacted);
            assert_eq!(found[1].text.as_deref(), Some(&b"a\\n\xC3\xA9"[..]));
            assert_eq!(found[1].place, Some(1));
            assert!(is_wrapped(wrapped.as_bytes()) && may_be_wrapped(client, wrapped.as_bytes()));
        }
    }

    #[test]
    fn base64_in_another_alphabet_is_the_same_state() {
        let wrapped = wrapped(Dialect::GenerateContent, &[StateKind::Signature]);
        let other = wrapped.replace('+', "-").replace('/', "_");
        assert_eq!(unwrap(other.as_bytes(), &OWNER, Dialect::Messages).len(), 1);
        assert_eq!(unwrap(other.trim_end_matches('=').as_bytes(), &OWNER, Dialect::Messages).len(), 1);
    }

    #[test]
    fn nobody_else_gets_it() {
        let wrapped = wrapped(Dialect::Responses, &[StateKind::Signature]);
        let find = |owner: Owner<'_>, dialect| unwrap(wrapped.as_bytes(), &owner, dialect).len();
        assert_eq!(find(Owner { account: "b", ..OWNER }, Dialect::Messages), 0);
        assert_eq!(find(Owner { provider: "bedrock", ..OWNER }, Dialect::Messages), 0);
        assert_eq!(find(Owner { model: "claude-opus-4-5", ..OWNER }, Dialect::Messages), 0);
        assert_eq!(find(OWNER, Dialect::Responses), 0);
        assert_eq!(find(Owner { model: "claude-opus-5-20260901", ..OWNER }, Dialect::Messages), 1);
    }

    #[test]
    fn what_cannot_be_read_is_no_state() {
        for value in
            ["", "br1.", "br1.!", "br1.e30", "br1.bnVsbA", "YnIxLg", "EqQBCkgIBR", "skip_thought_signature_validator"]
        {
            assert!(unwrap(value.as_bytes(), &OWNER, Dialect::Messages).is_empty(), "{value}");
        }
    }
}
