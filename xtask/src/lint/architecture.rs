//! Checks that every file and folder that docs/architecture.md names is there: the page is how people find their way, and
//! files move. `lint` calls it.

use anyhow::{Context, Result, bail};

use crate::root::Root;

const PAGE: &str = "docs/architecture.md";

/// Looks for what the page names.
pub(super) fn check(root: &Root) -> Result<()> {
    let page = std::fs::read_to_string(root.join(PAGE)).with_context(|| format!("{PAGE} cannot be read"))?;
    let gone: Vec<_> = paths(&page).filter(|path| !root.join(path).exists()).collect();
    if !gone.is_empty() {
        bail!("{PAGE} names what is not there: {}", gone.join(", "));
    }
    Ok(())
}

/// What stands in backquotes and has a slash: a path from the project's folder on.
fn paths(page: &str) -> impl Iterator<Item = &str> {
    let spans = page.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    spans.filter(|span| span.contains('/') && !span.contains([' ', ':']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_paths_of_a_page_are_what_is_quoted_and_has_a_slash() {
        let page = "In `host/src/app.rs`, not in `app.rs` or\n`GET https://x/y`: `wit/`.";
        assert_eq!(paths(page).collect::<Vec<_>>(), ["host/src/app.rs", "wit/"]);
    }
}
