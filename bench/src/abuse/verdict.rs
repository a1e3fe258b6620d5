//! What was seen of one abuse, and whether it holds: the rules by which a row is judged stand here, and the table.

use std::fmt::Write;

use super::calm::Looks;
use super::row::Abuse;
use crate::clients::Tally;

/// A p99 at most so many times that of the calm.
pub const TIMES_CALM: f64 = 2.0;
/// Below this many milliseconds no ratio is judged: on a shared machine a p99 of 1 ms is 3 ms in the next second.
pub const JUDGED_FROM: f64 = 5.0;
/// Above this many milliseconds a p99 is no noise of the machine's.
pub const NOISE_UP_TO: f64 = 100.0;
/// Resident memory at most, in megabytes (2^20 bytes).
pub const MEMORY: f64 = 400.0;
/// By how much more than in the calm at most, for the components of the corpus.
pub const MEMORY_OF_CORPUS: f64 = 200.0;
/// By how much more than in the calm a minute after.
pub const MEMORY_LATER: f64 = 50.0;

/// What the calm clients saw for a while.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Seen {
    /// How many calls fell due.
    pub asked: u64,
    /// How many had no good answer.
    pub errors: u64,
    /// What the first of these said.
    pub first_error: Option<String>,
    /// Milliseconds.
    pub p50: f64,
    /// Milliseconds.
    pub p99: f64,
}

impl From<Tally> for Seen {
    fn from(tally: Tally) -> Self {
        let [p50, p99] = [0.5, 0.99].map(|quantile| tally.milliseconds(quantile));
        Self { asked: tally.asked, errors: tally.errors, first_error: tally.first_error, p50, p99 }
    }
}

/// Resident memory of the gateway in megabytes; none where the system does not tell.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Memory {
    /// Before the abuse.
    pub calm: Option<f64>,
    /// The most since then.
    pub peak: Option<f64>,
    /// A minute after.
    pub later: Option<f64>,
}

/// How one abuse went.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Verdict {
    /// Which one.
    pub abuse: Abuse,
    /// The calm clients without it.
    pub before: Seen,
    /// And beside it.
    pub during: Seen,
    /// And once it is over.
    pub after: Seen,
    /// The same calls through a bare proxy, beside it: what the machine has left for anybody.
    pub bare: Seen,
    /// Whether `/health` and `status` answered.
    pub looks: Looks,
    /// What it took.
    pub memory: Memory,
    /// What became of the abuser's requests.
    pub told: String,
    /// What else is wrong, a sentence each.
    pub faults: Vec<String>,
    /// How often it was measured until the machine was quiet enough.
    pub measured: u32,
    /// Whether latencies are judged: not of a run that is too short for a p99.
    pub judges_latency: bool,
}

/// What the calm clients' p99 says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Latency {
    /// At most [`TIMES_CALM`] times the calm, or up to [`JUDGED_FROM`].
    Holds,
    /// More, and a bare proxy was about as slow at the same time: it is the machine.
    Machine,
    /// More.
    Slow,
}

impl Verdict {
    /// The p99 of the calm: the middle one of those before, after, and of a bare proxy beside the abuse. Any one of them may have
    /// met a busy moment of the machine, and the one after may have met what is left of the abuse.
    fn calm(&self) -> f64 {
        let mut p99 = [self.before.p99, self.after.p99, self.bare.p99];
        p99.sort_by(f64::total_cmp);
        p99[1]
    }

    /// The p99 beside the abuse against that of the calm.
    pub fn latency(&self) -> Latency {
        let (during, calm) = (self.during.p99, self.calm());
        if !self.judges_latency || during <= JUDGED_FROM || during <= TIMES_CALM * calm {
            Latency::Holds
        } else if during <= TIMES_CALM * self.bare.p99 {
            Latency::Machine
        } else {
            Latency::Slow
        }
    }

    /// Everything that does not hold, a sentence each, but for the latency.
    fn other_faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for (when, seen) in [("before", &self.before), ("beside it", &self.during), ("after", &self.after)] {
            if seen.errors > 0 {
                let said = seen.first_error.as_deref().unwrap_or_default();
                faults.push(format!("{} of {} calm calls failed {when}, the first: {said}", seen.errors, seen.asked));
            }
        }
        if self.looks.unanswered > 0 {
            faults.push(format!("/health was not answered {} times", self.looks.unanswered));
        }
        faults.extend(self.looks.status.clone());
        if let Some(peak) = self.memory.peak.filter(|&peak| peak > MEMORY) {
            faults.push(format!("{peak:.0} MB at the most, and {MEMORY} are meant"));
        }
        if let Some((peak, calm)) = self.memory.peak.zip(self.memory.calm)
            && self.abuse == Abuse::Corpus
            && peak > calm + MEMORY_OF_CORPUS
        {
            faults.push(format!("{:.0} MB above calm, and {MEMORY_OF_CORPUS} are meant", peak - calm));
        }
        if let Some((later, calm)) = self.memory.later.zip(self.memory.calm)
            && later > calm + MEMORY_LATER
        {
            faults.push(format!("{later:.0} MB a minute after, {:.0} more than in the calm", later - calm));
        }
        faults.extend(self.faults.iter().cloned());
        faults
    }

    /// Whether nothing but the latency fails, and by so little that measuring again may tell more.
    pub fn may_be_noise(&self) -> bool {
        self.latency() != Latency::Holds && self.during.p99 <= NOISE_UP_TO && self.other_faults().is_empty()
    }

    /// Everything that does not hold, a sentence each.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = self.other_faults();
        let (during, calm) = (self.during.p99, self.calm());
        match self.latency() {
            Latency::Holds => {}
            Latency::Slow => faults.push(format!("p99 {during:.1} ms is {:.1} × the calm", during / calm)),
            Latency::Machine => {
                let bare = self.bare.p99;
                faults.push(format!("p99 {during:.1} ms cannot be judged: a bare proxy had {bare:.1} ms meanwhile"));
            }
        }
        faults
    }

    /// Whether all holds.
    pub fn holds(&self) -> bool {
        self.faults().is_empty()
    }

    fn line(&self) -> String {
        let Self { before, during, after, bare, memory, .. } = self;
        let errors = before.errors + during.errors + after.errors;
        let megabytes = |figure: Option<f64>| figure.map_or("—".to_owned(), |figure| format!("{figure:.0}"));
        let [calm, peak, later] = [memory.calm, memory.peak, memory.later].map(megabytes);
        let health = match self.looks.unanswered {
            0 => format!("{:.0}", self.looks.slowest.as_secs_f64() * 1e3),
            _ => "none".to_owned(),
        };
        let holds = if self.holds() { "✓" } else { "✗" };
        format!(
            "| {} | {:.1} | {:.1} | {:.1} | {:.1} | {errors} of {} | {health} | {calm} → {peak} → {later} | {holds} |",
            self.abuse.title(),
            before.p99,
            during.p99,
            after.p99,
            bare.p99,
            before.asked + during.asked + after.asked,
        )
    }
}

