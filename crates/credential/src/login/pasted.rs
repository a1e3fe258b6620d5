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
    /// Reads a line. A bare code comes without the state, which PKCE still ties to this login; and so may a refusal, of
    /// which the person in front of the terminal tells us.
    pub(super) fn read(line: &str, state: &str) -> Self {
        let line = line.trim().trim_matches(['"', '\'']);
        if let Some((_, query)) = line.split_once('?') {
            return Self::of_line(query.split('#').next().unwrap_or_default(), state);
        }
        if ["code=", "error="].iter().any(|member| line.contains(member)) {
            return Self::of_line(line, state);
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
        if member(query, "state").as_deref() != Some(state) {
            return if member(query, "code").or_else(|| member(query, "error")).is_some() {
                Pasted::StateMismatch
            } else {
                Pasted::Nothing
            };
        }
        match (member(query, "error"), member(query, "code")) {
            (Some(error), _) => Pasted::Refused(error, member(query, "error_description")),
            (None, Some(code)) => Pasted::Code(code),
            (None, None) => Pasted::Nothing,
        }
    }

    /// The same of what was pasted. Some issuers leave the state out where they refuse.
    fn of_line(query: &str, state: &str) -> Self {
        match (member(query, "error"), member(query, "state")) {
            (Some(error), None) => Pasted::Refused(error, member(query, "error_description")),
            _ => Self::of_query(query, state),
        }
    }
}

/// A member of a query that is not empty.
fn member(query: &str, name: &str) -> Option<String> {
    parse(query.as_bytes()).find_map(|(key, value)| (key == name && !value.is_empty()).then(|| value.into_owned()))
}

/// Whether a bare word can be a code: no address, no word that somebody typed, and no secret of another kind, which the
/// issuer should not get. What is not taken can still be pasted as the whole address.
fn is_code(text: &str) -> bool {
    // Codes are made by chance, so a digit is all but certain among so many characters. RFC 6749, appendix A.11.
    let by_chance = text.len() >= 8 && text.bytes().any(|byte| byte.is_ascii_digit());
    let graphic = text.bytes().all(|byte| byte.is_ascii_graphic());
    by_chance && graphic && !text.contains("://") && !text.contains('@') && !is_other_secret(text)
}

/// Whether this is what people have in the clipboard beside a code: an API key, an access token, a JWT.
fn is_other_secret(text: &str) -> bool {
    const BEGINNINGS: [&str; 18] = [
        "sk-",
        "sk_",
        "pk-",
        "pk_",
        "rk_",
        "key-",
        "AIza",
        "ya29.",
        "gsk_",
        "xai-",
        "hf_",
        "r8_",
        "pplx-",
        "ghp_",
        "gho_",
        "github_pat_",
        "AKIA",
        "eyJ",
    ];
    BEGINNINGS.iter().any(|beginning| text.starts_with(beginning))
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
    fn a_refusal_that_was_pasted_without_the_state_is_one() {
        for line in ["http://h/cb?error=access_denied", "error=access_denied", "http://h/cb?error=access_denied&state="]
        {
            assert_eq!(Pasted::read(line, STATE), Pasted::Refused("access_denied".into(), None), "{line}");
        }
        let another = Pasted::read("http://h/cb?error=access_denied&state=other", STATE);
        assert_eq!(another, Pasted::StateMismatch);
        // The browser always brings the state: a page that leads it here must not end the login.
        assert_eq!(Pasted::of_query("error=access_denied", STATE), Pasted::StateMismatch);
    }

    #[test]
    fn a_secret_of_another_kind_is_no_code() {
        for line in [
            "sk-proj-0123456789abcdef",
            "sk-ant-api03-0123456789",
            "AIzaSy0123456789abcdef",
            "gsk_0123456789abcdef",
            "ghp_0123456789abcdef",
            "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
            "me.and.2@example.com",
        ] {
            assert_eq!(Pasted::read(line, STATE), Pasted::Nothing, "{line}");
        }
    }

    #[test]
    fn an_empty_line_and_a_word_are_nothing() {
        for line in [
            "",
            "  ",
            "yes",
            "what now?",
            "http://h/cb",
            "http://h/cb?state=the-state",
            "two words of text",
            "cancelplease",
            "--device",
        ] {
            assert_eq!(Pasted::read(line, STATE), Pasted::Nothing, "{line}");
        }
    }
}
