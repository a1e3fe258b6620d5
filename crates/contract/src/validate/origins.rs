//! Checking where a description sends: templates whose holes something fills, and settings that read nothing of the
//! environment which components may not be shown.

use crate::description::{Description, SettingType};
use crate::origin::template;
use crate::path;

/// Words in the names of variables that hold credentials.
const SECRET: [&str; 6] = ["KEY", "TOKEN", "SECRET", "PASSW", "CREDENTIAL", "COOKIE"];

/// Everything that is wrong with it: the member, and the problem.
pub(super) fn problems(description: &Description) -> Vec<(String, String)> {
    let mut wrong = Vec::new();
    let is_text =
        |name: &str| description.settings.get(name).is_some_and(|setting| setting.kind == SettingType::String);
    for (name, url) in &description.origins {
        let unknown = |hole: &&str| !is_text(hole) && !description.origin_parts.contains_key(*hole);
        let unfilled = || {
            let hole = template::holes(url).into_iter().find(unknown)?;
            Some(format!("nothing fills `{{{hole}}}`: it takes a setting of this name whose type is string"))
        };
        wrong.extend(template::problem(url).or_else(unfilled).map(|problem| (format!("origins.{name}"), problem)));
    }
    for (name, part) in &description.origin_parts {
        let place = format!("origin_parts.{name}");
        if !is_text(&part.of) {
            wrong.push((format!("{place}.of"), format!("there is no setting `{}` whose type is string", part.of)));
        }
        let (before, after) = part.otherwise.split_once("{}").unwrap_or((&part.otherwise, ""));
        let texts = part.values.values().map(String::as_str).chain([before, after]);
        let odd = |text: &&str| {
            !text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte))
        };
        if let Some(text) = texts.into_iter().find(odd) {
            wrong.push((place, format!("`{}` is no part of a host's name", text.escape_debug())));
        }
    }
    for probe in description.local.iter().flat_map(|local| local.probes.iter().chain(&local.unless)) {
        if let Err(error) = path::check(&probe.path) {
            wrong.push(("local".into(), error.to_string()));
        }
    }
    for (name, setting) in &description.settings {
        let place = format!("settings.{name}.env");
        let secret = |variable: &&str| SECRET.iter().any(|word| variable.to_ascii_uppercase().contains(word));
        let odd = |host: &&String| host.split('.').filter(|label| *label == "{}").count() != 1 || host.contains('/');
        if let Some(variable) = setting.variables().find(secret) {
            let problem = format!("`{variable}` may hold a credential, and components are shown their settings");
            wrong.push((place, problem));
        } else if setting.kind == SettingType::Json && setting.variables().next().is_some() {
            wrong.push((place, "a setting of this type is not read from the environment".into()));
        } else if let Some(host) = setting.env_urls.values().flatten().find(odd) {
            let problem = format!("`{}` is no host with `{{}}` as one of its parts", host.escape_debug());
            wrong.push((format!("settings.{name}.env_urls"), problem));
        }
    }
    wrong
}
