//! The pages that the browser ends at. What the issuer says is escaped; nothing is loaded from anywhere.

use std::fmt;

/// A page: whether it is good news, and its text.
#[derive(Clone, Debug)]
pub(super) struct Page {
    /// The HTTP status.
    pub status: u16,
    title: &'static str,
    text: String,
    good: bool,
}

impl Page {
    /// The login is done.
    pub(super) fn done() -> Self {
        Page {
            status: 200,
            title: "You are logged in",
            text: "BitRouter has what it needs. You may close this tab and go back to the terminal.".into(),
            good: true,
        }
    }

    /// The login failed.
    pub(super) fn failed(reason: &str) -> Self {
        Page { status: 200, title: "The login failed", text: format!("{reason}. The terminal has more."), good: false }
    }

    /// The browser brought something that is not of this login.
    pub(super) fn mismatch() -> Self {
        let text = "This is of another login than the one that waits. Use the address that the terminal shows.".into();
        Page { status: 400, title: "State mismatch", text, good: false }
    }

    /// The browser brought neither a code nor an error.
    pub(super) fn nothing() -> Self {
        Page {
            status: 400,
            title: "No code came",
            text: "Use the address that the terminal shows.".into(),
            good: false,
        }
    }

    /// It was given up for another login.
    pub(super) fn cancelled() -> Self {
        Page { status: 200, title: "Login cancelled", text: "You may close this tab.".into(), good: false }
    }
}

impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Page { title, text, good, .. } = self;
        let (sign, colour) = if *good { ("✓", "#1a7f37") } else { ("✕", "#b42318") };
        let text = Escaped(text);
        write!(
            f,
            r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · BitRouter</title>
<style>
:root {{ color-scheme: light dark }}
body {{ font: 1rem/1.5 system-ui, sans-serif; display: grid; place-items: center; min-height: 100vh; margin: 0 }}
main {{ max-width: 28rem; padding: 2rem; text-align: center }}
.sign {{ font-size: 3rem; line-height: 1; color: {colour} }}
h1 {{ font-size: 1.5rem; margin: 1rem 0 .5rem }}
p {{ margin: 0; overflow-wrap: anywhere }}
</style>
</head>
<body><main><div class="sign" aria-hidden="true">{sign}</div><h1>{title}</h1><p>{text}</p></main></body>
</html>
"#
        )
    }
}

/// Text as HTML shows it.
struct Escaped<'t>(&'t str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        for letter in self.0.chars() {
            match letter {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_issuer_says_cannot_become_markup() {
        let page = Page::failed("<script>alert('x')</script> & \"more\"").to_string();
        assert!(page.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;more&quot;"), "{page}");
        assert!(!page.contains("<script"), "{page}");
    }

    #[test]
    fn good_news_says_that_the_tab_may_be_closed() {
        let page = Page::done().to_string();
        assert!(page.contains("You are logged in") && page.contains("close this tab"), "{page}");
    }
}
