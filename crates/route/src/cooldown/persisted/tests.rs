//! What a restart brings back, and what a file cannot do.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use super::super::{Admission, Candidate};
use super::*;
use crate::FileState;

static WORK: LazyLock<Candidate> = LazyLock::new(|| Candidate::new("openai", Some("work"), "gpt-5"));

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000 + seconds)
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data").join("cooldowns.json");
    (folder, path)
}

/// What a gateway knows that starts now.
fn load(path: &Path, now: SystemTime) -> Cooldowns {
    let state = FileState::new(path.to_owned(), path.with_file_name("windows.json"));
    let limits = state.load().limits;
    Cooldowns::persisted_in(Arc::new(state), &limits, now)
}

fn filled(path: &Path) -> Cooldowns {
    let cooldowns = load(path, at(0));
    let day = Some(at(86_400));
    cooldowns.cool(WORK.as_account(), Reason::UsageLimit, day, at(0), at(0));
    cooldowns.cool(WORK.as_model_of_account(), Reason::RateLimited, Some(at(90)), at(0), at(0));
    cooldowns.cool(WORK.as_target(), Reason::Failing, None, at(0), at(0));
    let home = Candidate::new("openai", Some("home"), "gpt-5");
    cooldowns.cool(home.as_account(), Reason::LoggedOut, None, at(0), at(0));
    cooldowns
}

#[test]
fn limits_outlive_the_gateway_with_their_ends_and_probes_and_nothing_else_does() {
    let (_folder, path) = folder();
    let before = filled(&path);
    assert!(matches!(before.admit(&Candidate::new("openai", Some("work"), "o3"), at(60)), Admission::Probe(_)));
    before.exchange(at(60)).unwrap();
    let after = load(&path, at(61));
    let limits: Vec<_> = before.list(at(61)).into_iter().filter(|cooling| cooling.reason.is_limit()).collect();
    assert_eq!(limits.len(), 2);
    assert_eq!(after.list(at(61)), limits);
    assert!(matches!(after.admit(&WORK, at(61)), Admission::Cooling { until, .. } if until == at(86_400)));
    let later = load(&path, at(100)).list(at(100));
    assert_eq!(later.len(), 1, "what has ended meanwhile is left out");
}

#[cfg(unix)]
#[test]
fn the_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let (_folder, path) = folder();
    filled(&path).exchange(at(0)).unwrap();
    filled(&path).exchange(at(0)).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn a_file_that_cannot_be_read_is_ignored() {
    let (_folder, path) = folder();
    fs::create_dir(path.parent().unwrap()).unwrap();
    filled(&path).exchange(at(0)).unwrap();
    let whole = fs::read_to_string(&path).unwrap();
    assert_eq!(load(&path, at(1)).list(at(1)).len(), 2);
    for broken in [
        String::new(),
        "[]".into(),
        "null".into(),
        whole.replace("\"version\": 1", "\"version\": 2"),
        whole.replace("\"version\": 1", "\"version\": \"1\""),
        whole.replace("\"usage-limit\"", "\"a reason of tomorrow\""),
        whole[..whole.len() / 2].into(),
        format!("{}{whole}", " ".repeat(2 << 20)),
    ] {
        fs::write(&path, &broken).unwrap();
        assert_eq!(load(&path, at(1)).list(at(1)), [], "{broken}");
    }
    assert_eq!(load(path.parent().unwrap(), at(1)).list(at(1)), []);
    assert_eq!(load(&path.join("none"), at(1)).list(at(1)), []);
}

#[test]
fn an_end_that_lies_unreasonably_far_away_is_bounded() {
    let (_folder, path) = folder();
    filled(&path).exchange(at(0)).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let far = text.replace("2027-01-1", "2199-01-1");
    assert_ne!(far, text);
    fs::write(&path, far).unwrap();
    let list = load(&path, at(5)).list(at(5));
    assert_eq!(list.len(), 2);
    for cooling in list {
        assert_eq!(cooling.until, at(5) + cooling.reason.most());
        assert!(cooling.since <= at(5) && cooling.next_probe <= at(5 + 15 * 60), "{cooling:?}");
    }
}

#[test]
fn an_entry_that_is_no_limit_or_has_no_time_is_left_out_and_the_others_stay() {
    let (_folder, path) = folder();
    filled(&path).exchange(at(0)).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    for (from, to) in [("\"rate-limited\"", "\"logged-out\""), ("2027-01-15T08:01:30Z", "soon")] {
        let changed = text.replace(from, to);
        assert_ne!(changed, text);
        fs::write(&path, changed).unwrap();
        assert_eq!(load(&path, at(1)).list(at(1)).len(), 1, "{to}");
    }
}

#[tokio::test]
async fn the_file_is_written_on_change_and_not_before_the_pause_is_over() {
    let (_folder, path) = folder();
    let now = SystemTime::now();
    let cooldowns = load(&path, now);
    let hour = Some(now + Duration::from_secs(3600));
    let kept = || load(&path, now).list(now).len();
    // The keeper asks for its pause, and goes on when the test lets it.
    let (asks, mut asked) = tokio::sync::mpsc::unbounded_channel();
    let keeping = cooldowns.keep_pausing(async || {
        let (over, wait) = tokio::sync::oneshot::channel::<()>();
        let _ = asks.send(over);
        let _ = wait.await;
    });
    let using = async {
        cooldowns.cool(WORK.as_target(), Reason::Failing, None, now, now);
        tokio::task::yield_now().await;
        assert!(asked.try_recv().is_err() && !path.exists(), "an outage is not kept");
        cooldowns.cool(WORK.as_account(), Reason::UsageLimit, hour, now, now);
        let pause = asked.recv().await.unwrap();
        assert_eq!(kept(), 1);
        cooldowns.cool(WORK.as_model_of_account(), Reason::UsageLimit, hour, now, now);
        tokio::task::yield_now().await;
        assert_eq!(kept(), 1, "the pause is not over");
        drop(pause);
        let pause = asked.recv().await.unwrap();
        assert_eq!(kept(), 2);
        cooldowns.clear(None, None, now);
        drop(pause);
        asked.recv().await.unwrap();
        assert_eq!(kept(), 0);
    };
    tokio::select! {
        never = keeping => match never {},
        () = using => {}
    }
}

#[test]
fn a_limit_whose_end_was_bounded_can_be_lifted_before_and_after_the_first_exchange() {
    for exchanges_before in [0, 1, 2] {
        let (_folder, path) = folder();
        let limit = |account: &str| {
            serde_json::json!({
                "provider": "openai", "account": account, "reason": "usage-limit", "since": "2020-01-01T00:00:00Z",
                "until": "2099-01-01T00:00:00Z", "next_probe": "2099-01-01T00:00:00Z", "probes": 1,
            })
        };
        let kept = serde_json::json!({ "version": 1, "cooldowns": [limit("work"), limit("home")] });
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, kept.to_string()).unwrap();
        let cooldowns = load(&path, at(0));
        for second in 0..exchanges_before {
            cooldowns.exchange(at(second)).unwrap();
        }
        assert_eq!(cooldowns.clear(Some("openai"), Some("work"), at(5)), 1);
        for second in 5..8 {
            cooldowns.exchange(at(second)).unwrap();
            assert_eq!(cooldowns.list(at(second)).len(), 1);
        }
        assert_eq!(load(&path, at(9)).list(at(9)).len(), 1);
    }
}
