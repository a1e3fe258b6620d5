//! Who asks a registry: the login that Docker's config has for it, and the token that it is exchanged for where the registry
//! says so. Neither goes to anybody but the registry, and who gives its tokens.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use docker_credential::{CredentialRetrievalError as NoCredential, DockerCredential};
use http::HeaderValue;
use serde::Deserialize;
use url::Url;

use super::FetchError;
use super::reference::{Reference, without_port};
use super::web::Web;

/// What Docker calls its own registry in its config.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";
/// The longest answer that holds a token.
const TOKEN: u64 = 1 << 20;

/// What a registry wants to see.
#[derive(Debug, PartialEq, Eq)]
enum Challenge {
    /// A name and a password.
    Basic,
    /// A token, which is to be had there.
    Bearer { realm: Url, service: Option<String>, scope: Option<String> },
}

/// The answer of who gives tokens.
#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

/// What to send, once a registry answered that it wants to know who asks.
pub(super) async fn answer(web: &Web, to: &Reference, challenge: &str) -> Result<HeaderValue, FetchError> {
    let refused = |why: String| FetchError::refused(to, why);
    let login = login(to).await?;
    match Challenge::read(challenge) {
        None => Err(refused(format!("it asks to be shown who asks in a way that is not known here: {challenge:.80}"))),
        Some(Challenge::Basic) => {
            let login = login.ok_or_else(|| refused(log_in(to)))?;
            Ok(login)
        }
        Some(Challenge::Bearer { mut realm, service, scope }) => {
            super::web::check(&realm)
                .map_err(|why| refused(format!("its tokens are to be had at {realm}, which {why}")))?;
            let is_theirs = gives_tokens_for(realm.host_str().unwrap_or_default(), to.host());
            if login.is_some() && !is_theirs {
                return Err(refused(format!(
                    "it would have your login sent to {}, which is no part of it",
                    realm.host_str().unwrap_or_default()
                )));
            }
            let scope = scope.unwrap_or_else(|| format!("repository:{}:pull", to.name));
            let service = service.iter().map(|service| ("service", service.as_str()));
            realm.query_pairs_mut().extend_pairs(service.chain([("scope", scope.as_str())]));
            let got = web.get(&realm, "application/json", login.as_ref(), TOKEN).await?;
            if !got.status.is_success() {
                return Err(refused(format!(
                    "{} gives no token ({}). {}",
                    realm.host_str().unwrap_or_default(),
                    got.status,
                    log_in(to)
                )));
            }
            let token: Token = serde_json::from_slice(&got.bytes)
                .map_err(|error| refused(format!("its token is not understood: {error}")))?;
            let token = token.token.or(token.access_token).ok_or_else(|| refused("it was given no token".into()))?;
            sensitive(&format!("Bearer {token}")).ok_or_else(|| refused("its token is none".into()))
        }
    }
}

fn log_in(to: &Reference) -> String {
    format!("If it is not for everybody, log in: docker login {}", to.registry)
}

/// The login that Docker's config, or a helper that it names, has for a registry.
async fn login(to: &Reference) -> Result<Option<HeaderValue>, FetchError> {
    if !has_config() {
        return Ok(None);
    }
    let server = if to.registry == "docker.io" { DOCKER_HUB.to_owned() } else { to.registry.clone() };
    // It reads a file, and may run a program.
    let found = tokio::task::spawn_blocking(move || docker_credential::get_credential(&server)).await;
    let refused =
        |why: String| FetchError::refused(to, format!("the login for it in Docker's config cannot be used: {why}"));
    match found.map_err(|error| refused(error.to_string()))? {
        Ok(DockerCredential::UsernamePassword(user, password)) => {
            Ok(sensitive(&format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))))
        }
        Ok(DockerCredential::IdentityToken(_)) => {
            Err(refused("it is an identity token, which is not supported yet".into()))
        }
        Err(NoCredential::NoCredentialConfigured | NoCredential::ConfigNotFound) => Ok(None),
        // A helper that knows none says so by failing; what it printed may be anything.
        Err(NoCredential::HelperFailure { .. }) => Ok(None),
        Err(error) => Err(refused(error.to_string())),
    }
}

/// Whether there is a config of Docker's, in the place where it is looked for: one that is absent reads as a broken one.
fn has_config() -> bool {
    let home = || std::env::home_dir().map(|home| home.join(".docker"));
    let folder = std::env::var_os("DOCKER_CONFIG").map(PathBuf::from).or_else(home);
    folder.is_some_and(|folder| folder.join("config.json").exists())
}

fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Whether a host may be sent a login for a registry: it is the registry, or one of the same owner as far as names tell. A
/// registry could otherwise have any login sent anywhere.
fn gives_tokens_for(realm: &str, registry: &str) -> bool {
    let registry = without_port(registry);
    if realm.eq_ignore_ascii_case(registry) {
        return true;
    }
    /// Labels under which countries let others have names.
    const SHARED: [&str; 8] = ["ac", "co", "com", "edu", "gov", "net", "or", "org"];
    let owner = match registry.split_once('.') {
        Some((_, parent))
            if parent.contains('.') && !SHARED.iter().any(|shared| parent.split('.').next() == Some(shared)) =>
        {
            parent
        }
        _ => registry,
    };
    let is_name = registry.parse::<std::net::IpAddr>().is_err() && registry.contains('.');
    is_name
        && (realm.eq_ignore_ascii_case(owner)
            || realm.to_ascii_lowercase().ends_with(&format!(".{}", owner.to_ascii_lowercase())))
}

impl Challenge {
    /// Reads a `WWW-Authenticate` (RFC 9110, section 11.6.1), as registries write it.
    fn read(text: &str) -> Option<Self> {
        let (scheme, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Challenge::Basic);
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let (mut realm, mut service, mut scope) = (None, None, None);
        for (name, value) in parameters(rest) {
            match name.to_ascii_lowercase().as_str() {
                "realm" => realm = Url::parse(&value).ok(),
                "service" => service = Some(value),
                "scope" => scope = Some(value),
                _ => {}
            }
        }
        Some(Challenge::Bearer { realm: realm?, service, scope })
    }
}

/// `name="value",name=value`, where a quoted value may hold commas.
fn parameters(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((name, after)) = rest.split_once('=') {
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => after.split_once(',').map_or((after, ""), |(value, after)| (value, after)),
        };
        found.push((name.trim().to_owned(), value.trim().to_owned()));
        rest = after.trim_start_matches([',', ' ']);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_read_as_registries_write_it() {
        let read = Challenge::read(
            r#"Bearer realm="https://ghcr.io/token",service="ghcr.io",scope="repository:a/b:pull,push""#,
        );
        let Some(Challenge::Bearer { realm, service, scope }) = read else { panic!() };
        assert_eq!(realm.as_str(), "https://ghcr.io/token");
        assert_eq!((service.as_deref(), scope.as_deref()), (Some("ghcr.io"), Some("repository:a/b:pull,push")));
        assert_eq!(Challenge::read("Basic realm=\"x\""), Some(Challenge::Basic));
        for text in ["", "Negotiate", "Bearer", "Bearer realm=\"no url\"", "Bearer service=\"x\""] {
            assert_eq!(Challenge::read(text), None, "{text}");
        }
    }

    #[test]
    fn a_login_goes_to_its_registry_and_who_belongs_to_it_and_nowhere_else() {
        for (realm, registry, theirs) in [
            ("ghcr.io", "ghcr.io", true),
            ("127.0.0.1", "127.0.0.1:5000", true),
            ("auth.docker.io", "registry-1.docker.io", true),
            ("gitlab.com", "registry.gitlab.com", true),
            ("auth.example.co.uk", "registry.example.co.uk", true),
            ("evil.example", "ghcr.io", false),
            ("evil.io", "ghcr.io", false),
            ("evilghcr.io", "ghcr.io", false),
            ("evil.co.uk", "registry.co.uk", false),
            ("127.0.0.2", "127.0.0.1:5000", false),
            ("1.0.0.1", "127.0.0.1", false),
            ("localhost", "127.0.0.1", false),
        ] {
            assert_eq!(gives_tokens_for(realm, registry), theirs, "{realm} for {registry}");
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_a_registry_writes_is_read_or_refused(text in "(Bearer |Basic |)[ -~]{0,60}", name in "[a-zA-Z0-9.:-]{0,20}") {
            if let Some(Challenge::Bearer { realm, .. }) = Challenge::read(&text) {
                proptest::prop_assert!(text.to_ascii_lowercase().contains("realm") && !realm.as_str().is_empty());
            }
            // Whoever it is, an address in numbers vouches for nobody.
            proptest::prop_assert!(name == "10.0.0.1" || !gives_tokens_for(&name, "10.0.0.1:5000"));
        }
    }
}
