//! What a person pastes where the browser cannot reach this machine: the address it ended at, `code#state`, or the code.

use std::fmt;

use form_urlencoded::parse;

/// What a pasted text holds. `Debug` shows no code.
#[derive(PartialEq, Eq)]
pub(super) enum Pasted {
    /// The code that the issuer gave.
    Code(String),
    /// The issuer refused: its error code and description.
    Refused(String, Option<String>),
    /// It is of another login.
    StateMismatch,
    /// It is none of the three.
    Nothing,
}

impl fmt::Debug for Pasted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Pasted::Code(_) => "Code(…)",
            Pasted::Refused(..) => "Refused(…)",
            Pasted::StateMismatch => "StateMismatch",
            Pasted::Nothing => "Nothing",
        })
    }
}

impl Pasted {
    /// Reads a line. Only a bare code comes without the state; PKCE still ties it to this login.
    pub(super) fn read(line: &str, state: &str) -> Self {
        let line = line.trim().trim_matches(['"', '\'']);
        if let Some((_, query)) = line.split_once('?') {
            return Self::of_query(query.split('#').next().unwrap_or_default(), state);
        }
        if line.contains('=') && line.contains("code") {
            return Self::of_query(line, state);
        }
        let (code, its_state) = match line.split_once('#') {
            Some((code, its_state)) => (code, Some(its_state)),
            None => (line, None),
        };
        match its_state {
            Some(other) if other != state => Pasted::StateMismatch,
            _ if is_code(code) => Pasted::Code(code.to_owned()),
            _ => Pasted::Nothing,
        }
    }

    /// Reads the query of a redirect (RFC 6749, sections 4.1.2 and 4.1.2.1).
    pub(super) fn of_query(query: &str, state: &str) -> Self {
        let value = |name: &str| {
            let mut pairs = parse(query.as_bytes());
            pairs.find_map(|(key, value)| (key == name && !value.is_empty()).then(|| value.into_owned()))
        };
        if value("state").as_deref() != Some(state) {
            return if value("code").or_else(|| value("error")).is_some() {
                Pasted::StateMismatch
            } else {
                Pasted::Nothing
            };
        }
        match (value("error"), value("code")) {
            (Some(error), _) => Pasted::Refused(error, value("error_description")),
            (None, Some(code)) => Pasted::Code(code),
            (None, None) => Pasted::Nothing,
        }
    }
}

/// Long enough not to be a word that somebody typed, no address, and of the characters that RFC 6749 (appendix A.11) allows.
fn is_code(text: &str) -> bool {
    text.len() >= 8 && !text.contains("://") && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATE: &str = "the-state";

    fn code(code: &str) -> Pasted {
        Pasted::Code(code.to_owned())
    }

    #[test]
    fn the_address_the_pair_and_the_code_are_all_understood() {
        for line in [
            "http://127.0.0.1:1455/auth/callback?code=ac_12345%2F6&scope=x&state=the-state",
            " 'http://localhost:1455/auth/callback?state=the-state&code=ac_12345%2F6#' ",
            "code=ac_12345%2F6&state=the-state",
            "ac_12345/6#the-state\n",
            "ac_12345/6",
        ] {
            assert_eq!(Pasted::read(line, STATE), code("ac_12345/6"), "{line}");
        }
    }

    #[test]
    fn debug_shows_no_code() {
        let debug = format!("{:?}", Pasted::read("ac_canary-0123456", STATE));
        assert_eq!(debug, "Code(…)");
    }

    #[test]
    fn what_is_of_another_login_is_not_taken() {
        for line in ["http://h/cb?code=ac_123456&state=other", "http://h/cb?code=ac_123456", "ac_123456#other"] {
            assert_eq!(Pasted::read(line, STATE), Pasted::StateMismatch, "{line}");
        }
    }

    #[test]
    fn a_refusal_is_read_with_its_reason() {
        let refused = Pasted::Refused("access_denied".into(), Some("not you".into()));
        assert_eq!(
            Pasted::read("http://h/cb?error=access_denied&error_description=not+you&state=the-state", STATE),
            refused
        );
    }

    #[test]
    fn an_empty_line_and_a_word_are_nothing() {
        for line in ["", "  ", "yes", "what now?", "http://h/cb", "http://h/cb?state=the-state", "two words of text"] {
            assert_eq!(Pasted::read(line, STATE), Pasted::Nothing, "{line}");
        }
    }
}
