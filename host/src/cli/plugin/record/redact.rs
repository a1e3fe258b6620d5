//! Takes out of a recorded text what is the user's own: secrets, and the account's claims, each with what stands for it, so
//! that a text that names a claim twice still does.

use bitrouter_credential::Scrubber;
use bitrouter_plugin::contract::{Call, Field};

/// The shortest claim that is looked for in texts: shorter ones, such as `pro`, are everybody's words.
const SHORTEST: usize = 6;
/// Parts of names of headers that say whose the answer is, or when and by which machine it was made.
const OWN: [&str; 17] = [
    "cookie",
    "organization",
    "project",
    "account",
    "user",
    "request-id",
    "trace",
    "cf-",
    "date",
    "server",
    "via",
    "alt-svc",
    "strict-transport",
    "report-to",
    "nel",
    "ray",
    "amzn-requestid",
];

/// What is taken out.
pub(super) struct Redaction<'e> {
    scrubber: Option<&'e Scrubber>,
    /// Each value with what stands for it.
    values: Vec<(String, String)>,
}

impl<'e> Redaction<'e> {
    /// What a call shows of its account.
    pub(super) fn of(call: &Call, scrubber: Option<&'e Scrubber>) -> Self {
        let claims = call.account.iter().flat_map(|account| &account.claims);
        let mut values: Vec<_> = claims
            .filter(|claim| claim.value.len() >= SHORTEST)
            .map(|claim| (claim.value.clone(), stands_for(&claim.name)))
            .collect();
        let label = call.account.as_ref().map(|account| account.label.as_str()).filter(|label| label.len() >= SHORTEST);
        values.extend(label.filter(|label| *label != "default").map(|label| (label.to_owned(), "default".to_owned())));
        // One value may be part of another.
        values.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
        Redaction { scrubber, values }
    }

    /// The text without any of it.
    pub(super) fn text(&self, text: &str) -> String {
        let text = self.scrubber.map_or(text.into(), |scrubber| scrubber.scrub_text(text)).into_owned();
        self.values.iter().fold(text, |text, (value, instead)| text.replace(value, instead))
    }

    /// The headers of an answer that are not the user's own.
    pub(super) fn headers<'f>(&self, headers: &'f [Field]) -> impl Iterator<Item = (&'f str, String)> {
        let own = |field: &&Field| !OWN.iter().any(|part| field.name.contains(part));
        let values = headers.iter().filter(own).map(|field| (field.name.as_str(), self.text(&field.value)));
        values.collect::<Vec<_>>().into_iter()
    }
}

/// What stands for a claim's value.
pub(super) fn stands_for(claim: &str) -> String {
    format!("the-{}", claim.replace('_', "-"))
}

#[cfg(test)]
mod tests {
    use bitrouter_plugin::contract::Account;

    use super::*;

    fn field(name: &str, value: &str) -> Field {
        Field { name: name.into(), value: value.into() }
    }

    #[test]
    fn whose_account_it_is_cannot_be_read_off_what_was_recorded() {
        let claims = vec![field("account_id", "acc-123456"), field("email", "me@example.org"), field("plan", "pro")];
        let call = Call {
            operation: String::new(),
            dialect: String::new(),
            model: String::new(),
            streaming: false,
            headers: Vec::new(),
            query: Vec::new(),
            settings: String::new(),
            account: Some(Account { label: "my-work".into(), claims }),
            provider: String::new(),
            model_info: String::new(),
            attempt: 1,
            more: String::new(),
        };
        let redaction = Redaction::of(&call, None);
        let text = redaction.text("acc-123456 of me@example.org (my-work, pro), id resp_1");
        assert_eq!(text, "the-account-id of the-email (default, pro), id resp_1");
        let headers = [
            field("content-type", "text/event-stream"),
            field("openai-organization", "org-1"),
            field("x-id", "acc-123456"),
        ];
        let kept: Vec<_> = redaction.headers(&headers).collect();
        assert_eq!(kept, [("content-type", "text/event-stream".into()), ("x-id", "the-account-id".to_owned())]);
    }
}
