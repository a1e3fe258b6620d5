//! A call for a target that does not serve its client's dialect: the body in the target's dialect, and what brings the answer
//! back.
//!
//! `attempt` calls it before the component sees the call. A target that serves the client's dialect never comes here.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bitrouter_contract::cut;
use bitrouter_dialect::Dialect;
use bitrouter_dialect::history;
use bitrouter_dialect::translate::{
    self, Answer, AnswerTranslation, Client, Facts, Lost, Owner, States as _, Translated, member_of_client,
};
use bitrouter_document::Document;
use bitrouter_route::Conversation;
use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::keeping::Keeping;
use super::whole;
use crate::call::{Call, Previous};
use crate::caller::Caller;
use crate::error::Error;
use crate::history::{CallStates, History};
use crate::route::Target;

/// The longest value of `include_usage` that says something.
const FLAG: u32 = 8;

/// What holds for the translations of a request.
#[derive(Clone)]
pub(super) struct Translations {
    /// What is kept of conversations, and for whom.
    pub history: History,
    pub caller: Caller,
    /// Whether a request of which something would be lost is refused.
    pub strict: bool,
    /// The request's id.
    pub id: Arc<str>,
}

/// A translation under way: the request is sent, and its answer is to be translated back.
pub(super) struct Translating {
    /// The dialect in which the answer comes.
    pub dialect: Dialect,
    /// What the target was not told.
    pub lost: Lost,
    /// What it is told in a header.
    pub header: Option<(&'static str, String)>,
    client: Dialect,
    /// What the client sent, until it is known what the component left out of it.
    body: Bytes,
    answer: AnswerTranslation,
    owner: StateOwner,
    states: Arc<CallStates>,
    keeping: Option<Keeping>,
}

/// Whose states an answer brings.
#[derive(Clone)]
struct StateOwner {
    provider: String,
    account: String,
    model: String,
}

/// All that a translation needs, away from the request.
struct Work {
    client: Dialect,
    streaming: bool,
    session: Option<String>,
    asked: String,
    dialect: Dialect,
    document: Document,
    /// What the target is asked to write where the client does not say it.
    usual_output: Option<u64>,
    owner: StateOwner,
    translations: Translations,
    /// The response that the request continues; none where its answer is not kept.
    continues: Option<Option<Previous>>,
}

impl Translations {
    /// Translates the body of a call into this dialect.
    pub(super) async fn translate(
        &self,
        call: &Call,
        target: &Target,
        account: &str,
        dialect: Dialect,
        document: Document,
    ) -> Result<(Document, Box<Translating>), Error> {
        let keeps = call.endpoint.shape == Dialect::Responses && call.endpoint.operation == "generate";
        let work = Work {
            client: call.endpoint.shape,
            streaming: call.streaming,
            session: Conversation::id_in(&call.headers).map(str::to_owned),
            asked: call.addresses.first().cloned().unwrap_or_default(),
            dialect,
            owner: StateOwner {
                provider: target.provider.id().to_owned(),
                account: tag(account),
                model: target.model.clone(),
            },
            document,
            // No other dialect demands a number.
            usual_output: (dialect == Dialect::Messages).then(|| target.provider.usual_output(&target.model)).flatten(),
            translations: self.clone(),
            continues: keeps.then(|| call.previous().cloned()),
        };
        whole::work(work.document.body_len(), || work.run()).await?
    }
}

impl Work {
    fn run(mut self) -> Result<(Document, Box<Translating>), Error> {
        let Translations { history, caller, strict, id } = self.translations;
        let states = Arc::clone(&history.call_states);
        // Clients of Chat Completions are told what a stream used only where they ask.
        let asks = |document: &mut Document| {
            document.get("/stream_options/include_usage", FLAG).ok().flatten().as_deref() == Some("true")
        };
        let usage = !self.streaming || asks(&mut self.document);
        let sent = self.document.output().into_bytes();
        let continues = self.continues.filter(|_| history::wants_kept(&sent));
        let keeping = continues.map(|previous| Keeping::of(history, caller.into(), previous.as_ref(), &sent));
        let target = translate::Target {
            dialect: self.dialect,
            model: &self.owner.model,
            owner: self.owner.borrowed(),
            facts: Facts { usual_output: self.usual_output, ..Facts::of(self.dialect, &self.owner.model) },
            states: &*states,
        };
        let client = Client { dialect: self.client, stream: self.streaming, session: self.session.as_deref() };
        let Translated { body, lost, names, header } =
            translate::request(&client, &sent, &target).map_err(|error| {
                let provider = self.owner.provider.clone();
                Error::Untranslatable { provider, dialect: self.dialect, message: error.message, param: error.param }
            })?;
        if strict && !lost.dropped.is_empty() {
            let pointers = cut::sentence(lost.dropped.join(", "));
            return Err(Error::Lost { provider: self.owner.provider, dialect: self.dialect, pointers });
        }
        let answer = Answer {
            client: self.client,
            id: id.chars().filter(char::is_ascii_alphanumeric).skip("req".len()).collect(),
            model: self.asked,
            created: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
            usage,
            names,
        };
        let answer = AnswerTranslation::new(&target, answer);
        let document = Document::parse(body)?;
        Ok((
            document,
            Box::new(Translating {
                dialect: self.dialect,
                lost,
                header,
                client: self.client,
                body: sent,
                answer,
                owner: self.owner,
                states,
                keeping,
            }),
        ))
    }
}

impl Translating {
    /// The translation of its answer.
    pub(super) fn answer(&mut self) -> &mut AnswerTranslation {
        &mut self.answer
    }

    /// What the component left out of the translation, as the client said it.
    pub(super) fn left_out(&mut self, members: &[String]) {
        let sent = std::mem::take(&mut self.body);
        let (client, target) = (self.client, self.dialect);
        self.lost.dropped.extend(members.iter().filter_map(|member| member_of_client(&sent, client, target, member)));
    }

    /// Keeps what has come for clients that name it later or cannot keep it: states, and an answer that is whole.
    pub(super) fn keep(&mut self) {
        if self.keeping.is_some()
            && let Some(response) = self.answer.response()
            && let Some(keeping) = self.keeping.take()
        {
            keeping.keep(&response);
        }
        for (call, state) in self.answer.take_states() {
            self.states.keep(&self.owner.borrowed(), &call, &state);
        }
    }
}

impl StateOwner {
    fn borrowed(&self) -> Owner<'_> {
        Owner { provider: &self.provider, account: &self.account, model: &self.model }
    }
}

/// Tells an account from the provider's others without saying its label, which may be somebody's address.
fn tag(label: &str) -> String {
    let digest = Sha256::digest(label.as_bytes());
    let (first, _) = digest.split_at(size_of::<u64>());
    let first = first.try_into().map_or(0, u64::from_be_bytes);
    // Six bytes of it.
    format!("{:012x}", first >> 16)
}
