//! The golden files of a provider with an alien stream: what the test kit runs, and what it shows. The same run against its
//! component, which is `tests/guests/alien`.

#[path = "golden/alien.rs"]
mod alien;
#[allow(unreachable_pub, reason = "in an author's crate it is the whole crate")]
#[path = "../examples/tutorial.rs"]
mod tutorial;

#[test]
fn streams_memos_and_pages_that_were_cut_off_come_out_as_their_golden_files_say() {
    bitrouter_provider::golden::check::<alien::Alien>(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden"));
}

#[test]
fn what_the_tutorial_builds_comes_out_as_it_says() {
    bitrouter_provider::golden::check::<tutorial::Acme>(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/tutorial"));
}
