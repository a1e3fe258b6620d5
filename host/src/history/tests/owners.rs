//! Who owns an id, over a restart and between processes, each for its caller.

use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::caller::Caller;

fn owners(folder: &Path) -> Arc<Owners> {
    let file = |name: &str, terms| Arc::new(FileTexts::new(folder.join(name), terms));
    Arc::new(Owners::persisted_in(file("responses", &RESPONSE_OWNERS), file("others", &OBJECT_OWNERS)))
}

fn at(provider: &str, account: &str) -> ObjectOwner {
    ObjectOwner { provider: provider.into(), account: account.into() }
}

#[tokio::test]
async fn an_owner_is_found_after_a_restart_and_by_another_process_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (owners(folder.path()), owners(folder.path()));
    assert_eq!(other.find(Caller::Anybody, "files", "file-1").await, None);
    for (object, id) in [("files", "file-1"), ("responses", "resp_1")] {
        one.remember(Caller::Anybody, object, id, &at("openai", "work"));
    }
    one.exchange().unwrap();
    for process in [other, owners(folder.path())] {
        assert_eq!(process.find(Caller::Anybody, "files", "file-1").await, Some(at("openai", "work")));
        assert_eq!(process.find(Caller::Anybody, "responses", "resp_1").await, Some(at("openai", "work")));
    }
}

#[test]
fn an_object_is_its_callers_alone_and_of_its_own_sort() {
    let owners = Owners::default();
    let (one, other) = (Caller::Key([1; 32]), Caller::Key([2; 32]));
    owners.remember(one, "files", "file-1", &at("openai", ""));
    assert_eq!(owners.known(one, "files", "file-1"), Some(at("openai", "")));
    for caller in [other, Caller::Anybody] {
        assert_eq!(owners.known(caller, "files", "file-1"), None);
    }
    assert_eq!(owners.known(one, "batches", "file-1"), None);
}

#[test]
fn an_id_that_has_an_owner_keeps_it_and_what_is_no_id_is_nobodys() {
    let owners = Owners::default();
    owners.remember(Caller::Anybody, "files", "file-1", &at("openai", "work"));
    owners.remember(Caller::Anybody, "files", "file-1", &at("evil", "x"));
    assert_eq!(owners.known(Caller::Anybody, "files", "file-1"), Some(at("openai", "work")));
    for id in [String::new(), "a\nb".into(), "x".repeat(513)] {
        owners.remember(Caller::Anybody, "files", &id, &at("openai", "work"));
        assert_eq!(owners.known(Caller::Anybody, "files", &id), None);
    }
}
