//! The static profiles of AWS's own tools: `~/.aws/credentials` and `~/.aws/config`.
//!
//! What such a profile can say besides, single sign-on, a process or a role, is not done here: those tools can be asked for
//! the keys, and the sentence says how.

use std::path::PathBuf;

use bitrouter_contract::description::AWS_SECRETS;

use super::{CredentialSource, Env, Found, Secrets, home};

/// The names of the secrets in a profile, in the order of [`AWS_SECRETS`].
const MEMBERS: [&str; 3] = ["aws_access_key_id", "aws_secret_access_key", "aws_session_token"];
/// What a profile says whose keys come from elsewhere.
const ELSEWHERE: [&str; 6] =
    ["sso_session", "sso_start_url", "credential_process", "role_arn", "web_identity_token_file", "login_session"];

/// The two files, whether they are there or not.
pub(super) fn files(env: Env<'_>) -> Vec<PathBuf> {
    let place = |variable: &str, name: &str| {
        let named = env(variable).filter(|path| !path.is_empty()).map(PathBuf::from);
        named.or_else(|| Some(home(env)?.join(".aws").join(name)))
    };
    let places = [place("AWS_SHARED_CREDENTIALS_FILE", "credentials"), place("AWS_CONFIG_FILE", "config")];
    places.into_iter().flatten().collect()
}

/// The keys of the profile that `AWS_PROFILE` names, or of `default`.
pub(super) fn profile(env: Env<'_>) -> Found {
    let named =
        ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"].iter().find_map(|name| env(name).filter(|name| !name.is_empty()));
    let name = named.as_deref().unwrap_or("default");
    let mut elsewhere = None;
    for file in files(env) {
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        let members = members(&text, name);
        let value = |name: &str| members.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        let secrets: Secrets = MEMBERS
            .iter()
            .zip(AWS_SECRETS)
            .filter_map(|(member, secret)| Some((secret.to_owned(), value(member)?.into())))
            .collect();
        match (value(MEMBERS[0]), value(MEMBERS[1])) {
            (Some(_), Some(_)) => return Found::Whole { source: CredentialSource::File(file), secrets },
            (None, None) => {}
            (key_id, _) => {
                let missing = if key_id.is_some() { MEMBERS[1] } else { MEMBERS[0] };
                return Found::Part(format!("the profile `{name}` of {} has no `{missing}`", file.display()));
            }
        }
        elsewhere = elsewhere.or_else(|| ELSEWHERE.into_iter().find(|member| value(member).is_some()));
    }
    match (named.is_some(), elsewhere) {
        // Whoever named no profile may mean none of this.
        (false, _) => Found::Nothing,
        (true, Some(member)) => Found::Part(format!(
            "the AWS profile `{name}` gets its keys by `{member}`, which BitRouter does not do. Run, in the shell that starts \
             it: eval \"$(aws configure export-credentials --profile {name} --format env)\""
        )),
        (true, None) => Found::Part(format!("there is no AWS profile `{name}` with keys in ~/.aws/credentials")),
    }
}

/// The members of a profile: a section of an INI file, which the config calls `profile NAME`. What is indented belongs to the
/// member before.
fn members<'t>(text: &'t str, name: &str) -> Vec<(&'t str, &'t str)> {
    let mut inside = false;
    let mut members = Vec::new();
    for line in text.lines() {
        if let Some(section) = line.trim().strip_prefix('[').and_then(|line| line.split_once(']')) {
            let section = section.0.trim();
            inside = section.strip_prefix("profile ").map_or(section, str::trim_start).trim_matches('"') == name;
            continue;
        }
        let is_member = inside && !line.starts_with([' ', '\t', '#', ';']);
        let Some((key, value)) = line.split_once('=').filter(|_| is_member) else { continue };
        // A comment stands behind a space.
        let value = value.split_once(" #").or_else(|| value.split_once(" ;")).map_or(value, |(value, _)| value);
        members.push((key.trim(), value.trim()));
    }
    members
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    fn in_home(credentials: &str, config: &str, profile: Option<&str>) -> Found {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join(".aws")).unwrap();
        std::fs::write(home.path().join(".aws/credentials"), credentials).unwrap();
        std::fs::write(home.path().join(".aws/config"), config).unwrap();
        let path = home.path().display().to_string();
        super::profile(&|name| match name {
            "HOME" | "USERPROFILE" => Some(path.clone()),
            "AWS_PROFILE" => profile.map(str::to_owned),
            _ => None,
        })
    }

    fn told(found: Found) -> String {
        match found {
            Found::Nothing => "nothing".to_owned(),
            Found::Part(why) => why,
            Found::Whole { secrets, .. } => {
                secrets.iter().map(|(name, value)| format!("{name}={} ", value.expose_secret())).collect()
            }
        }
    }

    #[test]
    fn the_keys_of_a_profile_are_found_in_either_file() {
        let credentials = "# x\n[default]\naws_access_key_id = AKID\naws_secret_access_key=a/b=c+d\n\n[work]\n\
                           aws_access_key_id=WORK # mine\naws_secret_access_key=secret\naws_session_token=token\n";
        let config = "[default]\nregion = eu-west-1\n[profile in-config]\naws_access_key_id=C\ns3 =\n  \
                      aws_access_key_id = nested\naws_secret_access_key=CS\n";
        let of = |profile| told(in_home(credentials, config, profile));
        assert_eq!(of(None), "access_key_id=AKID secret_access_key=a/b=c+d ");
        assert_eq!(of(Some("work")), "access_key_id=WORK secret_access_key=secret session_token=token ");
        assert_eq!(of(Some("in-config")), "access_key_id=C secret_access_key=CS ");
    }

    #[test]
    fn what_is_missing_is_said_and_single_sign_on_with_its_way_out() {
        let of = |credentials, config, profile| told(in_home(credentials, config, profile));
        assert_eq!(of("", "", None), "nothing");
        assert_eq!(of("", "[default]\nsso_session = x\n", None), "nothing", "nobody named it");
        assert!(of("", "[profile x]\nsso_session = x\n", Some("x")).contains("export-credentials --profile x"));
        assert!(of("", "", Some("x")).contains("no AWS profile `x`"));
        assert!(of("[default]\naws_access_key_id=A\n", "", None).contains("has no `aws_secret_access_key`"));
    }
}
