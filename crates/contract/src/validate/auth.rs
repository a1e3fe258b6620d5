//! Checking the ways of paying that are more than one key: their secrets have names, what is filled in exists, and paths stay
//! under their origin.

use std::collections::BTreeMap;

use http::HeaderName;

use crate::Origin;
use crate::description::{AWS_SECRETS, Attach, Auth, BASIC_SECRETS, Exchange, GoogleServiceAccount, Region, Secret};
use crate::template::{fill, holes};

/// What is wrong, and in which member.
type Problem = (String, String);

fn fault<T>(member: &str, problem: impl Into<String>) -> Result<T, Problem> {
    Err((member.to_owned(), problem.into()))
}

/// Whether a way of paying that is no login is sound. The origins are well-formed.
pub(super) fn check(auth: &Auth, origins: &BTreeMap<String, String>) -> Result<(), Problem> {
    check_names(auth.secrets())?;
    check_attach(auth.attach(), auth.secrets())?;
    match auth {
        Auth::ApiKey(_) | Auth::Oauth(_) => Ok(()),
        Auth::Keys(keys) if keys.secrets.is_empty() => fault("secrets", "it names no secret"),
        Auth::Keys(_) => Ok(()),
        Auth::Basic(basic) => check_given(&basic.secrets, &BASIC_SECRETS, BASIC_SECRETS.len()),
        Auth::AwsSigv4(aws) => {
            let ok = |name: &str| {
                !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
            };
            if !ok(&aws.service) {
                return fault("service", format!("`{}` is not the name of a service", aws.service.escape_debug()));
            }
            if let Region::Named(region) = &aws.region
                && !ok(region)
            {
                return fault("region", format!("`{}` is not the name of a region", region.escape_debug()));
            }
            check_given(&aws.secrets, &AWS_SECRETS, 2)
        }
        Auth::GoogleServiceAccount(google) => of_google(google, origins),
        Auth::Exchange(exchange) => of_exchange(exchange, origins),
    }
}

fn check_names(secrets: &[Secret]) -> Result<(), Problem> {
    for (at, secret) in secrets.iter().enumerate() {
        let name = &secret.name;
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if name.len() > 32 || !name.starts_with(|first: char| first.is_ascii_lowercase()) || !name.bytes().all(fits) {
            let problem = format!("`{}` is not of the form [a-z][a-z0-9_]{{0,31}}", name.escape_debug());
            return fault(&format!("secrets.{at}.name"), problem);
        }
        if secrets[..at].iter().any(|before| before.name == *name) {
            return fault(&format!("secrets.{at}.name"), format!("there are two secrets named `{name}`"));
        }
    }
    Ok(())
}

fn check_attach(rules: &[Attach], secrets: &[Secret]) -> Result<(), Problem> {
    let named = rules.iter().filter_map(|rule| rule.secret.as_ref());
    match named.into_iter().find(|name| secrets.iter().all(|secret| secret.name != **name)) {
        Some(name) => fault("attach", format!("there is no secret named `{name}`")),
        None => Ok(()),
    }
}

/// Whether these are all that the method goes by; what stands behind the first `needed` may be missing.
fn check_given(secrets: &[Secret], names: &[&str], needed: usize) -> Result<(), Problem> {
    if let Some(unknown) = secrets.iter().find(|secret| !names.contains(&secret.name.as_str())) {
        return fault("secrets", format!("`{}` is not one of {}", unknown.name, names.join(", ")));
    }
    let there = |name: &str| secrets.iter().any(|secret| secret.name == name && !secret.optional);
    match names[..needed].iter().find(|name| !there(name)) {
        Some(missing) => fault("secrets", format!("there is no `{missing}`, or it is optional")),
        None => Ok(()),
    }
}

fn issuer(name: &str, origins: &BTreeMap<String, String>) -> Result<Origin, Problem> {
    let origin = origins.get(name).and_then(|url| url.parse::<Origin>().ok());
    origin.map_or_else(|| fault("origin", format!("there is no origin named `{name}`")), Ok)
}

fn of_google(google: &GoogleServiceAccount, origins: &BTreeMap<String, String>) -> Result<(), Problem> {
    if google.scopes.is_empty() {
        return fault("scopes", "a token is for at least one scope");
    }
    let joined = issuer(&google.origin, origins)?.join::<&str, &str>(&google.path, &[]);
    joined.map(drop).or_else(|error| fault("path", error.to_string()))
}

