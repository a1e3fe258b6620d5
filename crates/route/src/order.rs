//! In which order the accounts of a provider are tried: `providers.<id>.accounts` of the config.
//!
//! The choice calls it for each target with the accounts that may be used. A pure function: what cools down is left to
//! [`super::cooldown`], which is asked for each account in this order.

use std::cmp::Ordering;
use std::fmt;

use sha2::{Digest, Sha256};

use super::candidate::Account;
use super::{Conversation, Window};

/// How several accounts of a provider share the work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// The first account for as long as it can, then the next.
    #[default]
    Failover,
    /// The account that has used the least of its window that ends first.
    Balance,
    /// Each conversation stays on one account, so that the provider's prompt cache serves it.
    Sticky,
}

impl Strategy {
    /// The words of the config, in the order of the variants.
    pub const WORDS: &'static [&'static str] = &["failover", "balance", "sticky"];

    /// The strategy of a word.
    pub fn of_word(word: &str) -> Option<Self> {
        let all = [Strategy::Failover, Strategy::Balance, Strategy::Sticky];
        Self::WORDS.iter().position(|known| *known == word).map(|index| all[index])
    }

    /// The accounts in the order in which they are tried. `conversation` is asked only where it matters: computing its key
    /// costs a look into the body.
    pub(crate) fn ordered<'c>(
        self,
        accounts: Vec<Account>,
        windows: impl Fn(&str) -> Vec<Window>,
        conversation: impl FnOnce() -> Option<&'c Conversation>,
    ) -> Vec<Account> {
        if accounts.len() < 2 {
            return accounts;
        }
        let labels: Vec<&str> = accounts.iter().map(|account| &*account.label).collect();
        let conversation = match self {
            Strategy::Failover | Strategy::Balance => None,
            Strategy::Sticky => conversation(),
        };
        let order = self.order(&labels, windows, conversation);
        order.into_iter().map(|index| accounts[index].clone()).collect()
    }

    /// The indexes of the accounts, the first to be tried first. `labels` are in label order, `windows` gives what is
    /// known of an account's limits and is asked only to balance. Where nothing speaks for an account, label order
    /// decides; so it does for a request that belongs to no conversation.
    pub fn order(
        self,
        labels: &[&str],
        windows: impl Fn(&str) -> Vec<Window>,
        conversation: Option<&Conversation>,
    ) -> Vec<usize> {
        let mut order: Vec<usize> = (0..labels.len()).collect();
        match self {
            Strategy::Failover => {}
            Strategy::Balance => {
                let used: Vec<Used> = labels.iter().map(|label| Used::of(&windows(label))).collect();
                order.sort_by(|one, other| used[*one].compare(&used[*other]));
            }
            Strategy::Sticky => {
                if let Some(conversation) = conversation {
                    let weights: Vec<u64> = labels.iter().map(|label| weight(conversation, label)).collect();
                    order.sort_by_key(|index| std::cmp::Reverse(weights[*index]));
                }
            }
        }
        order
    }

    /// Why the accounts of these labels stand in this order, for a person; none where there is nothing to choose, or they
    /// stand as they do in every list.
    pub fn said(
        self,
        labels: &[&str],
        windows: impl Fn(&str) -> Vec<Window>,
        has_conversation: bool,
    ) -> Option<String> {
        let (first, others) = labels.split_first().filter(|(_, others)| !others.is_empty())?;
        match self {
            Strategy::Failover => None,
            Strategy::Balance => {
                let used = |label: &&str| format!("{label} {}", Used::of(&windows(label)));
                let others: Vec<String> = others.iter().map(used).collect();
                Some(format!(
                    "balance: next is {}, the least used of the window that ends first; then {}",
                    used(first),
                    others.join(", ")
                ))
            }
            Strategy::Sticky if has_conversation => Some(format!("sticky: this conversation stays with {first}")),
            Strategy::Sticky => Some(format!(
                "sticky: a conversation stays with one account, which its name or its beginning decides; what belongs to \
                 none goes to {first}"
            )),
        }
    }
}

impl fmt::Display for Used {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.up {
            true => f.write_str("(used up)"),
            false => write!(f, "({:.0} %)", self.percent),
        }
    }
}

/// How much of an account is used.
#[derive(Clone, Copy, Debug)]
struct Used {
    /// Whether a window has nothing left. Such an account comes last: its next answer would be a refusal.
    up: bool,
    /// Of the window that ends first, in percent. What is left of it is lost soonest.
    percent: f64,
}

impl Used {
    fn of(windows: &[Window]) -> Self {
        let up = windows.iter().any(|window| window.used().is_some_and(|percent| percent >= 100.0));
        let known = windows.iter().filter_map(|window| Some((window.resets_at.unwrap_or(u64::MAX), window.used()?)));
        // Two windows that end together count as the fuller one.
        let first = known.min_by(|(end, used), (other_end, other)| end.cmp(other_end).then(other.total_cmp(used)));
        Used { up, percent: first.map_or(0.0, |(_, percent)| percent) }
    }

    fn compare(&self, other: &Self) -> Ordering {
        self.up.cmp(&other.up).then(self.percent.total_cmp(&other.percent))
    }
}

/// Rendezvous hashing: each conversation ranks all accounts by a hash of both. An account that goes takes only its own
/// conversations along, and they come back with it. SHA-256, so that an update of the gateway moves none.
fn weight(conversation: &Conversation, label: &str) -> u64 {
    let digest = Sha256::new().chain_update(conversation.as_bytes()).chain_update(label).finalize();
    u64::from_be_bytes(std::array::from_fn(|index| digest[index]))
}

#[cfg(test)]
mod tests;
