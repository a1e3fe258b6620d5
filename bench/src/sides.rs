//! Those that a row measures in turn, and the order in which they have it. Called by `run`.

use crate::load::Fleet;
use crate::report::Row;

/// What stands between the load and the upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Through {
    /// Nothing.
    Direct,
    /// The bare proxy.
    Floor,
    /// The gateway.
    Gateway,
    /// The build of it that it is compared with.
    Before,
}

/// One of those that a row measures in turn: a figure for each round.
pub struct Side<T> {
    /// Which one.
    pub path: Through,
    /// The process whose time is counted; 0 where none is.
    pub pid: u32,
    /// The load's connections to it.
    pub fleet: Fleet,
    /// So far.
    pub figures: Vec<T>,
}

/// All of them, the other way around in every second round: who comes first is nobody's advantage.
pub fn in_turn<T>(sides: &mut [T], round: u32) -> Box<dyn Iterator<Item = &mut T> + '_> {
    if round.is_multiple_of(2) { Box::new(sides.iter_mut().rev()) } else { Box::new(sides.iter_mut()) }
}

/// Puts what was measured of the gateway of before beside the same rows of the present one.
pub fn beside(rows: &mut [Row], before: Vec<Row>) {
    for (row, before) in rows.iter_mut().zip(before) {
        row.before = before.gateway;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_second_round_goes_the_other_way_around() {
        let mut sides = ["floor", "gateway", "before"];
        let order = |sides: &mut [&'static str], round| in_turn(sides, round).map(|side| *side).collect::<Vec<_>>();
        assert_eq!(order(&mut sides, 1), ["floor", "gateway", "before"]);
        assert_eq!(order(&mut sides, 2), ["before", "gateway", "floor"]);
    }
}
