//! The measured rows as a Markdown table and as JSON. Called by `run`; formats, and judges against the targets.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::statistics::{Spread, paired};
use crate::table::Section;
use crate::translated::{self, Measured};

/// The ratio to the version before above which a row has become worse.
const WORSE_AT_MOST: f64 = 1.03;

/// What a row's figure is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// gateway / floor, round by round.
    RatioToFloor,
    /// gateway − direct, round by round.
    AddedToDirect,
    /// The gateway's figure itself.
    Itself,
    /// The gateway's figure, which is a number of things.
    Count,
}

/// One measured row: a figure for each round and each way that was measured.
pub struct Row {
    /// Its part of the table.
    pub section: Section,
    /// What it is called.
    pub title: String,
    /// The figures' unit.
    pub unit: &'static str,
    /// How it is judged.
    pub comparison: Comparison,
    /// The most that was promised; `None` where nothing was.
    pub target: Option<f64>,
    /// Without anything in between.
    pub direct: Vec<f64>,
    /// Through the floor.
    pub floor: Vec<f64>,
    /// Through the gateway.
    pub gateway: Vec<f64>,
    /// Through the gateway that it is compared with.
    pub before: Vec<f64>,
}

impl Row {
    /// A row that was measured at the gateway alone.
    pub fn of_gateway(section: Section, comparison: Comparison, title: String, unit: &'static str) -> Self {
        Self {
            section,
            title,
            unit,
            comparison,
            target: None,
            direct: Vec::new(),
            floor: Vec::new(),
            gateway: Vec::new(),
            before: Vec::new(),
        }
    }

    /// The figure that is held against the target; `None` if it could not be measured here.
    pub fn compared(&self) -> Option<Spread> {
        match self.comparison {
            Comparison::RatioToFloor => paired(&self.gateway, &self.floor, |g, f| g / f),
            Comparison::AddedToDirect => paired(&self.gateway, &self.direct, |g, d| g - d),
            Comparison::Itself | Comparison::Count => Spread::of(&self.gateway),
        }
    }

    /// Whether the target is met; `None` without a target or a figure.
    pub fn met(&self) -> Option<bool> {
        Some(self.compared()?.median <= self.target?)
    }

    /// The present gateway's figure over that of before, round by round; `None` if there was none, or nothing to divide.
    pub fn against_before(&self) -> Option<Spread> {
        if self.before.contains(&0.0) {
            return None;
        }
        paired(&self.gateway, &self.before, |gateway, before| gateway / before)
    }

    /// How the row compares with the version before, next to what both are to the floor.
    fn comparison(&self) -> Option<String> {
        let ratio = self.against_before()?;
        let shown = |spread: Option<Spread>| match spread {
            Some(Spread { median, min, max }) if min < max => format!("{median:.3} × ({min:.3}–{max:.3})"),
            Some(Spread { median, .. }) => format!("{median:.3} ×"),
            None => "—".to_owned(),
        };
        let to_floor = |figures: &[f64]| shown(paired(figures, &self.floor, |figure, floor| figure / floor));
        let (before, now) = (to_floor(&self.before), to_floor(&self.gateway));
        let met = if ratio.median <= WORSE_AT_MOST { "✓" } else { "✗" };
        Some(format!("| {} | {before} | {now} | {} | {met} |", self.title, shown(Some(ratio))))
    }

    fn markdown(&self) -> String {
        let figure = |value: f64| match self.comparison {
            Comparison::Count => format!("{value:.0}"),
            _ => figure(value),
        };
        let median = |figures: &[f64]| match Spread::of(figures) {
            Some(spread) => figure(spread.median),
            None => "—".to_owned(),
        };
        let (before, after) = match self.comparison {
            Comparison::RatioToFloor => ("", " ×".to_owned()),
            Comparison::AddedToDirect => ("+", format!(" {}", self.unit)),
            Comparison::Itself | Comparison::Count => ("", format!(" {}", self.unit)),
        };
        let compared = match self.compared() {
            // Measured once: there is no range.
            Some(Spread { median, .. }) if self.gateway.len() == 1 => format!("{before}{}{after}", figure(median)),
            Some(Spread { median, min, max }) => {
                format!("{before}{}{after} ({}–{})", figure(median), figure(min), figure(max))
            }
            None => "not measured".to_owned(),
        };
        let target = match self.target {
            Some(target) => format!("≤ {before}{target}{after}"),
            None => "—".to_owned(),
        };
        let met = match self.met() {
            Some(true) => "✓",
            Some(false) => "✗",
            None => "—",
        };
        format!(
            "| {}, {} | {} | {} | {} | {compared} | {target} | {met} |",
            self.title,
            self.unit,
            median(&self.direct),
            median(&self.floor),
            median(&self.gateway),
        )
    }

