//! Each strategy by what it promises.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::Strategy;
use super::*;

const LABELS: [&str; 3] = ["default", "home", "work"];

fn window(resets_at: Option<u64>, used_percent: Option<f64>) -> Window {
    Window {
        name: String::new(),
        used_percent,
        limit: None,
        remaining: None,
        length_seconds: None,
        resets_at,
        told_at: 0,
    }
}

fn units(limit: Option<u64>, remaining: u64) -> Window {
    Window { limit, remaining: Some(remaining), ..window(Some(10), None) }
}

fn conversation(number: u32) -> Conversation {
    Conversation::of_id(&number.to_string())
}

fn sticky(labels: &[&str], conversation: &Conversation) -> Vec<usize> {
    Strategy::Sticky.order(labels, |_| unreachable!("windows do not matter"), Some(conversation))
}

#[test]
fn the_words_of_the_config_are_the_strategies() {
    let all = [Strategy::Failover, Strategy::Balance, Strategy::Sticky].map(Some);
    assert!(Strategy::WORDS.iter().map(|word| Strategy::of_word(word)).eq(all));
    assert_eq!(Strategy::of_word("round-robin"), None);
    assert_eq!(Strategy::default(), Strategy::Failover);
}

#[test]
fn failover_keeps_label_order_and_asks_for_nothing() {
    let order = Strategy::Failover.order(&LABELS, |_| unreachable!("windows do not matter"), None);
    assert_eq!(order, [0, 1, 2]);
    for strategy in [Strategy::Failover, Strategy::Balance] {
        let accounts = LABELS.map(|label| Account { label: label.into(), since: std::time::UNIX_EPOCH });
        let order = strategy.ordered(accounts.to_vec(), |_| Vec::new(), || unreachable!("conversations do not matter"));
        assert_eq!(order, accounts);
    }
}

#[test]
fn balance_takes_the_least_used_of_the_window_that_ends_first() {
    let (soon, late) = (Some(10), Some(20));
    let used = |percent| Some(f64::from(percent));
    type Case = (&'static str, [Vec<Window>; 3], [usize; 3]);
    let cases: [Case; 8] = [
        ("nothing is known", [vec![], vec![], vec![]], [0, 1, 2]),
        (
            "the least used is first",
            [vec![window(soon, used(50))], vec![window(soon, used(20))], vec![window(soon, used(30))]],
            [1, 2, 0],
        ),
        ("unknown counts as unused", [vec![window(soon, used(1))], vec![], vec![window(soon, None)]], [1, 2, 0]),
        (
            "the window that ends first counts, wherever it stands",
            [
                vec![window(late, used(0)), window(soon, used(90))],
                vec![window(soon, used(10)), window(late, used(95))],
                vec![window(soon, used(50)), window(None, used(0))],
            ],
            [1, 2, 0],
        ),
        (
            "a window without an end counts where there is no other",
            [vec![window(None, used(60))], vec![window(None, used(40)), window(late, used(70))], vec![]],
            [2, 0, 1],
        ),
        (
            "an account with a window that is used up is last",
            [vec![window(soon, used(0)), window(late, used(100))], vec![window(soon, used(99))], vec![]],
            [2, 1, 0],
        ),
        (
            "units count like percent",
            [vec![units(Some(100), 20)], vec![units(Some(1000), 900)], vec![units(Some(0), 0)]],
            [1, 0, 2],
        ),
        (
            "two windows that end together count as the fuller one",
            [vec![window(soon, used(5)), window(soon, used(80))], vec![window(soon, used(40))], vec![]],
            [2, 1, 0],
        ),
    ];
    for (what, windows, wanted) in cases {
        let of = |label: &str| windows[LABELS.iter().position(|known| *known == label).unwrap()].clone();
        assert_eq!(Strategy::Balance.order(&LABELS, of, None), wanted, "{what}");
    }
}

#[test]
fn a_conversation_stays_and_conversations_spread() {
    let mut firsts = BTreeMap::<usize, u32>::new();
    for number in 0..3000 {
        let order = sticky(&LABELS, &conversation(number));
        assert_eq!(order, sticky(&LABELS, &conversation(number)));
        *firsts.entry(order[0]).or_default() += 1;
    }
    // A third each; of a fair choice the standard deviation is 26.
    assert!(firsts.len() == 3 && firsts.values().all(|count| count.abs_diff(1000) < 150), "{firsts:?}");
}

#[test]
fn what_belongs_to_no_conversation_keeps_label_order() {
    assert_eq!(Strategy::Sticky.order(&LABELS, |_| Vec::new(), None), [0, 1, 2]);
}

#[test]
fn a_conversation_stays_over_an_update_of_the_gateway() {
    // Were this to change, every conversation would lose its prompt cache once.
    let first = |number| LABELS[sticky(&LABELS, &conversation(number))[0]];
    assert_eq!([0, 1, 2, 3, 4, 5].map(first), ["default", "work", "default", "home", "home", "work"]);
}

proptest! {
    #[test]
    fn an_account_that_goes_moves_only_its_own_conversations(number: u32, accounts in 2usize..8, gone in 0usize..8) {
        let labels: Vec<String> = (0..accounts).map(|account| format!("account-{account}")).collect();
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        let gone = labels[gone % accounts];
        let left: Vec<&str> = labels.iter().copied().filter(|label| *label != gone).collect();
        let named = |labels: &[&str]| -> Vec<String> {
            sticky(labels, &conversation(number)).into_iter().map(|index| labels[index].to_owned()).collect()
        };
        let before: Vec<String> = named(&labels).into_iter().filter(|label| label != gone).collect();
        prop_assert_eq!(before, named(&left));
    }

    #[test]
    fn every_account_is_in_the_order_once(
        strategy in 0usize..3,
        number: u32,
        used in prop::collection::vec(prop::option::of(0.0f64..=100.0), 0..9),
    ) {
        let strategy = Strategy::of_word(Strategy::WORDS[strategy]).unwrap();
        let labels: Vec<String> = (0..used.len()).map(|account| account.to_string()).collect();
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        let windows = |label: &str| vec![window(Some(10), used[label.parse::<usize>().unwrap()])];
        let mut order = strategy.order(&labels, windows, Some(&conversation(number)));
        order.sort_unstable();
        prop_assert!(order.into_iter().eq(0..labels.len()));
    }
}

#[test]
fn what_balance_and_sticky_do_is_said_and_what_is_always_so_is_not() {
    let windows = |label: &str| match label {
        "default" => vec![window(Some(10), Some(100.0))],
        "home" => vec![window(Some(10), Some(80.4))],
        _ => Vec::new(),
    };
    let said = |strategy: Strategy, conversation| strategy.said(&["work", "home", "default"], windows, conversation);
    assert_eq!(said(Strategy::Failover, true), None);
    assert_eq!(
        said(Strategy::Balance, false).as_deref(),
        Some(
            "balance: next is work (0 %), the least used of the window that ends first; then home (80 %), default (used up)"
        )
    );
    assert_eq!(said(Strategy::Sticky, true).as_deref(), Some("sticky: this conversation stays with work"));
    assert!(said(Strategy::Sticky, false).unwrap().ends_with("what belongs to none goes to work"));
    assert_eq!(Strategy::Balance.said(&["work"], windows, false), None);
}
