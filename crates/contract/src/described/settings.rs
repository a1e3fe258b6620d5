//! The settings of a provider: what the config says, else the environment, else what the description has for nobody's
//! word; and the origins that they make of its templates.
//!
//! The host asks once for each provider and config.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::Origin;
use crate::description::{Description, Setting, SettingType};
use crate::origin::template::{self, FillError, Filling};

/// The longest value that is taken from the environment.
const MAX_VARIABLE: usize = 256;

/// Every setting that has a value. A variable whose content cannot be the setting's is as if it were not set.
pub fn effective(
    taken: &BTreeMap<String, Setting>,
    given: &Map<String, Value>,
    env: &dyn Fn(&str) -> Option<String>,
) -> Map<String, Value> {
    let mut all = given.clone();
    for (name, setting) in taken.iter().filter(|(name, _)| !given.contains_key(*name)) {
        let from_env = setting.env.iter().find_map(|variable| of_variable(setting.kind, &env(variable)?));
        let of_url =
            |(variable, hosts): (&String, &Vec<String>)| of_variable(setting.kind, &in_url(&env(variable)?, hosts)?);
        let from_env = from_env.or_else(|| setting.env_urls.iter().find_map(of_url));
        all.extend(from_env.or_else(|| setting.default.clone()).map(|value| (name.clone(), value)));
    }
    all
}

fn of_variable(kind: SettingType, text: &str) -> Option<Value> {
    let text = text.trim();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/@+".contains(&byte);
    if text.is_empty() || text.len() > MAX_VARIABLE || !text.bytes().all(plain) {
        return None;
    }
    match kind {
        SettingType::String => Some(text.into()),
        SettingType::Number => serde_json::from_str::<serde_json::Number>(text).ok().map(Value::Number),
        SettingType::Boolean => text.to_ascii_lowercase().parse::<bool>().ok().map(Value::Bool),
        SettingType::Json => None,
    }
}

/// What stands in the place of `{}` in the host of a URL, by the first of these hosts that it is.
fn in_url(url: &str, hosts: &[String]) -> Option<String> {
    let url: http::Uri = url.trim().parse().ok().filter(|url: &http::Uri| url.scheme_str() == Some("https"))?;
    let host = url.host()?.to_ascii_lowercase();
    let part = |pattern: &String| {
        let (before, behind) = pattern.split_once("{}")?;
        let part = host.strip_prefix(before)?.strip_suffix(behind)?;
        (!part.is_empty() && !part.contains('.')).then(|| part.to_owned())
    };
    hosts.iter().find_map(part)
}

impl Description {
    /// Where requests to the origin of this name go under these settings.
    ///
    /// # Errors
    ///
    /// Nothing fills a hole of it, or what does would lead elsewhere.
    pub fn origin_under(&self, name: &str, settings: &Map<String, Value>) -> Result<Origin, FillError> {
        let value = |name: &str| settings.get(name).and_then(Value::as_str);
        let filling = |name: &str| match self.origin_parts.get(name) {
            None => value(name).map(|value| Filling::Value(value.to_owned())),
            Some(part) => {
                let of = value(&part.of)?;
                Some(match (part.values.get(of), part.otherwise.split_once("{}")) {
                    (Some(written), _) => Filling::Written(written.clone()),
                    // As one label: what a user says may not have a dot.
                    (None, Some((before, after))) => Filling::Value(format!("{before}{of}{after}")),
                    (None, None) => Filling::Written(part.otherwise.clone()),
                })
            }
        };
        let template = self.origins.get(name).ok_or_else(|| FillError::Missing(name.to_owned()))?;
        template::fill(template, filling)
    }

