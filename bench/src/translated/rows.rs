//! The rows of the translation: who asks, what is sent and answered, and what was promised for it. Data only.

use super::Compared;
use crate::answers::Behaviour;
use crate::bodies::Kind;
use crate::dialects::Client;

/// A row whose figure is the CPU time of a call that is translated, beside the same answer passed through.
pub struct TranslatedRow {
    /// What it is called in the table.
    pub title: &'static str,
    /// Who asks.
    pub client: Client,
    /// What is sent.
    pub body: Kind,
    /// What the upstream answers.
    pub behaviour: Behaviour,
    /// Requests of one round.
    pub requests: u64,
    /// How the two are compared.
    pub compared: Compared,
    /// The most that was promised.
    pub target: f64,
    /// Whether LiteLLM is measured beside it.
    pub litellm: bool,
}

/// The present gateway, as rows have it.
pub const PRESENT: &str = "gateway";
/// The gateway that it is compared with.
pub const BEFORE: &str = "the gateway before";
/// LiteLLM's proxy.
pub const LITELLM: &str = "LiteLLM";
/// LiteLLM is asked so many times less than a gateway.
pub const FEWER: u64 = 50;

/// The translations' CPU rows; the upstream answers in Chat Completions.
pub const CPU: [TranslatedRow; 10] = [
    TranslatedRow { litellm: true, ..WHOLE },
    TranslatedRow { client: Client::Responses, ..WHOLE },
    TranslatedRow { client: Client::GenerateContent, ..WHOLE },
    TranslatedRow { litellm: true, ..BURST },
    TranslatedRow { client: Client::Responses, ..BURST },
    TranslatedRow { client: Client::GenerateContent, ..BURST },
    TranslatedRow {
        title: "1 KB, 64 events 3 ms apart",
        behaviour: Behaviour::Paced,
        requests: 240,
        target: 1.15,
        litellm: true,
        ..WHOLE
    },
    TranslatedRow { litellm: true, ..ITEMS },
    TranslatedRow { client: Client::Responses, ..ITEMS },
    TranslatedRow {
        title: "an answer of 1 MB, whole",
        behaviour: Behaviour::Megabyte,
        requests: 300,
        target: 2.5,
        ..WHOLE
    },
];

const WHOLE: TranslatedRow = TranslatedRow {
    title: "1 KB, whole",
    client: Client::Messages,
    body: Kind::Small,
    behaviour: Behaviour::Whole,
    requests: 10_000,
    compared: Compared::Ratio,
    target: 1.5,
    litellm: false,
};

const BURST: TranslatedRow = TranslatedRow {
    title: "1 KB, 68 events in one burst",
    behaviour: Behaviour::Burst,
    requests: 2_000,
    target: 2.5,
    ..WHOLE
};

/// In microseconds: 6 ms.
const ITEMS: TranslatedRow = TranslatedRow {
    title: "1 MB of 600 items, whole",
    body: Kind::Items,
    requests: 300,
    compared: Compared::Difference,
    target: 6_000.0,
    ..WHOLE
};

/// A row whose figure is the most resident memory while answers are translated, beside the same passed through.
pub struct MemoryRow {
    /// What it is called in the table.
    pub title: &'static str,
    /// Who asks.
    pub client: Client,
    /// What the upstream answers.
    pub behaviour: Behaviour,
    /// The most that is meant, in MB above what passing through takes.
    pub target: f64,
}

/// How many such answers go by, one after the other.
pub const PEAK_REQUESTS: u64 = 2;

/// The translations' rows of memory. What a client's dialect can say piece by piece is not kept: what is, is said there.
pub const MEMORY: [MemoryRow; 7] = [
    MemoryRow { title: "an answer of 1 MB, whole", behaviour: Behaviour::Megabyte, ..TEXT },
    TEXT,
    MemoryRow { client: Client::GenerateContent, ..TEXT },
    MemoryRow { title: "a stream of one call with 20 MB of arguments", behaviour: Behaviour::Argument, ..TEXT },
    MemoryRow { title: "a stream of 200 calls with 20 MB of arguments", behaviour: Behaviour::Parallel, ..TEXT },
    // The last events of Responses repeat all that was said, and generateContent has no part of a call.
    MemoryRow {
        title: "a stream of one call with 20 MB of arguments",
        client: Client::Responses,
        behaviour: Behaviour::Argument,
        target: 160.0,
    },
    MemoryRow {
        title: "a stream of one call with 20 MB of arguments",
        client: Client::GenerateContent,
        behaviour: Behaviour::Argument,
        target: 160.0,
    },
];

const TEXT: MemoryRow = MemoryRow {
    title: "a stream of 200 MB of text",
    client: Client::Messages,
    behaviour: Behaviour::Text,
    target: 16.0,
};
