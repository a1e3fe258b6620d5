//! Servers on the user's own machine: which address a variable of the environment means, and whether an answer is theirs.
//!
//! The host asks, and sends no credential along.

use serde_json::Value;

use crate::Origin;
use crate::description::{Local, Probe};

impl Local {
    /// The origin that the environment says, if it says one, in the place of the description's.
    ///
    /// # Errors
    ///
    /// A sentence: it is on no such address of this machine.
    pub fn origin(&self, env: &dyn Fn(&str) -> Option<String>) -> Result<Option<Origin>, String> {
        let mut said = self.address_env.iter().filter_map(|name| env(name).map(|text| (name, text)));
        let Some((name, text)) = said.find(|(_, text)| !text.trim().is_empty()) else { return Ok(None) };
        let text = text.trim().trim_end_matches('/');
        let (scheme, address) = text.split_once("://").unwrap_or(("http", text));
        let is_open = |host: &str| matches!(host, "" | "0.0.0.0" | "[::]");
        let (host, port) = match address.rsplit_once(':') {
            // The colons of an IPv6 address without a port.
            Some((_, port)) if port.contains(']') => (address, None),
            Some((host, port)) => (host, Some(port)),
            None => (address, None),
        };
        // Where a server listens on all addresses it is on this one.
        let host = if is_open(host) { "127.0.0.1" } else { host };
        let port = port.map_or_else(|| self.port.to_string(), str::to_owned);
        match format!("{scheme}://{host}:{port}").parse::<Origin>() {
            Ok(origin) if origin.is_loopback() => Ok(Some(origin)),
            _ => Err(format!("{name} is no address of this machine. Another's is said in the config, as `api_base`")),
        }
    }
}

impl Probe {
    /// Whether an answer is what it looks for.
    pub fn is_answered_by(&self, status: u16, body: &str) -> bool {
        let has =
            |pointer: &String| serde_json::from_str::<Value>(body).is_ok_and(|body| body.pointer(pointer).is_some());
        status == self.status && self.has.as_ref().is_none_or(has)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ollama() -> Local {
        Local { port: 11434, address_env: vec!["OLLAMA_HOST".into()], probes: Vec::new(), unless: Vec::new() }
    }

    #[test]
    fn a_variable_says_the_address_in_every_form_that_people_write() {
        for (text, expected) in [
            ("0.0.0.0", "http://127.0.0.1:11434"),
            ("0.0.0.0:8000", "http://127.0.0.1:8000"),
            (":11500", "http://127.0.0.1:11500"),
            ("localhost", "http://localhost:11434"),
            (" http://127.0.0.1:9/ ", "http://127.0.0.1:9"),
            ("[::1]:4", "http://[::1]:4"),
            ("[::]", "http://127.0.0.1:11434"),
            ("[::1]", "http://[::1]:11434"),
        ] {
            let origin = ollama().origin(&|_| Some(text.to_owned())).unwrap().unwrap();
            assert_eq!(origin.to_string(), expected, "{text}");
        }
        assert_eq!(ollama().origin(&|_| Some(" ".to_owned())), Ok(None));
    }

    #[test]
    fn another_machine_is_not_asked_because_a_variable_names_it() {
        for text in
            ["192.168.1.7", "evil.example:80", "http://127.0.0.1@evil.example", "127.0.0.1:x", "http://a/b", "x y"]
        {
            let refused = ollama().origin(&|_| Some(text.to_owned())).unwrap_err();
            assert!(refused.starts_with("OLLAMA_HOST is no address of this machine"), "{text}: {refused}");
        }
    }

    #[test]
    fn an_answer_is_told_by_its_status_and_what_its_body_has() {
        let probe = Probe { path: "/version".into(), status: 200, has: Some("/version".into()) };
        assert!(probe.is_answered_by(200, r#"{"version":"0.9"}"#));
        assert!(!probe.is_answered_by(404, r#"{"version":"0.9"}"#) && !probe.is_answered_by(200, "<html>"));
        let locked = Probe { path: "/v1/models".into(), status: 401, has: None };
        assert!(locked.is_answered_by(401, "") && !locked.is_answered_by(200, "{}"));
    }
}
