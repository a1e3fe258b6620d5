//! The call as a component sees it.

use bitrouter_contract::pattern;
use bitrouter_plugin::contract::{Account, Call, Field};

use super::attempt::Attempt;
use crate::call::Endpoint;
use crate::route::Target;

/// The longest claim that a component is shown, in bytes.
const MAX_CLAIM: usize = 256;

/// Describes a call, in the dialect in which it goes up, to the target's component: nothing in it is secret.
pub(super) fn call(
    attempt: &Attempt<'_>,
    endpoint: &Endpoint,
    dialect: &str,
    target: &Target,
    streaming: bool,
    query: Option<&str>,
) -> Call {
    let provider = &attempt.provider;
    let description = &provider.plugin.description;
    let headers = provider.forward.headers(attempt.headers).filter_map(|(name, value)| {
        Some(Field { name: name.as_str().to_owned(), value: value.to_str().ok()?.to_owned() })
    });
    let account = attempt.credential.as_ref().map(|credential| Account {
        label: credential.label.to_string(),
        claims: credential
            .claims
            .iter()
            .filter(|(name, value)| description.claims.contains(name) && value.len() <= MAX_CLAIM)
            .map(|(name, value)| Field { name: name.clone(), value: value.clone() })
            .collect(),
    });
    let query = query.filter(|_| !description.forward_query.is_empty()).unwrap_or_default();
    let query = form_urlencoded::parse(query.as_bytes())
        .filter(|(name, _)| pattern::any(&description.forward_query, name))
        .map(|(name, value)| Field { name: name.into_owned(), value: value.into_owned() });
    Call {
        operation: endpoint.operation.to_owned(),
        dialect: dialect.to_owned(),
        model: target.model.clone(),
        streaming,
        headers: headers.collect(),
        query: query.collect(),
        settings: provider.settings.clone(),
        account,
        provider: provider.id().to_owned(),
        // Nobody reads it where there is no code.
        model_info: if !provider.plugin.is_described_alone() {
            provider.model_info(&target.model)
        } else {
            "{}".into()
        },
        attempt: attempt.number,
        more: String::new(),
    }
}