    fn json(&self) -> Value {
        json!({
            "section": self.section,
            "title": self.title,
            "unit": self.unit,
            "direct": self.direct,
            "floor": self.floor,
            "gateway": self.gateway,
            "before": self.before,
            "against_before": self.against_before(),
            "compared": self.compared(),
            "target": self.target,
            "met": self.met(),
        })
    }
}

/// All rows over one kind of upstream.
pub struct Report {
    /// How the upstream was reached.
    pub upstream: String,
    /// In the order they were measured.
    pub rows: Vec<Row>,
    /// What translating costs.
    pub translated: Vec<Measured>,
    /// What no figure tells, such as the text of the first error; a sentence each.
    pub notes: Vec<String>,
}

impl Report {
    /// The table, with a heading.
    pub fn markdown(&self) -> String {
        let mut text = format!("### Upstream over {}\n\n", self.upstream);
        if !self.rows.is_empty() {
            text += "| row | direct | floor | gateway | compared: median (min–max) | target | met |\n";
            text += "|---|---|---|---|---|---|---|\n";
        }
        for row in &self.rows {
            writeln!(text, "{}", row.markdown()).expect("writing to a string cannot fail");
        }
        let compared: Vec<String> = self.rows.iter().filter_map(Row::comparison).collect();
        if !compared.is_empty() {
            write!(
                text,
                "\nAgainst the version before, median (min–max) of the rounds; at most {WORSE_AT_MOST} × is meant:\n\n"
            )
            .expect("writing to a string cannot fail");
            text += "| row | before to floor | present to floor | present to before | met |\n|---|---|---|---|---|\n";
            for line in compared {
                writeln!(text, "{line}").expect("writing to a string cannot fail");
            }
        }
        text += &translated::markdown(&self.translated);
        for note in &self.notes {
            write!(text, "\n{note}\n").expect("writing to a string cannot fail");
        }
        text
    }

    /// Every round's figures.
    pub fn json(&self) -> Value {
        let rows: Vec<_> = self.rows.iter().map(Row::json).collect();
        let translated: Vec<_> = self.translated.iter().map(Measured::json).collect();
        json!({ "upstream": self.upstream, "rows": rows, "translated": translated, "notes": self.notes })
    }
}

/// About three digits: more would be noise.
pub fn figure(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(comparison: Comparison, target: Option<f64>, unit: &'static str) -> Row {
        Row {
            section: Section::Whole,
            title: "1 KB chat call".to_owned(),
            unit,
            comparison,
            target,
            direct: vec![0.2, 0.25, 0.2],
            floor: vec![30.0, 40.0, 35.0],
            gateway: vec![60.0, 60.0, 63.0],
            before: Vec::new(),
        }
    }

    #[test]
    fn a_ratio_is_judged_by_the_median_of_its_pairs() {
        let row = row(Comparison::RatioToFloor, Some(1.8), "µs");
        assert_eq!(row.compared().unwrap().median, 1.8);
        assert_eq!(row.met(), Some(true));
        assert_eq!(row.markdown(), "| 1 KB chat call, µs | 0.20 | 35.0 | 60.0 | 1.80 × (1.50–2.00) | ≤ 1.8 × | ✓ |");
    }

    #[test]
    fn a_missed_target_is_shown_as_missed() {
        let row = row(Comparison::AddedToDirect, Some(0.3), "ms");
        assert_eq!(row.met(), Some(false));
        assert!(row.markdown().ends_with("| ≤ +0.3 ms | ✗ |"));
    }

    #[test]
    fn what_was_counted_once_has_neither_a_fraction_nor_a_range() {
        let mut row = row(Comparison::Count, Some(0.0), "errors");
        row.gateway = vec![7.0];
        assert!(row.markdown().ends_with("| 7 | 7 errors | ≤ 0 errors | ✗ |"), "{}", row.markdown());
        row.gateway = vec![0.0];
        assert_eq!(row.met(), Some(true));
    }

    #[test]
    fn a_row_that_became_worse_than_the_version_before_is_marked_and_one_without_it_is_not_compared() {
        let mut row = row(Comparison::RatioToFloor, Some(2.0), "µs");
        assert_eq!(row.comparison(), None);
        (row.floor, row.before, row.gateway) = (vec![10.0, 10.0], vec![20.0, 20.0], vec![20.0, 20.4]);
        let said = row.comparison().unwrap();
        assert!(said.ends_with("| 2.000 × | 2.020 × (2.000–2.040) | 1.010 × (1.000–1.020) | ✓ |"), "{said}");
        row.gateway = vec![21.0, 21.0];
        assert!(row.comparison().unwrap().ends_with("| 1.050 × | ✗ |"));
    }

    #[test]
    fn what_could_not_be_measured_is_never_a_pass() {
        let mut row = row(Comparison::RatioToFloor, Some(2.0), "µs");
        row.floor.clear();
        row.gateway.clear();
        assert_eq!(row.met(), None);
        assert!(row.markdown().contains("| not measured |"));
    }
}
