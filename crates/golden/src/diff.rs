//! The difference of two texts, line by line, for a person to read. Cases are small, so the plain algorithm will do.

/// Lines around a change that are shown as well.
const CONTEXT: usize = 2;

/// Lines that left start with `-`, new ones with `+`; of the lines that stayed only those near a change are there.
pub(crate) fn lines(before: &str, after: &str) -> Vec<String> {
    let all = merged(&before.lines().collect::<Vec<_>>(), &after.lines().collect::<Vec<_>>());
    let changed: Vec<usize> = (0..all.len()).filter(|at| !all[*at].starts_with(' ')).collect();
    let near = |at: usize| changed.iter().any(|change| change.abs_diff(at) <= CONTEXT);
    let mut shown = Vec::new();
    let mut skipped = false;
    for (at, line) in all.into_iter().enumerate() {
        if !near(at) {
            skipped = true;
            continue;
        }
        if skipped {
            shown.push("  …".into());
            skipped = false;
        }
        shown.push(line);
    }
    shown
}

/// Both texts in one, along a longest common subsequence.
fn merged(before: &[&str], after: &[&str]) -> Vec<String> {
    let mut common = vec![vec![0_usize; after.len() + 1]; before.len() + 1];
    for i in (0..before.len()).rev() {
        for j in (0..after.len()).rev() {
            common[i][j] =
                if before[i] == after[j] { common[i + 1][j + 1] + 1 } else { common[i + 1][j].max(common[i][j + 1]) };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut all = Vec::new();
    while i < before.len() || j < after.len() {
        if i < before.len() && j < after.len() && before[i] == after[j] {
            all.push(format!("  {}", before[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == after.len() || (i < before.len() && common[i + 1][j] >= common[i][j + 1]) {
            all.push(format!("- {}", before[i]));
            i += 1;
        } else {
            all.push(format!("+ {}", after[j]));
            j += 1;
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::lines;

    #[test]
    fn only_changes_and_the_lines_around_them_are_shown() {
        let before = "a\nb\nc\nd\ne\nf";
        assert_eq!(lines(before, "a\nb\nc\nd\ne\nF"), ["  …", "  d", "  e", "- f", "+ F"]);
        assert!(lines(before, before).iter().all(|line| line.starts_with("  …")) || lines(before, before).is_empty());
    }
}
