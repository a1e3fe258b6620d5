//! What the text is shown on: how wide it is, and whether it knows more than ASCII.

use std::borrow::Cow;
use std::io::{self, IsTerminal};
use std::sync::OnceLock;

use dialoguer::console::Term;

/// What standard output is. Set once by `main`; where it is not, as in tests, lines are as long as they like.
static LOOK: OnceLock<Look> = OnceLock::new();

#[derive(Clone, Copy, Debug)]
struct Look {
    terminal: bool,
    plain: bool,
}

/// Finds out what this process prints on. To be called before anything is printed.
pub(in crate::cli) fn begin() {
    let plain = is_ascii(&|name| std::env::var(name).ok());
    // A second call changes nothing.
    let _ = LOOK.set(Look { terminal: io::stdout().is_terminal(), plain });
}

/// Whether nothing but ASCII can be relied on.
pub(in crate::cli) fn is_plain() -> bool {
    LOOK.get().is_some_and(|look| look.plain)
}

/// How many columns a table may have, as the terminal is now; nothing where it may have any number.
pub(super) fn width() -> Option<usize> {
    LOOK.get().filter(|look| look.terminal)?;
    let (_, columns) = Term::stdout().size_checked()?;
    Some(usize::from(columns)).filter(|&columns| columns > 0)
}

/// A text as it can be shown here.
pub(super) fn shown(text: &str) -> Cow<'_, str> {
    if is_plain() { ascii(text) } else { text.into() }
}

/// Whether a terminal or a locale has no other letters: a console in the locale C, a mail from cron. `NO_COLOR` is about
/// colours and says nothing of letters.
fn is_ascii(env: &dyn Fn(&str) -> Option<String>) -> bool {
    let set = |name: &str| env(name).filter(|value| !value.is_empty());
    if set("TERM").as_deref() == Some("dumb") {
        return true;
    }
    // Windows has no such variables, and its consoles are written to in Unicode.
    if cfg!(windows) {
        return false;
    }
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set).unwrap_or_default().to_ascii_lowercase();
    !(locale.contains("utf-8") || locale.contains("utf8"))
}

/// Our own bars, boxes and ellipses in ASCII. What others wrote stays as it is.
fn ascii(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return text.into();
    }
    let mut plain = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '█' => plain.push('#'),
            '░' => plain.push('.'),
            '─' => plain.push('-'),
            '│' => plain.push('|'),
            '┌' | '┐' | '└' | '┘' => plain.push('+'),
            '…' => plain.push_str("..."),
            other => plain.push(other),
        }
    }
    plain.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(set: &[(&str, &str)]) -> bool {
        is_ascii(&|name| set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    #[cfg(not(windows))]
    fn a_locale_without_utf_8_and_a_dumb_terminal_get_ascii() {
        for set in [
            [].as_slice(),
            &[("LC_ALL", "C"), ("LANG", "de_DE.UTF-8")],
            &[("LANG", "POSIX")],
            &[("LANG", "de_DE.ISO-8859-1")],
            &[("LC_ALL", ""), ("LC_CTYPE", "C"), ("LANG", "C.UTF-8")],
            &[("TERM", "dumb"), ("LANG", "C.UTF-8")],
        ] {
            assert!(of(set), "{set:?}");
        }
    }

    #[test]
    fn a_locale_with_utf_8_gets_blocks_whatever_is_said_of_colours() {
        for set in [
            [("LC_ALL", "C.UTF-8"), ("LANG", "C")],
            [("LC_CTYPE", "en_US.utf8"), ("NO_COLOR", "1")],
            [("LANG", "de_DE.UTF-8"), ("NO_COLOR", "1")],
        ] {
            assert!(!of(&set), "{set:?}");
        }
    }

    #[test]
    fn bars_boxes_and_ellipses_have_an_ascii_form_and_other_letters_stay() {
        assert_eq!(ascii("██░ 42 %\n┌──┐\n│ A│\n└──┘ é…"), "##. 42 %\n+--+\n| A|\n+--+ é...");
        assert!(matches!(ascii("plain"), Cow::Borrowed("plain")));
    }
}
