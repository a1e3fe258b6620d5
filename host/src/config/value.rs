//! One value of the tree as the type its key takes.
//!
//! The reader calls these after it knows the key. They know nothing of where a value goes; variables are expanded here,
//! because only a value, never a key, may hold one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::expand::{self, Piece};
use super::tree::{Node, Value};
use super::trust::Guard;
use super::{Env, Fault, Guarded, Place};

/// A text of the config, expanded.
pub(super) struct Text {
    pub text: String,
    /// Whether a variable had a part in it.
    pub expanded: bool,
}

/// Expands variables, or refuses to where the config is not trusted.
pub(super) struct Expander<'a> {
    pub env: Env<'a>,
    pub guard: Guard<'a>,
}

impl Expander<'_> {
    /// The text with its variables filled in.
    pub fn expand(&self, key: &str, text: &str) -> Result<Text, Fault> {
        let pieces = expand::pieces(text).map_err(|_| Fault::NotAVariable { key: key.to_owned() })?;
        let mut filled = Text { text: String::new(), expanded: false };
        for piece in pieces {
            match piece {
                Piece::Text(text) => filled.text.push_str(text),
                Piece::Variable { name, default } => {
                    filled.text.push_str(&self.variable(key, name, default)?);
                    filled.expanded = true;
                }
            }
        }
        Ok(filled)
    }

    fn variable(&self, key: &str, name: &str, default: Option<&str>) -> Result<String, Fault> {
        self.guard.check(key, Guarded::Environment)?;
        let (key, variable) = (key.to_owned(), name.to_owned());
        match ((self.env)(name), default) {
            // As in a shell, `:-` stands in for an empty variable too.
            (None, Some(default)) => Ok(default.to_owned()),
            (Some(value), Some(default)) if value.is_empty() => Ok(default.to_owned()),
            (Some(value), _) => value.into_string().map_err(|_| Fault::VariableNotText { key, variable }),
            (None, None) => Err(Fault::Unset { key, variable }),
        }
    }

    /// A text value. `takes` says what the key takes when it is something else.
    pub fn text(&self, key: &str, node: &Node, takes: &str) -> Result<Text, Fault> {
        let wrong = || Fault::WrongType { key: key.to_owned(), takes: takes.to_owned() };
        let Value::Text(text) = &node.value else {
            return Err(match node.value {
                Value::Null => Fault::NoValue { key: key.to_owned() },
                _ => wrong(),
            });
        };
        let text = self.expand(key, text)?;
        match text.text.is_empty() {
            true => Err(Fault::NoValue { key: key.to_owned() }),
            false => Ok(text),
        }
    }

    /// `true` or `false`, or a variable that says so.
    pub fn bool(&self, key: &str, node: &Node) -> Result<bool, Fault> {
        const TAKES: &str = "`true` or `false`";
        if let Value::Bool(value) = node.value {
            return Ok(value);
        }
        let text = self.text(key, node, TAKES)?;
        match text.text.as_str() {
            "true" if text.expanded => Ok(true),
            "false" if text.expanded => Ok(false),
            _ => Err(Fault::WrongType { key: key.to_owned(), takes: TAKES.to_owned() }),
        }
    }

    /// A whole number that is not negative, or a variable that holds one.
    pub fn integer(&self, key: &str, node: &Node, (min, max, why): (u64, u64, &'static str)) -> Result<u64, Fault> {
        const TAKES: &str = "a whole number";
        let out = || Fault::OutOfBounds { key: key.to_owned(), min, max, why };
        let number = match node.value {
            Value::Integer(number) => u64::try_from(number).map_err(|_| out())?,
            _ => {
                let text = self.text(key, node, TAKES)?;
                let number = text.expanded.then(|| text.text.parse::<u64>().ok()).flatten();
                number.ok_or_else(|| Fault::WrongType { key: key.to_owned(), takes: TAKES.to_owned() })?
            }
        };
        if (min..=max).contains(&number) { Ok(number) } else { Err(out()) }
    }

    /// Bytes: a number, or one with a unit.
    pub fn size(&self, key: &str, node: &Node, (min, max, why): (u64, u64, &'static str)) -> Result<u64, Fault> {
        let out = || Fault::OutOfBounds { key: key.to_owned(), min, max, why };
        let wrong = || Fault::Size { key: key.to_owned() };
        let bytes = match node.value {
            Value::Integer(number) => u64::try_from(number).map_err(|_| out())?,
            Value::Float(_) => return Err(wrong()),
            _ => {
                let text = self.text(key, node, "a size such as `64MiB`")?;
                size(&text.text).ok_or_else(wrong)?
            }
        };
        if (min..=max).contains(&bytes) { Ok(bytes) } else { Err(out()) }
    }

    /// Any value, as JSON. Variables are expanded in its texts, not in its keys.
    pub fn json(&self, key: &str, node: &Node) -> Result<serde_json::Value, (Place, Fault)> {
        use serde_json::Value as Json;
        Ok(match &node.value {
            Value::Null => Json::Null,
            Value::Bool(value) => Json::from(*value),
            Value::Integer(value) => Json::from(*value),
            Value::Float(value) => Json::from(*value),
            Value::Text(text) => Json::from(self.expand(key, text).map_err(|fault| (node.place, fault))?.text),
            Value::List(items) => Json::Array(items.iter().map(|item| self.json(key, item)).collect::<Result<_, _>>()?),
            Value::Map(entries) => {
                let pairs = entries.iter().map(|(name, value)| Ok((name.text.clone(), self.json(key, value)?)));
                Json::Object(pairs.collect::<Result<_, _>>()?)
            }
        })
    }
}

/// `64MiB` and the like. Decimal and binary units are told apart as the SI and the IEC have them.
fn size(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit: u64 = match unit.trim_start() {
        "" | "B" => 1,
        "KB" | "kB" => 1000,
        "MB" => 1000 * 1000,
        "GB" => 1000 * 1000 * 1000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
}

/// The addresses of one text of `server.listen`; `localhost:PORT` is both loopback addresses.
pub(super) fn listen(text: &str) -> Option<Vec<SocketAddr>> {
    if let Some(port) = text.strip_prefix("localhost:") {
        let port = port.parse().ok()?;
        let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        return Some(loopback.map(|ip| SocketAddr::new(ip, port)).to_vec());
    }
    text.parse().ok().map(|address| vec![address])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_si_and_iec_units() {
        for (text, bytes) in [
            ("1", Some(1)),
            ("64MiB", Some(64 * 1024 * 1024)),
            ("10MB", Some(10_000_000)),
            ("10 MB", Some(10_000_000)),
            ("512KiB", Some(524_288)),
            ("1GB", Some(1_000_000_000)),
            ("7B", Some(7)),
            ("64mb", None),
            ("64M", None),
            ("1.5MiB", None),
            ("MiB", None),
            ("-1", None),
            ("99999999999GiB", None),
        ] {
            assert_eq!(size(text), bytes, "{text}");
        }
    }

    #[test]
    fn an_address_needs_a_host_and_a_port() {
        assert_eq!(listen("0.0.0.0:80").map(|list| list.len()), Some(1));
        assert_eq!(listen("[::1]:0").map(|list| list.len()), Some(1));
        assert_eq!(listen("localhost:4356").map(|list| list.len()), Some(2));
        for text in ["4356", ":4356", "127.0.0.1", "example.com:80", "localhost:", "localhost:x", "::1:80000"] {
            assert_eq!(listen(text), None, "{text}");
        }
    }
}
