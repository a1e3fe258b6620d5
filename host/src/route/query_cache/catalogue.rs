//! The live list of one account's models, ready to be asked on the way of a request.

use std::collections::HashMap;

use bitrouter_contract::description::Model;
use bitrouter_files::Timestamp;

/// The models that one account may use, in the provider's own order.
#[derive(Debug)]
pub struct Catalogue {
    models: Vec<Model>,
    at: HashMap<String, usize>,
    /// When the provider told it.
    pub told_at: Timestamp,
}

impl Catalogue {
    /// A list that was told then.
    pub(super) fn new(models: &[Model], told_at: Timestamp) -> Self {
        let at = models.iter().enumerate().map(|(index, model)| (model.id.clone(), index)).collect();
        Catalogue { models: models.to_vec(), at, told_at }
    }

    /// The model of this name.
    pub fn get(&self, id: &str) -> Option<&Model> {
        self.models.get(*self.at.get(id)?)
    }

    /// All of them.
    pub fn models(&self) -> &[Model] {
        &self.models
    }
}
