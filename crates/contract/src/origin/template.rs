//! Origins with holes, as a description writes them: `https://{resource}.openai.azure.com/openai/v1`. What fills a hole is
//! one label of the host or one segment of the path, so that no value leads to a server that the template does not name.
//!
//! `validate` checks templates, and the host fills them once for each provider and config. No hole is ever filled from a
//! client's request.

use super::{Origin, OriginError};
use crate::template::{Piece, pieces};

/// The longest value that stands in a path.
const MAX_SEGMENT: usize = 128;

/// Why a template with these values is no origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FillError {
    /// A hole has no value.
    #[error("`{0}` is not set")]
    Missing(String),
    /// A value could lead elsewhere.
    #[error("`{name}` is `{value}`, {why}")]
    Value {
        /// The hole.
        name: String,
        /// Its value, cut and escaped.
        value: String,
        /// What it may not be.
        why: &'static str,
    },
    /// The filled text is no origin.
    #[error(transparent)]
    Origin(#[from] OriginError),
}

/// What fills a hole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filling {
    /// Something that a user or the environment said.
    Value(String),
    /// A part of a host that the description itself wrote.
    Written(String),
}

/// The names of a template's holes, in their order.
pub fn holes(template: &str) -> Vec<&str> {
    let holes = pieces(template).filter_map(|piece| match piece {
        Piece::Hole(name) => Some(name),
        Piece::Text(_) => None,
    });
    holes.collect()
}

/// The template with something in each hole: what its scheme, its public name and its path are like, whatever fills it.
///
/// # Errors
///
/// No values make an origin of it.
pub fn sample(template: &str) -> Result<Origin, OriginError> {
    let mut text = String::with_capacity(template.len());
    for piece in pieces(template) {
        match piece {
            Piece::Text(piece) => text.push_str(piece),
            Piece::Hole(_) => text.push('x'),
        }
    }
    text.parse()
}

/// What is wrong with a template, as far as it can be told without its values.
pub fn problem(template: &str) -> Option<String> {
    if let Err(error) = sample(template) {
        return Some(error.to_string());
    }
    let (host, path) = halves(template);
    if let Some(odd) = holes(template).into_iter().find(|name| !is_name(name)) {
        return Some(format!("`{{{}}}` is no name of a hole: write it as [a-z][a-z0-9_]*", odd.escape_debug()));
    }
    if host.contains('{') && host.rsplit('.').take(2).any(|label| label.contains(['{', '}'])) {
        return Some(format!(
            "in `{host}` a value would choose the server: the last two labels of a host have no hole"
        ));
    }
    let crowded = |segment: &str| segment.contains('{') && !(segment.starts_with('{') && segment.ends_with('}'));
    let crowded = path.split('/').find(|segment| crowded(segment) || segment.matches('{').count() > 1);
    crowded.map(|segment| format!("`{segment}` of the path is more than a hole: a value is a segment by itself"))
}

/// The origin that a template is with these values.
///
/// # Errors
///
/// A hole has no value, or one that does not stay in its label or segment.
pub fn fill(template: &str, filling: impl Fn(&str) -> Option<Filling>) -> Result<Origin, FillError> {
    let (_, path) = halves(template);
    let host_ends = template.len() - path.len();
    let mut text = String::with_capacity(template.len() + 16);
    let mut at = 0;
    for piece in pieces(template) {
        match piece {
            Piece::Text(piece) => {
                text.push_str(piece);
                at += piece.len();
            }
            Piece::Hole(name) => {
                let filling = filling(name).ok_or_else(|| FillError::Missing(name.to_owned()))?;
                let in_host = at < host_ends;
                at += name.len() + 2;
                match filling {
                    Filling::Written(part) => text.push_str(&part),
                    Filling::Value(value) => {
                        let wrong = if in_host { not_a_label(&value) } else { not_a_segment(&value) };
                        if let Some(why) = wrong {
                            let value = value.chars().take(80).collect::<String>().escape_debug().to_string();
                            return Err(FillError::Value { name: name.to_owned(), value, why });
                        }
                        text.push_str(&if in_host { value.to_ascii_lowercase() } else { value });
                    }
                }
            }
        }
    }
    Ok(text.parse()?)
}

/// The host with its port, and the path with the `/` before it.
fn halves(template: &str) -> (&str, &str) {
    let rest = template.split_once("://").map_or(template, |(_, rest)| rest);
    rest.split_at(rest.find('/').unwrap_or(rest.len()))
}

fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

fn not_a_label(value: &str) -> Option<&'static str> {
    let plain = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let sound = plain && (1..=63).contains(&value.len()) && !value.starts_with('-') && !value.ends_with('-');
    (!sound).then_some("which is no single part of a host's name: 1 to 63 letters, digits and `-`, without dots")
}

fn not_a_segment(value: &str) -> Option<&'static str> {
    let plain = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte));
    let sound = plain && (1..=MAX_SEGMENT).contains(&value.len()) && value != "." && value != "..";
    (!sound).then_some("which is no single segment of a path: up to 128 letters, digits and `-._~:`")
}

