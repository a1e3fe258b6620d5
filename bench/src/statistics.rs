//! The few sums the table rests on: medians over rounds, and ratios pair by pair. No I/O.

/// A figure over the rounds of one row.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Spread {
    /// The middle value; of an even number, the mean of the two in the middle.
    pub median: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
}

impl Spread {
    /// `None` if there are no values.
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (&min, &max) = (sorted.first()?, sorted.last()?);
        let middle = sorted.len() / 2;
        let median =
            if sorted.len().is_multiple_of(2) { (sorted[middle - 1] + sorted[middle]) / 2.0 } else { sorted[middle] };
        Some(Self { median, min, max })
    }
}

/// Each round's figure against the same round's base, so that what slows a whole round falls out.
pub fn paired(figures: &[f64], bases: &[f64], against: impl Fn(f64, f64) -> f64) -> Option<Spread> {
    let pairs: Vec<_> = figures.iter().zip(bases).map(|(&figure, &base)| against(figure, base)).collect();
    Spread::of(&pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_of_the_sorted_values() {
        let spread = Spread::of(&[9.0, 1.0, 5.0]).unwrap();
        assert_eq!((spread.median, spread.min, spread.max), (5.0, 1.0, 9.0));
    }

    #[test]
    fn the_median_of_an_even_number_is_between_the_two_in_the_middle() {
        assert_eq!(Spread::of(&[4.0, 1.0, 2.0, 100.0]).unwrap().median, 3.0);
    }

    #[test]
    fn nothing_measured_is_no_figure() {
        assert_eq!(Spread::of(&[]), None);
    }

    #[test]
    fn ratios_are_taken_round_by_round_and_not_of_the_medians() {
        // The second round ran on a machine twice as slow: every pair is still 1.5.
        let gateway = [15.0, 30.0, 16.5];
        let floor = [10.0, 20.0, 11.0];
        let ratio = paired(&gateway, &floor, |g, f| g / f).unwrap();
        assert_eq!((ratio.median, ratio.min, ratio.max), (1.5, 1.5, 1.5));
        // Of medians it would not be: [1, 10, 3] / [1, 2, 6] has pairs 1, 5, 0.5.
        let ratio = paired(&[1.0, 10.0, 3.0], &[1.0, 2.0, 6.0], |g, f| g / f).unwrap();
        assert_eq!(ratio.median, 1.0);
    }
}
