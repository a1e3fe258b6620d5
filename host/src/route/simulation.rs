//! Days of traffic in a second: the routing of the gateway against three providers with three accounts each, whose
//! limits, outages and resets come from a seeded generator. There is no clock and no network: the moment is an argument
//! everywhere, so this drives the gateway's own resolver, plans, cooldowns and orders, with providers that a config
//! and a token file make. What must hold whatever happens is in `rules`, and what was promised of an address in
//! `requested`.
//!
//! `SEED=7 cargo test --release --workspace --lib simulation` runs one seed.

mod failover;
mod offer;
mod requested;
mod rules;
mod traffic;
mod upstream;

use traffic::Simulation;

/// Enough for every fault to meet every other, few enough for a coffee.
const SEEDS: std::ops::Range<u64> = 0..12;

#[test]
fn failover_holds_its_promises_whatever_the_upstreams_do() {
    for seed in bitrouter_tests::seeds(SEEDS) {
        let told = Simulation::new(seed).run();
        println!("seed {seed}: {told}");
    }
}
