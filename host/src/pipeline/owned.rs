//! Who may be asked where a call names objects that a provider keeps: the account that made them, and nobody else. What nobody
//! is known to have made is not found, and asks nobody.
//!
//! `first_answer` has the targets of each call from here, and `attempt` the request for an object. Which ids a call names and an
//! answer brings is said by the rules of the descriptions (`owner`); what answers brought is remembered by `answer/learn.rs`.

use std::sync::Arc;

use bitrouter_contract::described::{RequestedCall, request};
use bitrouter_contract::description::{OBJECTS, Owner};
use bitrouter_dialect::history::Name;
use bitrouter_document::{Cell, Document, Find, Kind};
use bitrouter_plugin::HookBody;
use bitrouter_plugin::contract::types::Body;
use bitrouter_plugin::contract::{self, Delivery, Field};
use bitrouter_route::{Addresses, Wanted};

use super::answer::learn::Learning;
use super::attempt::Attempt;
use super::candidates;
use super::translate::Translations;
use crate::app::App;
use crate::call::{Call, CallBody, Object, PROVIDER};
use crate::caller::Caller;
use crate::error::Error;
use crate::history::ObjectOwner;
use crate::route::{Provider, Providers, Target};

/// The longest value of `unless` that is compared, in bytes.
const FLAG: u32 = 64;
/// Members of bodies and parameters that an error names.
const PARAMS: [&str; 10] = [
    "input",
    "messages",
    "conversation",
    "input_file_id",
    "tools",
    "items",
    "requests",
    "after",
    "after_id",
    "before_id",
];

/// An object that a call names.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Named {
    object: String,
    id: String,
    /// The member of the body or the parameter of the query.
    param: String,
}

/// An object that a call names, with whoever keeps it for the caller.
type Kept = (Named, Option<ObjectOwner>);

/// The targets of a call, in the order in which they are tried. Where it names objects, it is the one that keeps them.
pub(super) async fn targets(app: &App, call: &mut Call) -> Result<Vec<Target>, Error> {
    let Some(object) = call.object.clone() else {
        let targets = candidates::targets(app, call).await?;
        return Ok(keeping(app, call, targets).await?.0);
    };
    let operation = object.endpoint.operation;
    if let Some(id) = object.id() {
        let owner = app.history.owners.find(call.caller, operation, id).await;
        let owner = owner.ok_or_else(|| Error::NoObject { object: operation, id: id.to_owned(), param: "id" })?;
        return Ok(vec![at(app, call, &owner, id).await?]);
    }
    let said = addressed(app, call, operation).await?;
    let is_said = said.is_some();
    let serving = match said {
        Some(targets) => targets,
        None => serving(app, call).await?,
    };
    let (mut targets, is_owned) = keeping(app, call, serving).await?;
    if !is_said && !is_owned {
        expected(&mut targets);
        if targets.len() != 1 {
            let among = targets.iter().map(|target| target.provider.id().to_owned()).collect();
            return Err(Error::WhichProvider { object: operation, among });
        }
    }
    if object.is_list() {
        targets.truncate(1);
    }
    Ok(targets)
}

/// Where an object is asked for that this owner keeps.
async fn at(app: &App, call: &Call, owner: &ObjectOwner, id: &str) -> Result<Target, Error> {
    let providers = known(app, &owner.provider).await?;
    let Some(provider) = providers.by_id.get(&owner.provider) else { return Err(gone(&providers, owner, id)) };
    if !provider.enabled || provider.fault.is_some() {
        return Err(gone(&providers, owner, id));
    }
    let wanted = call.endpoint.wanted();
    if !provider.serves(wanted, wanted.operation) {
        let served_by = providers.serving(wanted);
        return Err(Error::NotServed { provider: owner.provider.clone(), wanted: wanted.words(), served_by });
    }
    Ok(Target { provider: Arc::clone(provider), model: wanted.operation.to_owned(), label: label(owner) })
}

/// The providers, once this one is there or known not to be.
async fn known(app: &App, provider: &str) -> Result<Arc<Providers>, Error> {
    let providers = app.directory.now();
    if providers.by_id.contains_key(provider) || providers.pending == 0 {
        return Ok(providers);
    }
    let providers = app.directory.settled().await;
    match providers.by_id.contains_key(provider) || providers.pending == 0 {
        true => Ok(providers),
        false => Err(Error::Compiling),
    }
}