/// All rows as a table, with what does not hold below it.
pub fn table(verdicts: &[Verdict]) -> String {
    let mut text = format!(
        "Calm clients at {} a second; their p99 in ms. It holds where it is at most {TIMES_CALM} × the middle one of before, after \
         and the bare proxy's meanwhile; below {JUDGED_FROM} ms no ratio is judged.\nMemory at most {MEMORY} MB, and within {MEMORY_LATER} MB of calm a minute after.\n\n",
        super::RATE
    );
    text += "| abuse | before | beside it | after | bare proxy meanwhile | errors | /health, slowest ms | MB: calm → most → a minute after | holds |\n";
    text += "|---|---|---|---|---|---|---|---|---|\n";
    for verdict in verdicts {
        writeln!(text, "{}", verdict.line()).expect("writing to a string cannot fail");
    }
    text.push('\n');
    for verdict in verdicts {
        let title = verdict.abuse.title();
        if let (Abuse::Corpus, Some((peak, calm))) = (verdict.abuse, verdict.memory.peak.zip(verdict.memory.calm)) {
            writeln!(text, "{title}: at most {:.0} MB above calm, and {MEMORY_OF_CORPUS} are meant", peak - calm)
                .expect("writing to a string cannot fail");
        }
        writeln!(text, "{title}: measured {} ×; the abuser saw: {}", verdict.measured, verdict.told)
            .expect("writing to a string cannot fail");
        for fault in verdict.faults() {
            writeln!(text, "  ✗ {fault}").expect("writing to a string cannot fail");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(p99: f64) -> Seen {
        Seen { asked: 400, p50: 1.0, p99, ..Seen::default() }
    }

    fn verdict(before: f64, during: f64, after: f64, bare: f64) -> Verdict {
        Verdict {
            abuse: Abuse::Silent,
            before: seen(before),
            during: seen(during),
            after: seen(after),
            bare: seen(bare),
            looks: Looks::default(),
            memory: Memory { calm: Some(45.0), peak: Some(400.0), later: Some(95.0) },
            told: String::new(),
            faults: Vec::new(),
            measured: 1,
            judges_latency: true,
        }
    }

    #[test]
    fn a_p99_is_judged_against_the_calm_and_below_the_floor_not_at_all() {
        assert_eq!(verdict(1.0, 5.0, 1.0, 1.0).latency(), Latency::Holds);
        assert_eq!(verdict(1.0, 5.1, 1.0, 1.0).latency(), Latency::Slow);
        assert_eq!(verdict(1.0, 11.9, 6.0, 6.0).latency(), Latency::Holds);
        assert_eq!(verdict(1.0, 12.1, 6.0, 6.0).latency(), Latency::Slow);
    }

    #[test]
    fn what_is_left_of_an_abuse_afterwards_is_no_calm() {
        assert_eq!(verdict(1.0, 4600.0, 2900.0, 20.0).latency(), Latency::Slow);
    }

    #[test]
    fn what_slows_a_bare_proxy_as_well_is_the_machine_and_does_not_pass() {
        let verdict = verdict(1.0, 30.0, 1.0, 15.0);
        assert_eq!(verdict.latency(), Latency::Machine);
        assert!(verdict.may_be_noise() && !verdict.holds());
        assert!(!self::verdict(1.0, 130.0, 1.0, 70.0).may_be_noise());
    }

    #[test]
    fn an_error_of_a_calm_client_memory_and_silence_fail_a_row_each() {
        assert!(verdict(1.0, 2.0, 1.0, 1.0).holds());
        let fails = |change: fn(&mut Verdict)| {
            let mut verdict = verdict(1.0, 2.0, 1.0, 1.0);
            change(&mut verdict);
            !verdict.holds() && !verdict.may_be_noise()
        };
        assert!(fails(|verdict| verdict.during.errors = 1));
        assert!(fails(|verdict| verdict.after.errors = 1));
        assert!(fails(|verdict| verdict.memory.peak = Some(400.1)));
        assert!(fails(|verdict| verdict.memory.later = Some(95.1)));
        assert!(fails(|verdict| verdict.abuse = Abuse::Corpus));
        assert!(fails(|verdict| verdict.looks.unanswered = 1));
        assert!(fails(|verdict| verdict.looks.status = Some("nothing".into())));
        assert!(fails(|verdict| verdict.faults.push("the gateway ended".into())));
    }
}