    /// How to say a setting that an origin lacks: its place in the config, and the variables that say it.
    pub fn how_to_set(&self, hole: &str) -> String {
        let name = self.origin_parts.get(hole).map_or(hole, |part| part.of.as_str());
        let variables: Vec<&str> = self.settings.get(name).into_iter().flat_map(Setting::variables).collect();
        let or = if variables.is_empty() {
            String::new()
        } else {
            format!(", or {} in the environment", variables.join(" or "))
        };
        format!("set `providers.{}.settings.{name}` in the config{or}", self.id)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::validate;

    fn vertex() -> Description {
        let description = json!({
            "id": "vertex", "name": "Vertex AI", "version": "1", "serves": { "generate": ["generate-content"] },
            "origins": { "api": "https://{host}.googleapis.com/v1/projects/{project}/locations/{location}" },
            "origin_parts": { "host": {
                "of": "location", "values": { "global": "aiplatform", "us": "aiplatform.us.rep" }, "otherwise": "{}-aiplatform",
            } },
            "settings": {
                "project": { "type": "string", "description": "whose", "env": ["GOOGLE_CLOUD_PROJECT"] },
                "location": { "type": "string", "description": "where", "env": ["GOOGLE_CLOUD_LOCATION"], "default": "global" },
                "tries": { "type": "number", "description": "how often", "env": ["TRIES"] },
                "loud": { "type": "boolean", "description": "how", "env": ["LOUD"] },
            },
        });
        validate::description(&description.to_string()).unwrap()
    }

    fn api(given: Value, env: &[(&str, &str)]) -> Result<String, String> {
        let variable = |name: &str| Some(env.iter().find(|(known, _)| *known == name)?.1.to_owned());
        let Value::Object(given) = given else { panic!("no object") };
        let settings = effective(&vertex().settings, &given, &variable);
        vertex().origin_under("api", &settings).map(|origin| origin.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_config_wins_over_the_environment_and_that_over_the_default() {
        for (given, env, host) in [
            (json!({ "project": "p" }), &[][..], "aiplatform.googleapis.com/v1/projects/p/locations/global"),
            (
                json!({ "project": "p" }),
                &[("GOOGLE_CLOUD_LOCATION", "us")],
                "aiplatform.us.rep.googleapis.com/v1/projects/p/locations/us",
            ),
            (
                json!({ "location": "us-east1" }),
                &[("GOOGLE_CLOUD_LOCATION", "us"), ("GOOGLE_CLOUD_PROJECT", " q ")],
                "us-east1-aiplatform.googleapis.com/v1/projects/q/locations/us-east1",
            ),
        ] {
            assert_eq!(api(given, env), Ok(format!("https://{host}")));
        }
        assert_eq!(api(json!({}), &[]).unwrap_err(), "`project` is not set");
        assert_eq!(
            vertex().how_to_set("project"),
            "set `providers.vertex.settings.project` in the config, or GOOGLE_CLOUD_PROJECT in the environment"
        );
    }

    #[test]
    fn neither_a_setting_nor_a_variable_leads_to_another_server() {
        for location in ["evil.com/", "a.b", "us.rep", "", "../x", "x@y"] {
            assert!(api(json!({ "project": "p", "location": location }), &[]).is_err(), "{location}");
        }
        // A variable that cannot be one is not there.
        let env = [("GOOGLE_CLOUD_PROJECT", "p q"), ("GOOGLE_CLOUD_LOCATION", "a\nb")];
        assert_eq!(api(json!({}), &env).unwrap_err(), "`project` is not set");
    }

    #[test]
    fn a_url_says_a_part_of_its_host_where_that_is_one_that_is_meant_and_is_never_followed() {
        let settings: BTreeMap<String, Setting> = serde_json::from_value(json!({ "resource": {
            "type": "string", "description": "whose", "env": ["NAME"],
            "env_urls": { "ENDPOINT": ["{}.openai.azure.com", "{}.services.ai.azure.com"] },
        } }))
        .unwrap();
        let said = |endpoint: &str, name: Option<&str>| {
            let env =
                |variable: &str| if variable == "NAME" { name.map(str::to_owned) } else { Some(endpoint.to_owned()) };
            effective(&settings, &Map::new(), &env).remove("resource")
        };
        for url in ["https://My-Team.openai.azure.com/", " https://my-team.services.ai.azure.com/api?x=1 "] {
            assert_eq!(said(url, None), Some(json!("my-team")), "{url}");
        }
        assert_eq!(said("https://my-team.openai.azure.com", Some("other")), Some(json!("other")));
        for url in [
            "https://openai.azure.com",
            "https://.openai.azure.com",
            "https://a.b.openai.azure.com",
            "https://x.openai.azure.com.evil.example",
            "https://evil.example/x.openai.azure.com",
            "https://evil.example#.openai.azure.com",
            "http://my-team.openai.azure.com",
            "my-team.openai.azure.com",
            "https://my team.openai.azure.com",
            "",
        ] {
            assert_eq!(said(url, None), None, "{url}");
        }
        // Whoever is named beside the host is not the host.
        assert_eq!(said("https://my-team.openai.azure.com@evil.example/", None), None);
    }

    #[test]
    fn variables_are_read_as_what_the_setting_is() {
        let env = |name: &str| {
            Some(
                match name {
                    "TRIES" => "3",
                    "LOUD" => "TRUE",
                    _ => return None,
                }
                .to_owned(),
            )
        };
        let settings = effective(&vertex().settings, &Map::new(), &env);
        assert_eq!((&settings["tries"], &settings["loud"]), (&json!(3), &json!(true)));
        let odd = |_: &str| Some("x y".to_owned());
        assert_eq!(effective(&vertex().settings, &Map::new(), &odd).len(), 1, "the default of `location`");
    }

    #[test]
    fn what_fills_no_hole_or_would_show_a_secret_is_a_mistake() {
        let mut whole: Value = serde_json::to_value(vertex()).unwrap();
        whole["origins"]["api"] = json!("https://{nothing}.googleapis.com/{tries}");
        whole["origin_parts"]["host"]["of"] = json!("tries");
        whole["origin_parts"]["host"]["values"]["x"] = json!("evil.com/");
        whole["settings"]["loud"]["env"] = json!(["AWS_SECRET_ACCESS_KEY"]);
        let wrong = validate::mistakes(&whole.to_string()).join("\n");
        for says in [
            "origins.api: nothing fills `{nothing}`",
            "origin_parts.host.of: there is no setting `tries`",
            "origin_parts.host: `evil.com/` is no part of a host's name",
            "settings.loud.env: `AWS_SECRET_ACCESS_KEY` may hold a credential",
        ] {
            assert!(wrong.contains(says), "{says}: {wrong}");
        }
    }
}
