//! Who is asked, in which order, and what is said of the others.

use std::time::UNIX_EPOCH;

use super::*;

fn offer(provider: &str, billing: Billing, payers: Payers) -> Offer {
    Offer { provider: provider.into(), model: "m".into(), billing, strategy: Strategy::Failover, payers }
}

fn accounts(labels: &[&str]) -> Payers {
    let account = |label: &&str| Account { label: (*label).into(), since: UNIX_EPOCH };
    Payers::Accounts(labels.iter().map(account).collect())
}

fn nobody(missing: bool) -> Payers {
    Payers::Nobody { sentence: "no login".into(), missing }
}

/// The candidates as addresses, and the targets for which nobody is asked.
fn choice(offers: Vec<Offer>) -> (Vec<String>, Vec<(usize, Unasked)>) {
    let choice = Choice::of(offers, |_, _| Vec::new(), || None);
    (choice.candidates.iter().map(ToString::to_string).collect(), choice.unasked)
}

#[test]
fn among_those_who_list_a_name_there_is_one_order_of_paying() {
    let terms = |priority, billing, has_credential| Terms { priority, billing, has_credential };
    let (plan, free, paid) = (Billing::Subscription, Billing::Free, Billing::PayPerToken);
    let listing = |has: [bool; 4]| {
        vec![
            ("paid", terms(100, paid, has[0])),
            ("free", terms(100, free, has[1])),
            ("plan", terms(100, plan, has[2])),
            ("other", terms(50, paid, has[3])),
        ]
    };
    for (has, chosen, over) in [
        ([true; 4], ["other", "paid"].as_slice(), ["plan", "free"].as_slice()),
        ([true, true, true, false], &["plan"], &["other", "free", "paid"]),
        ([true, true, false, false], &["free"], &["other", "plan", "paid"]),
        ([true, false, false, false], &["paid"], &["other", "plan", "free"]),
        ([false; 4], &["other", "paid"], &["plan", "free"]),
    ] {
        let named = by_name(listing(has)).unwrap();
        assert_eq!(named.chosen, chosen, "{has:?}");
        assert_eq!(named.passed_over.iter().map(|(id, _)| *id).collect::<Vec<_>>(), over, "{has:?}");
        assert_eq!(named.have_credentials, has.contains(&true));
    }
    let named = by_name(listing([false, true, false, true])).unwrap();
    assert_eq!(named.passed_over[0], ("plan", Why::NoCredential));
    assert_eq!(named.passed_over[1], ("free", Why::Money { costs: free, chosen: paid }));
    assert!(by_name::<&str>(Vec::new()).is_none());
}

#[test]
fn a_target_that_lacks_a_credential_is_no_way_to_what_costs_money() {
    let (plan, free, paid) = (Billing::Subscription, Billing::Free, Billing::PayPerToken);
    let unpaid = |target| (target, Unasked::Unpaid("no login".into()));
    let after = |first: (Billing, bool), second: Billing| {
        choice(vec![
            offer("first", first.0, nobody(first.1)),
            offer("second", second, accounts(&["x"])),
            offer("third", free, Payers::NotNeeded),
        ])
    };
    let all = vec!["second@x:m".to_owned(), "third:m".to_owned()];
    for (first, second) in [((plan, true), plan), ((plan, true), free), ((paid, true), paid), ((plan, false), paid)] {
        assert_eq!(after(first, second), (all.clone(), vec![unpaid(0)]), "{first:?}, {second:?}");
    }
    for first in [plan, free] {
        let behind = vec![unpaid(0), (1, Unasked::Behind(0)), (2, Unasked::Behind(0))];
        assert_eq!(after((first, true), paid), (Vec::new(), behind), "{first:?}");
    }
}

#[test]
fn an_account_that_is_named_twice_is_chosen_once() {
    let plan = Billing::Subscription;
    let offers = vec![offer("a", plan, accounts(&["y"])), offer("a", plan, accounts(&["x", "y"]))];
    assert_eq!(choice(offers).0, ["a@y:m", "a@x:m"]);
}

#[test]
fn neither_windows_nor_the_conversation_are_looked_at_where_they_do_not_matter() {
    let one = Offer { strategy: Strategy::Sticky, ..offer("a", Billing::Free, accounts(&["x"])) };
    let two = offer("b", Billing::Free, accounts(&["x", "y"]));
    let choice = Choice::of(vec![one, two], |_, _| unreachable!("nothing is balanced"), || unreachable!("nor sticky"));
    assert_eq!(choice.candidates.len(), 3);
}
