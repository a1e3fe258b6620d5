//! The routing decision in words, without sending anything.

use serde::Serialize;

use super::nearest::nearest_of_all;
use super::{Providers, Target};
use crate::credential::AccountError;

/// What an address leads to.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// As it was asked.
    pub address: String,
    /// Where requests would go, in order.
    pub targets: Vec<ExplainedTarget>,
    /// What is worth knowing.
    pub notes: Vec<String>,
    /// Why nothing serves it.
    pub problem: Option<String>,
}

/// One target in words.
#[derive(Clone, Debug, Serialize)]
pub struct ExplainedTarget {
    /// The provider's id.
    pub provider: String,
    /// The provider's own name of the model.
    pub model: String,
    /// The account's label; none if there is no credential.
    pub account: Option<String>,
    /// The origin that requests go to.
    pub origin: String,
    /// The dialects that it serves without translation.
    pub dialects: Vec<String>,
    /// Whether the catalogue lists the model.
    pub known: bool,
}

impl Providers {
    /// The decision for an address.
    pub fn explain(&self, address: &str) -> Explanation {
        let mut explanation =
            Explanation { address: address.to_owned(), targets: Vec::new(), notes: Vec::new(), problem: None };
        match self.resolve(address) {
            Ok(target) => self.explain_target(&target, &mut explanation),
            Err(error) => explanation.problem = Some(error.to_string()),
        }
        explanation
    }

    fn explain_target(&self, target: &Target, explanation: &mut Explanation) {
        let provider = &target.provider;
        let known = provider.lists(&target.model);
        let mut account = None;
        if provider.accounts.needs_credential() {
            match provider.accounts.select(target.label.as_deref()) {
                Ok(credential) => account = Some(credential.label.clone()),
                // The address is right, and a login makes it work: that is no failure of the question.
                Err(AccountError::NotLoggedIn { provider, .. }) => {
                    let label = target.label.as_ref().map_or_else(String::new, |label| format!(" --label {label}"));
                    explanation.notes.push(format!("no account is logged in: bitrouter login {provider}{label}"));
                }
                Err(error) => explanation.problem = Some(error.to_string()),
            }
        }
        if !known {
            explanation.notes.push(format!("`{}` is not in the catalogue: passes through", target.model));
            let catalogue = provider.catalogue();
            let near = nearest_of_all(&target.model, catalogue.iter().map(|model| model.id.as_str()), 3);
            if !near.is_empty() {
                explanation.notes.push(format!("nearest in the catalogue: {}", near.join(", ")));
            }
        }
        let listed = provider.entry(&target.model);
        let operation = listed.as_ref().and_then(|model| model.operations.first()).map_or("generate", String::as_str);
        explanation.targets.push(ExplainedTarget {
            provider: provider.id().to_owned(),
            model: target.model.clone(),
            account,
            origin: provider.origins.get("api").map(ToString::to_string).unwrap_or_default(),
            dialects: provider.plugin.dialects(operation).to_vec(),
            known,
        });
    }
}
