//! The rows of the translation as a Markdown table and as JSON: a line for each gateway, that of LiteLLM among them.

use std::fmt::Write;

use serde_json::{Value, json};

use super::rows::PRESENT;
use crate::report::figure;
use crate::statistics::{Spread, paired};

/// How the translated call is compared with the one that is passed through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compared {
    /// translated / passed, round by round.
    Ratio,
    /// translated − passed, round by round.
    Difference,
}

/// A row of one gateway.
pub struct Measured {
    /// What is measured.
    pub title: String,
    /// Which gateway it is of.
    pub of: &'static str,
    /// The figures' unit.
    pub unit: &'static str,
    /// How the two are compared.
    pub compared: Compared,
    /// The most that was promised, in the row's own terms; `None` where nothing was.
    pub target: Option<f64>,
    /// A figure for each round, passed through.
    pub passed: Vec<f64>,
    /// And translated.
    pub translated: Vec<f64>,
}

impl Measured {
    /// The figure that is held against the target; `None` if it could not be measured here.
    pub fn figure(&self) -> Option<Spread> {
        match self.compared {
            Compared::Ratio => paired(&self.translated, &self.passed, |translated, passed| translated / passed),
            Compared::Difference => paired(&self.translated, &self.passed, |translated, passed| translated - passed),
        }
    }

    fn met(&self) -> Option<bool> {
        Some(self.figure()?.median <= self.target?)
    }

    fn markdown(&self) -> String {
        let median = |figures: &[f64]| Spread::of(figures).map_or("—".to_owned(), |spread| figure(spread.median));
        let (before, after) = match self.compared {
            Compared::Ratio => ("", " ×".to_owned()),
            Compared::Difference => ("+", format!(" {}", self.unit)),
        };
        let compared = match self.figure() {
            Some(Spread { median, .. }) if self.passed.len() == 1 => format!("{before}{}{after}", figure(median)),
            Some(Spread { median, min, max }) => {
                format!("{before}{}{after} ({}–{})", figure(median), figure(min), figure(max))
            }
            None => "not measured".to_owned(),
        };
        let target = self.target.map_or("—".to_owned(), |target| format!("≤ {before}{target}{after}"));
        let met = match self.met() {
            Some(true) => "✓",
            Some(false) => "✗",
            None => "—",
        };
        let title = match self.of {
            PRESENT => self.title.clone(),
            other => format!("… {other}"),
        };
        let (passed, translated) = (median(&self.passed), median(&self.translated));
        format!("| {title}, {} | {passed} | {translated} | {compared} | {target} | {met} |", self.unit)
    }

    /// Every round's figures.
    pub fn json(&self) -> Value {
        json!({
            "title": self.title,
            "of": self.of,
            "unit": self.unit,
            "passed": self.passed,
            "translated": self.translated,
            "compared": self.figure(),
            "target": self.target,
            "met": self.met(),
        })
    }
}

/// The table of them all, with a heading; nothing if there are none.
pub fn markdown(rows: &[Measured]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let mut text = "\nTranslated beside passed through, the same answer of the same upstream:\n\n".to_owned();
    text += "| row | passed | translated | compared: median (min–max) | target | met |\n|---|---|---|---|---|---|\n";
    for row in rows {
        writeln!(text, "{}", row.markdown()).expect("writing to a string cannot fail");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::rows::LITELLM;
    use super::*;

    fn row(compared: Compared, of: &'static str, target: Option<f64>) -> Measured {
        let (passed, translated) = (vec![50.0, 60.0, 50.0], vec![70.0, 90.0, 80.0]);
        Measured { title: "CPU, Messages, whole".to_owned(), of, unit: "µs", compared, target, passed, translated }
    }

    #[test]
    fn a_ratio_is_taken_round_by_round_and_judged_by_its_median() {
        let row = row(Compared::Ratio, PRESENT, Some(1.5));
        assert_eq!(row.markdown(), "| CPU, Messages, whole, µs | 50.0 | 80.0 | 1.50 × (1.40–1.60) | ≤ 1.5 × | ✓ |");
    }

    #[test]
    fn a_difference_has_the_unit_of_its_figures() {
        let row = row(Compared::Difference, PRESENT, Some(20.0));
        assert!(row.markdown().ends_with("| +30.0 µs (20.0–30.0) | ≤ +20 µs | ✗ |"), "{}", row.markdown());
    }

    #[test]
    fn what_stands_beside_is_named_and_judged_by_nothing() {
        let row = row(Compared::Ratio, LITELLM, None);
        assert!(row.markdown().starts_with("| … LiteLLM, µs |") && row.markdown().ends_with("| — | — |"));
    }
}
