//! Checking what `describe` returned, once, at load: everything behind this room may rely on it.

mod alike;
mod auth;
mod login;
mod mistakes;
mod origins;

use std::collections::BTreeMap;

pub use alike::paths;
pub use mistakes::mistakes;

use crate::cut::one_line;
use crate::description::{Attach, AttachTo, Auth, Description, Region, understood};
use crate::{Forward, Reserved};

/// What is wrong with a description.
#[derive(Debug, thiserror::Error)]
pub enum Invalid {
    /// It has more bytes than anybody reads.
    #[error("it has {0} bytes")]
    TooLong(usize),
    /// It is not JSON of the schema.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// One member is not what it should be.
    #[error("{place}: {problem}")]
    Member {
        /// The member.
        place: String,
        /// What is wrong with it.
        problem: String,
    },
}

/// The operations of this contract version.
pub const OPERATIONS: [&str; 18] = [
    "generate",
    "count-tokens",
    "compact",
    "embeddings",
    "completions",
    "moderations",
    "images/generations",
    "images/edits",
    "images/variations",
    "audio/speech",
    "audio/transcriptions",
    "audio/translations",
    "models",
    "responses",
    "conversations",
    "files",
    "uploads",
    "batches",
];

/// Parses and checks a description.
///
/// # Errors
///
/// The first thing that is wrong with it. What it says that this version does not know is no mistake: that is left out,
/// and named in [`Description::not_understood`].
pub fn description(json: &str) -> Result<Description, Invalid> {
    let mut value: serde_json::Value = serde_json::from_str(json)?;
    let not_understood = understood::prune(&mut value)?;
    let description = Description { not_understood, ..serde_json::from_value(value)? };
    match problems(&description).into_iter().next() {
        None => Ok(description),
        Some((place, problem)) => Err(Invalid::Member { place, problem }),
    }
}

/// Everything that is wrong with a description: the member, and the problem.
fn problems(description: &Description) -> Vec<(String, String)> {
    let mut wrong = Vec::new();
    let mut fault = |place: &str, problem: String| wrong.push((place.to_owned(), problem));
    let ids = [("id", Some(&description.id)), ("vendor", description.vendor.as_ref())];
    for (place, id) in ids.into_iter().filter_map(|(place, id)| Some((place, id?))).filter(|(_, id)| !is_id(id)) {
        fault(place, format!("`{}` is not of the form [a-z][a-z0-9-]{{0,31}}", id.escape_debug()));
    }
    if !description.origins.contains_key("api") && !description.use_only {
        fault("origins", "there is no origin named `api`".into());
    }
    for (place, problem) in origins::problems(description) {
        fault(&place, problem);
    }
    if description.serves.is_empty() {
        fault("serves", "no operation is served".into());
    }
    let of_models = description.by_model.iter().enumerate();
    let of_models = of_models.map(|(at, rule)| (format!("by_model.{at}.serves"), &rule.serves));
    for (place, serves) in std::iter::once(("serves".to_owned(), &description.serves)).chain(of_models) {
        for (operation, dialects) in serves {
            let place = format!("{place}.{operation}");
            if !OPERATIONS.contains(&operation.as_str()) {
                fault(&place, format!("no such operation; known are {}", OPERATIONS.join(", ")));
            }
            if dialects.is_empty() {
                fault(&place, "no dialect is named".into());
            }
        }
    }
    let mut origins = description.origins.clone();
    if description.use_only {
        origins.entry("api".into()).or_default();
    }
    for (index, auth) in description.auth.iter().enumerate() {
        if let Some((member, problem)) = auth_problem(auth, &origins) {
            fault(&format!("auth.{index}.{member}"), problem);
        }
        if let Auth::AwsSigv4(aws) = auth
            && let Region::Setting { setting } = &aws.region
            && !description.settings.contains_key(setting)
        {
            fault(&format!("auth.{index}.region"), format!("there is no setting named `{setting}`"));
        }
    }
    if let Err(error) = Forward::new(&description.forward, Reserved::new(&description.auth)) {
        fault("forward", error.to_string());
    }
    for (name, side) in &description.side_requests {
        if !origins.contains_key(&side.origin) {
            fault(&format!("side_requests.{name}.origin"), format!("there is no origin named `{}`", side.origin));
        }
    }
    if !(1..=1000).contains(&description.exchanges.most) {
        fault("exchanges.most", "it is not between 1 and 1000".into());
    }
    if description.exchanges.wait_ms > 3_600_000 {
        fault("exchanges.wait_ms", "it is longer than an hour: at most 3600000".into());
    }
    wrong.extend(alike::problems(description));
    // Both hold words of the description, and go to terminals and logs.
    wrong.into_iter().map(|(place, problem)| (one_line(&place), one_line(&problem))).collect()
}

/// Whether a text may be the id of a provider or a vendor: 1 to 32 of `a-z`, `0-9` and `-`, a letter first.
pub fn is_id(id: &str) -> bool {
    let mut letters = id.bytes();
    letters.next().is_some_and(|first| first.is_ascii_lowercase())
        && id.len() <= 32
        && letters.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// What is wrong with one way of paying, and in which member; none where it is sound.
pub fn auth_problem(auth: &Auth, origins: &BTreeMap<String, String>) -> Option<(String, String)> {
    if let Some(name) = auth.origins().iter().find(|name| !origins.contains_key(*name)) {
        return Some(("origins".into(), format!("there is no origin named `{name}`")));
    }
    if let Some(problem) = auth.attach().iter().find_map(|attach| check_attach(attach).err()) {
        return Some(("attach".into(), problem));
    }
    match auth {
        Auth::Oauth(oauth) => login::problem(oauth, origins),
        other => auth::check(other, origins).err(),
    }
}

fn check_attach(attach: &Attach) -> Result<(), String> {
    if attach.format.matches("{}").count() != 1 {
        return Err(format!("the format `{}` must hold {{}} once", attach.format));
    }
    match &attach.place {
        AttachTo::Header(name) => {
            let name =
                http::HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("`{name}` is not a header name"))?;
            const FRAMING: [&str; 5] = ["host", "content-length", "transfer-encoding", "connection", "upgrade"];
            if FRAMING.contains(&name.as_str()) { Err(format!("`{name}` frames the message")) } else { Ok(()) }
        }
        AttachTo::Query(_) => Ok(()),
    }
}