fn of_exchange(exchange: &Exchange, origins: &BTreeMap<String, String>) -> Result<(), Problem> {
    if exchange.secrets.is_empty() {
        return fault("secrets", "it names no secret");
    }
    let own = [("path".to_owned(), &exchange.path)];
    let of = |member: &str, (name, text)| (format!("{member}.{name}"), text);
    let parameters = exchange.parameters.iter().map(|entry| of("parameters", entry));
    let headers = exchange.headers.iter().map(|entry| of("headers", entry));
    for (member, text) in own.into_iter().chain(parameters).chain(headers) {
        let holes = holes(text).or_else(|problem| fault(&member, problem))?;
        if let Some(hole) = holes.iter().find(|hole| exchange.secrets.iter().all(|secret| secret.name != **hole)) {
            return fault(&member, format!("there is no secret named `{hole}`"));
        }
    }
    for (name, text) in &exchange.headers {
        let header = HeaderName::from_bytes(name.as_bytes()).ok();
        let header = header.filter(|name| !crate::header::frames_message(name));
        if header.is_none() || !text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return fault(&format!("headers.{name}"), "it is no header that may be set, or not in visible ASCII");
        }
    }
    for (member, pointer) in
        [("token", &exchange.token), ("expires_in", &exchange.expires_in), ("expires_at", &exchange.expires_at)]
    {
        if !pointer.starts_with('/') {
            return fault(member, format!("the pointer `{pointer}` does not begin with `/`"));
        }
    }
    let path = fill(&exchange.path, |_| Some("x"), |value, into| into.push_str(value));
    let joined = issuer(&exchange.origin, origins)?.join::<&str, &str>(&path, &[]);
    joined.map(drop).or_else(|error| fault("path", error.to_string()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn check_of(auth: &Value) -> Result<(), Problem> {
        let origins = [("api", "https://api.example"), ("auth", "https://auth.example/tenant")];
        let origins = origins.map(|(name, url)| (name.to_owned(), url.to_owned())).into();
        check(&serde_json::from_value(auth.clone()).unwrap(), &origins)
    }

    fn exchange() -> Value {
        json!({
            "method": "exchange", "secrets": [{ "name": "tenant" }, { "name": "client_id" }, { "name": "client_secret" }],
            "path": "/{tenant}/token", "headers": { "x-tenant": "{tenant}" },
            "parameters": { "grant_type": "client_credentials", "client_id": "{client_id}", "client_secret": "{client_secret}" },
        })
    }

    #[test]
    fn what_is_said_in_few_words_is_sound() {
        for auth in [
            exchange(),
            json!({ "method": "basic" }),
            json!({ "method": "aws-sigv4", "service": "bedrock", "region": { "setting": "region" } }),
            json!({ "method": "aws-sigv4", "service": "bedrock", "region": "us-east-1" }),
            json!({ "method": "google-service-account" }),
            json!({ "method": "keys", "secrets": [{ "name": "id" }, { "name": "key" }],
                    "attach": [{ "header": "x-id", "secret": "id" }, { "header": "x-key", "secret": "key" }] }),
        ] {
            assert_eq!(check_of(&auth), Ok(()), "{auth}");
        }
    }

    #[test]
    fn each_mistake_is_named_with_its_member() {
        let aws = json!({ "method": "aws-sigv4", "service": "bedrock", "region": "us-east-1" });
        let keys = json!({ "method": "keys", "secrets": [{ "name": "id" }], "attach": [] });
        let google = json!({ "method": "google-service-account" });
        for (way, name, value, member, problem) in [
            (&keys, "secrets", json!([]), "secrets", "no secret"),
            (&keys, "secrets", json!([{ "name": "Id" }]), "secrets.0.name", "`Id`"),
            (&keys, "secrets", json!([{ "name": "a" }, { "name": "a" }]), "secrets.1.name", "two secrets"),
            (&keys, "attach", json!([{ "header": "x", "secret": "key" }]), "attach", "no secret named `key`"),
            (&aws, "service", json!("a/b"), "service", "`a/b`"),
            (&aws, "region", json!(""), "region", "region"),
            (&aws, "secrets", json!([{ "name": "access_key_id" }]), "secrets", "`secret_access_key`"),
            (&aws, "secrets", json!([{ "name": "key" }]), "secrets", "`key` is not one of"),
            (&google, "origin", json!("login"), "origin", "no origin named `login`"),
            (&google, "path", json!("token"), "path", "does not begin with `/`"),
            (&google, "scopes", json!([]), "scopes", "at least one"),
            (&exchange(), "path", json!("/{tenants}"), "path", "no secret named `tenants`"),
            (&exchange(), "path", json!("/{tenant"), "path", "no hole"),
            (&exchange(), "path", json!("/../{tenant}"), "path", "segment"),
            (&exchange(), "origin", json!("login"), "origin", "no origin named `login`"),
            (&exchange(), "parameters", json!({ "x": "{y}" }), "parameters.x", "no secret named `y`"),
            (&exchange(), "headers", json!({ "host": "a" }), "headers.host", "no header"),
            (&exchange(), "headers", json!({ "x-a": "a\r\nb" }), "headers.x-a", "visible"),
            (&exchange(), "token", json!("access_token"), "token", "does not begin with `/`"),
            (&exchange(), "secrets", json!([]), "secrets", "no secret"),
        ] {
            let mut wrong = way.clone();
            wrong[name] = value;
            let (found, sentence) = check_of(&wrong).expect_err(&wrong.to_string());
            assert!(found == member && sentence.contains(problem), "{wrong}: {found}: {sentence}");
        }
    }
}