/// What the client is told of an owner that does not serve.
fn gone(providers: &Providers, owner: &ObjectOwner, id: &str) -> Error {
    let why = match providers.by_id.get(&owner.provider) {
        None => "this provider is not loaded".to_owned(),
        Some(provider) => match &provider.fault {
            Some(fault) => format!("providers.{} in bitrouter.yaml: {fault}", owner.provider),
            None => format!("it is switched off by providers.{}.enabled in bitrouter.yaml", owner.provider),
        },
    };
    Error::NotServing { provider: owner.to_string(), reason: format!("`{id}` is there and nowhere else, and {why}") }
}

fn label(owner: &ObjectOwner) -> Option<String> {
    Some(owner.account.clone()).filter(|label| !label.is_empty())
}

/// The targets that the client's header names, or the user's own name for the operation; none where neither is there.
async fn addressed(app: &App, call: &mut Call, operation: &str) -> Result<Option<Vec<Target>>, Error> {
    let named = call.headers.get(PROVIDER).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let address = match &named {
        Some(provider) => format!("{provider}:{operation}"),
        None if app.directory.now().names.find(operation).is_some() => operation.to_owned(),
        None => return Ok(None),
    };
    call.addresses = Addresses::one(address)?;
    candidates::targets(app, call).await.map(Some).map_err(|error| match error {
        Error::Address { message, .. } if named.is_some() => Error::Address { message, param: PROVIDER },
        error => error,
    })
}

/// Leaves those that may be asked where nothing says who: they answer to more than their own names, and come first by `priority`.
fn expected(targets: &mut Vec<Target>) {
    targets.retain(|target| target.provider.plugin.trusted && !target.provider.plugin.description.explicit);
    let first = targets.iter().map(|target| target.provider.priority).min();
    targets.retain(|target| Some(target.provider.priority) == first);
}

/// The active providers that have such objects.
async fn serving(app: &App, call: &Call) -> Result<Vec<Target>, Error> {
    let wanted = call.endpoint.wanted();
    let providers = app.directory.settled().await;
    let mut active = providers.active();
    active.retain(|provider| provider.serves(wanted, wanted.operation));
    if active.is_empty() && providers.pending > 0 {
        return Err(Error::Compiling);
    }
    let model = wanted.operation;
    let target = |provider| Target { provider: Arc::clone(provider), model: model.to_owned(), label: None };
    Ok(active.into_iter().map(target).collect())
}