#[cfg(test)]
mod tests {
    use super::*;

    const AZURE: &str = "https://{resource}.openai.azure.com/openai/v1";
    const VERTEX: &str = "https://{host}.googleapis.com/v1/projects/{project}/locations/{location}";

    fn filled(template: &str, values: &[(&str, &str)]) -> Result<String, String> {
        let value = |name: &str| {
            let (_, value) = values.iter().find(|(known, _)| *known == name)?;
            Some(Filling::Value((*value).to_owned()))
        };
        fill(template, value).map(|origin| origin.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn values_make_the_origin_that_the_vendor_documents() {
        assert_eq!(
            filled(AZURE, &[("resource", "My-Team2")]).as_deref(),
            Ok("https://my-team2.openai.azure.com/openai/v1")
        );
        let vertex =
            [("host", "europe-west1-aiplatform"), ("project", "acme.com:main-42"), ("location", "europe-west1")];
        assert_eq!(
            filled(VERTEX, &vertex).as_deref(),
            Ok("https://europe-west1-aiplatform.googleapis.com/v1/projects/acme.com:main-42/locations/europe-west1")
        );
        let runtime = "https://bedrock-runtime.{region}.amazonaws.com";
        assert_eq!(
            filled(runtime, &[("region", "us-east-1")]).as_deref(),
            Ok("https://bedrock-runtime.us-east-1.amazonaws.com")
        );
        let written = fill("https://{host}.googleapis.com", |_| Some(Filling::Written("aiplatform.us.rep".into())));
        assert_eq!(written.unwrap().to_string(), "https://aiplatform.us.rep.googleapis.com");
    }

    #[test]
    fn no_value_leads_to_another_server_or_path() {
        for value in [
            "",
            ".",
            "..",
            "a.b",
            "a.evil.com",
            "evil.com/",
            "evil.com#",
            "evil.com?",
            "evil.com:443",
            "user@evil",
            "a/b",
            "a%2eb",
            "a\\b",
            "a b",
            "a\n",
            "-a",
            "a-",
            "{resource}",
            "xn--e1afmkfd.com",
            "münchen",
            "::1",
            "[::1]",
            "a_b",
            "0x7f.1",
            "a\u{0}",
            "a\u{2024}b",
            &"a".repeat(64),
        ] {
            let refused = filled(AZURE, &[("resource", value)]).unwrap_err();
            assert!(refused.starts_with("`resource` is `"), "{value:?}: {refused}");
        }
        for value in ["", ".", "..", "a/b", "a%2fb", "a\\b", "a?b", "a#b", "a;b", "a b", "é", "a\r\n", &"a".repeat(129)]
        {
            let values = [("host", "h"), ("project", value), ("location", "l")];
            let refused = filled(VERTEX, &values).unwrap_err();
            assert!(refused.starts_with("`project` is `"), "{value:?}: {refused}");
        }
        assert_eq!(filled(AZURE, &[]).unwrap_err(), "`resource` is not set");
    }

    #[test]
    fn a_template_says_itself_which_server_it_is() {
        for sound in
            [AZURE, VERTEX, "https://{a}-{b}.example.com", "https://a.example:8443/{b}", "https://plain.example/v1"]
        {
            assert_eq!(problem(sound), None, "{sound}");
        }
        for (template, says) in [
            ("https://{host}", "would choose the server"),
            ("https://{host}.com", "would choose the server"),
            ("https://{host}evil.com", "would choose the server"),
            ("https://api.{tld}", "would choose the server"),
            ("https://api.example.com:{port}", "port"),
            ("{scheme}://api.example.com", "begins with neither"),
            ("https://{user}@api.example.com", "user name"),
            ("https://api.example.com/v{version}", "a segment by itself"),
            ("https://api.example.com/{a}{b}", "a segment by itself"),
            ("https://{A}.example.com", "no name of a hole"),
            ("https://{}.example.com", "no name of a hole"),
            ("https://{a.example.com", "names no valid host"),
            ("http://{a}.example.com", "`http` to a host other than this machine"),
        ] {
            let problem = problem(template).unwrap_or_else(|| panic!("{template} is taken"));
            assert!(problem.contains(says), "{template}: {problem}");
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_fills_a_hole_the_origin_lies_where_the_template_says(value in "\\PC{0,40}", project in "\\PC{0,40}") {
            let values = [("resource", value.as_str())];
            if let Ok(url) = filled(AZURE, &values) {
                proptest::prop_assert!(url.ends_with(".openai.azure.com/openai/v1") && url.matches('.').count() == 3);
            }
            let values = [("host", "h"), ("project", project.as_str()), ("location", "l")];
            if let Ok(url) = filled(VERTEX, &values) {
                proptest::prop_assert!(url.starts_with("https://h.googleapis.com/v1/projects/"));
                proptest::prop_assert_eq!(url.matches('/').count(), 7);
            }
        }
    }
}