/// The target that keeps all that a call names by the rules of its provider, at the account that keeps it; where none does, those by
/// whose rules it names nothing. And whether it is the former.
async fn keeping(app: &App, call: &mut Call, targets: Vec<Target>) -> Result<(Vec<Target>, bool), Error> {
    let wanted = call.endpoint.wanted();
    // Most providers have the rule of their dialect, which is read once.
    let mut read: Vec<(Arc<Provider>, Vec<Kept>)> = Vec::new();
    let (mut free, mut at_owner, mut refused) = (Vec::with_capacity(targets.len()), None, None);
    for mut target in targets {
        let provider = Arc::clone(&target.provider);
        let Some(rule) = rule_of(&provider, wanted).filter(|rule| !rule.names.is_empty()) else {
            free.push(target);
            continue;
        };
        let at = match read.iter().position(|(known, _)| rule_of(known, wanted) == Some(rule)) {
            Some(at) => at,
            None => {
                let named = names(call, rule)?;
                read.push((Arc::clone(&provider), with_owners(app, call.caller, named).await));
                read.len() - 1
            }
        };
        let Some((first, _)) = read[at].1.first() else {
            free.push(target);
            continue;
        };
        match owner_of_all(&read[at].1) {
            Ok(owner) => {
                let native = target.provider.dialect_for(wanted, &target.model) == Some(wanted.dialect);
                let account = label(owner);
                let same = target.provider.id() == owner.provider;
                if native && same && (target.label.is_none() || target.label == account) {
                    target.label = account;
                    at_owner.get_or_insert(target);
                } else if refused.is_none() {
                    refused = Some(elsewhere(app, first, owner).await?);
                }
            }
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    match (at_owner, refused) {
        (Some(target), _) => Ok((vec![target], true)),
        (None, Some(error)) if free.is_empty() => Err(error),
        (None, _) => Ok((free, false)),
    }
}

/// Its rule for calls of this kind.
fn rule_of<'p>(provider: &'p Provider, wanted: Wanted<'_>) -> Option<&'p Owner> {
    provider.plugin.description.owner_of(wanted.operation, wanted.dialect)
}

async fn with_owners(app: &App, caller: Caller, named: Vec<Named>) -> Vec<Kept> {
    let mut kept = Vec::with_capacity(named.len());
    for named in named {
        let owner = app.history.owners.find(caller, &named.object, &named.id).await;
        kept.push((named, owner));
    }
    kept
}

/// The one owner of all that is named.
fn owner_of_all(named: &[Kept]) -> Result<&ObjectOwner, Error> {
    let mut all: Option<(&Named, &ObjectOwner)> = None;
    for (named, owner) in named {
        let Some(owner) = owner else { return Err(unknown(named)) };
        match all {
            Some((first, other)) if other != owner => {
                let (ids, owners) = ([first.id.clone(), named.id.clone()], [other.to_string(), owner.to_string()]);
                return Err(Error::SeveralOwners { ids, owners });
            }
            Some(_) => {}
            None => all = Some((named, owner)),
        }
    }
    all.map(|(_, owner)| owner).ok_or_else(|| Error::Internal("no object is named".to_owned()))
}

/// What the client is told of an id that nobody is known to have made for it.
fn unknown(named: &Named) -> Error {
    let Named { object, id, param } = named;
    if param == "previous_response_id" {
        return Error::NotKept(Name::Response(id.clone()));
    }
    let word = |all: &[&'static str], text: &str| all.iter().find(|word| **word == text).copied();
    Error::NoObject {
        object: word(&OBJECTS, object).unwrap_or("files"),
        id: id.clone(),
        param: word(&PARAMS, param).unwrap_or("id"),
    }
}

/// What the client is told where the call does not go to the owner of what it names.
async fn elsewhere(app: &App, named: &Named, owner: &ObjectOwner) -> Result<Error, Error> {
    let providers = known(app, &owner.provider).await?;
    let serves = providers.by_id.get(&owner.provider).is_some_and(|it| it.enabled && it.fault.is_none());
    Ok(match serves {
        true => Error::OwnedElsewhere { id: named.id.clone(), owner: owner.to_string() },
        false => gone(&providers, owner, &named.id),
    })
}

/// The objects that a call names by this rule, each once.
fn names(call: &mut Call, rule: &Owner) -> Result<Vec<Named>, Error> {
    let mut named = Vec::new();
    let mut add = |object: &str, id: String, param: &str| {
        let found = Named { object: object.to_owned(), id, param: param.to_owned() };
        if !found.id.is_empty() && !named.contains(&found) {
            named.push(found);
        }
    };
    let mut opaque = match &call.body {
        CallBody::Opaque { content_type, bytes } if content_type.contains("json") => {
            Some(Document::parse(bytes.clone())?)
        }
        _ => None,
    };
    let mut document = match &mut call.body {
        CallBody::Json(document) => Some(document),
        CallBody::Opaque { .. } | CallBody::Form { .. } | CallBody::None => opaque.as_mut(),
    };
    // Most bodies name no file: to search for the word costs less than to look at every message. Who shares the gateway with
    // others is looked at closely, for a word can be written in more than one way.
    let body = document.as_ref().filter(|_| call.caller == Caller::Anybody).map(|body| body.output().into_bytes());
    for (place, object) in &rule.names {
        if let Some(parameter) = place.strip_prefix('?') {
            let pairs = form_urlencoded::parse(call.query.as_deref().unwrap_or_default().as_bytes());
            pairs.filter(|(name, _)| name == parameter).for_each(|(_, id)| add(object, id.into_owned(), parameter));
            continue;
        }
        let word = place.rsplit('/').find(|token| *token != "*").unwrap_or_default();
        let is_absent = |body: &bytes::Bytes| memchr::memmem::find(body, word.as_bytes()).is_none();
        if place.contains('*') && body.as_ref().is_some_and(is_absent) {
            continue;
        }
        let param = place.split('/').nth(1).unwrap_or_default();
        if let Some(document) = &mut document {
            ids_at(document, place)?.into_iter().for_each(|id| add(object, id, param));
        }
    }
    Ok(named)
}

/// The texts at a JSON pointer in which `*` stands for every item of a list.
pub(super) fn ids_at(document: &mut Document, place: &str) -> Result<Vec<String>, bitrouter_document::Error> {
    let text = |json: &str| serde_json::from_str::<String>(json).ok();
    if !place.contains('*') {
        return match document.kind(place)? {
            Some(Kind::String) => Ok(document.get(place, u32::MAX)?.and_then(|json| text(&json)).into_iter().collect()),
            _ => Ok(Vec::new()),
        };
    }
    let matches = document.find(&Find { fields: &[""], ..Find::all(place) })?;
    let found = matches.rows().filter_map(|(_, cells)| match cells {
        [Cell::Value(json)] => text(json),
        _ => None,
    });
    Ok(found.collect())
}

/// The request for an object: the path of its operation, what stood behind it, and the client's query and body as they came. No
/// component sees it.
pub(super) fn request(
    attempt: &Attempt<'_>,
    described: &contract::Call,
    call: &Call,
    object: &Object,
) -> Result<Arc<contract::Request>, Error> {
    let contract::Call { operation, dialect, model, streaming, headers, settings, .. } = described;
    let requested = RequestedCall { operation, dialect, model, streaming: *streaming, settings };
    let forwarded = |name: &str| headers.iter().any(|field| field.name == name);
    let shaped = request::object(&attempt.provider.plugin.description, requested, &object.segments, forwarded);
    // Its targets serve it, so it is a segment that no path can hold.
    let shaped = shaped.map_err(|_| Error::NoObject {
        object: object.endpoint.operation,
        id: object.segments.last().cloned().unwrap_or_default(),
        param: "id",
    })?;
    let query: Vec<_> = form_urlencoded::parse(call.query.as_deref().unwrap_or_default().as_bytes()).collect();
    let shaped = shaped.with_query(query.iter().map(|(name, value)| (&**name, &**value)));
    let field = |(name, value)| Field { name, value };
    Ok(Arc::new(contract::Request {
        method: object.method.as_str().to_owned(),
        origin: shaped.origin,
        path: shaped.path,
        values: Vec::new(),
        query: shaped.query.into_iter().map(field).collect(),
        headers: shaped.headers.into_iter().map(field).collect(),
        body: Body::Forward,
        framing: shaped.framing.to_owned(),
        delivery: Delivery::Pass,
        memo: Vec::new(),
        dropped: Vec::new(),
        more: String::new(),
    }))
}

/// What is to be learned of the answer to a request with this body; none where it makes nothing.
pub(super) fn learning(
    attempt: &Attempt<'_>,
    call: &Call,
    translations: &Translations,
    body: &mut HookBody,
) -> Option<Box<Learning>> {
    let object = call.object.as_ref();
    if object.is_some_and(|object| !object.answers_with_objects()) {
        return None;
    }
    let wanted = call.endpoint.wanted();
    let rule = rule_of(&attempt.provider, wanted)?;
    let excepted = |document: &mut Document| {
        let mut unless = rule.unless.iter();
        unless.any(|(place, value)| document.get(place, FLAG).ok().flatten().as_deref() == Some(value))
    };
    let nothing = match body {
        _ if rule.makes.is_empty() => true,
        HookBody::Json(document) => excepted(document),
        HookBody::Opaque { .. } | HookBody::None => false,
    };
    (!nothing).then(|| {
        let owner = ObjectOwner { provider: attempt.id(), account: attempt.label().to_string() };
        Box::new(Learning {
            owners: Arc::clone(&translations.history.owners),
            makes: rule.makes.clone(),
            caller: call.caller,
            owner,
            list: object.filter(|object| object.is_list()).map(|object| object.endpoint.operation),
        })
    })
}
