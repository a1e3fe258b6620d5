//! `kill -9` in the middle of refreshes. An issuer that takes a refresh token once more for a short time loses nobody. One
//! that does not loses an account only where its answer had not reached the disk yet, and then the account says so.
#![cfg(unix)]

use std::fs;
use std::sync::{Arc, mpsc};
use std::thread::sleep;
use std::time::{Duration, Instant};

use bitrouter_tests::{Dice, Gateway, Issuer, Login, Reuse, Setup, Upstream, eventually};
use serde_json::{Value, json};

/// How many refreshes are killed for each kind of issuer, and by how many at a time.
const KILLS: u32 = 200;
const LANES: u32 = 2;

const LOG_IN_AGAIN: &str = "openai-codex@work: log in again: bitrouter login openai-codex --label work";

/// Some part of a time.
fn part_of(dice: &mut Dice, whole: Duration) -> Duration {
    Duration::from_micros(dice.below(u64::try_from(whole.as_micros()).unwrap().max(1)))
}

/// One home whose gateway is killed again and again, while it refreshes the account `work`.
struct Lane {
    issuer: Issuer,
    setup: Arc<Setup>,
    /// All of the token file but the account.
    others: Value,
    dice: Dice,
    /// How long it takes from the start to the issuer, and from there to the disk.
    reach: Duration,
    store: Duration,
    // Only listened to.
    _api: Upstream,
}

/// What a kill left of the account.
struct Left {
    refresh_token: String,
    /// Whether the record of a refresh stands there.
    recorded: bool,
    over: bool,
}

impl Lane {
    fn new(reuse: Reuse, seed: u64) -> Self {
        let (issuer, api) = (Issuer::start(reuse), Upstream::start());
        // Every start finds it over.
        issuer.lifetime(5);
        let (setup, _) = Gateway::start().with_issuer(&issuer);
        let setup = setup.with("/providers/openai-codex/origins/api", json!(api.origin()));
        let setup = setup.with_entry(json!({ "provider": "p", "label": "a", "kind": "later", "secret": { "x": [1] } }));
        let setup = setup.logged_in("openai-codex", "default", &Login::of("acc-other"));
        let setup = setup.logged_in("openai-codex", "work", &Login::over("acc-1", &issuer.login("acc-1")));
        let setup = setup.with_entry(json!({
            "provider": "openai", "label": "z", "kind": "api-key", "origins": { "api": "https://api.openai.com/v1" },
            "secret": { "key": "sk-canary" },
        }));
        // The component is compiled here, and not while a refresh is waited for.
        setup.command(&["accounts"]).ok();
        let zero = Duration::ZERO;
        let setup = Arc::new(setup);
        let mut lane =
            Lane { issuer, setup, others: json!(null), dice: Dice::new(seed), reach: zero, store: zero, _api: api };
        lane.others = lane.split().0;
        lane.measure();
        lane
    }

    /// All of the token file but the account, and the account.
    fn split(&self) -> (Value, Value) {
        let text = fs::read_to_string(self.setup.token_file()).unwrap();
        let mut file: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let entries = file["credentials"].as_array_mut().unwrap();
        let at = entries.iter().position(|entry| entry["label"] == "work").expect("the account is there");
        let account = entries.remove(at);
        (file, account)
    }

    /// One refresh that is left alone.
    fn measure(&mut self) {
        let before = self.look().refresh_token;
        let (asked, is_asked) = mpsc::channel();
        self.issuer.meanwhile(move || asked.send(()).unwrap_or_default());
        let begun = Instant::now();
        let running = self.begin();
        is_asked.recv_timeout(Duration::from_secs(20)).expect("the issuer is asked");
        self.reach = begun.elapsed();
        let begun = Instant::now();
        assert!(eventually(|| self.look().refresh_token != before), "{}", running.text());
        self.store = begun.elapsed();
    }

    fn begin(&self) -> bitrouter_tests::Running {
        // On any port: nobody asks it for anything.
        self.setup.begin(&["serve", "--listen", "127.0.0.1:0"])
    }

    /// Starts a gateway and kills it: one time in four at any moment on its way to the issuer, else at any moment between
    /// the issuer's having been asked and some time after the new tokens should be on the disk.
    fn kill(&mut self) -> Left {
        let (asked, is_asked) = mpsc::channel();
        self.issuer.meanwhile(move || asked.send(()).unwrap_or_default());
        let running = self.begin();
        if self.dice.below(4) == 0 {
            sleep(part_of(&mut self.dice, self.reach * 5 / 4));
        } else {
            is_asked.recv_timeout(Duration::from_secs(20)).unwrap_or_else(|_| panic!("not asked: {}", running.text()));
            sleep(part_of(&mut self.dice, self.store * 2));
        }
        drop(running);
        self.issuer.settles();
        let left = self.look();
        assert_eq!(self.split().0, self.others, "nothing else is touched");
        left
    }

    fn look(&self) -> Left {
        let account = self.split().1;
        Left {
            refresh_token: account["secret"]["refresh_token"].as_str().unwrap().to_owned(),
            recorded: account["refreshing"].is_object(),
            over: account["log_in_again"].is_object(),
        }
    }

    /// After an answer was lost that the issuer gives but once: it is asked once more, and then everybody is told.
    fn is_said_to_be_over(&self, lost: &Left) {
        let (reuses, gateway) = (self.issuer.reuses(), Gateway::in_home(&self.setup));
        assert!(eventually(|| self.look().over), "{}", gateway.log());
        let left = self.look();
        assert!(!left.recorded && left.refresh_token == lost.refresh_token);
        assert_eq!(self.issuer.reuses(), reuses + 1, "it is tried once more");
        gateway.logs(LOG_IN_AGAIN);
        let body = json!({ "model": "openai-codex@work:gpt-5.5", "input": "hello" });
        gateway.post("/v1/responses").json(&body).send().status(401).says(LOG_IN_AGAIN);
        self.setup.command(&["accounts"]).ok().says(LOG_IN_AGAIN);
        self.setup.command(&["route", "openai-codex@work:gpt-5.5"]).fails().says(LOG_IN_AGAIN);
        assert_eq!(self.issuer.reuses(), reuses + 1, "and not again");
    }

    fn log_in_anew(&self) {
        let login = Login::over("acc-1", &self.issuer.login("acc-1"));
        self.setup.log_in("openai-codex", "work", &login);
    }

    /// No unfinished file is left behind, which would hold tokens.
    fn is_tidy(&self) {
        let names = fs::read_dir(self.setup.home()).unwrap().map(|entry| entry.unwrap().file_name());
        let left: Vec<_> = names.filter(|name| name.to_string_lossy().starts_with(".bitrouter-")).collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

/// Runs lanes side by side; answers what they counted, added up.
fn lanes(reuse: Reuse, run: impl Fn(&mut Lane) -> usize + Sync) -> usize {
    let seed = std::env::var("BITROUTER_E2E_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or_else(|| std::time::UNIX_EPOCH.elapsed().unwrap().as_secs());
    println!("BITROUTER_E2E_SEED={seed}");
    std::thread::scope(|scope| {
        let run = &run;
        let lanes = (0..LANES).map(|lane| {
            scope.spawn(move || {
                let mut lane = Lane::new(reuse, seed.wrapping_mul(1000) + u64::from(lane));
                let counted = run(&mut lane);
                // One more, which tidies up.
                lane.measure();
                lane.is_tidy();
                counted
            })
        });
        let lanes: Vec<_> = lanes.collect();
        lanes.into_iter().map(|lane| lane.join().unwrap()).sum()
    })
}

#[test]
fn killed_at_any_moment_of_a_refresh_an_account_lives_on_where_the_issuer_has_a_grace_period() {
    let lost = lanes(Reuse::Grace, |lane| {
        let mut lost = 0;
        for kill in 0..KILLS / LANES {
            let left = lane.kill();
            assert!(!left.over, "kill {kill}");
            assert!(lane.issuer.takes(&left.refresh_token), "kill {kill}: the stored pair is dead");
            lost += usize::from(lane.issuer.has_used(&left.refresh_token));
        }
        lost
    });
    println!("{lost} of {KILLS} answers were lost, and asked for again");
    assert!(lost > 0, "no kill came between the answer and the disk: nothing was shown");
}

#[test]
fn killed_at_any_moment_of_a_refresh_an_account_is_lost_only_between_the_answer_and_the_disk() {
    let lost = lanes(Reuse::Strict, |lane| {
        let mut lost = 0;
        for kill in 0..KILLS / LANES {
            let left = lane.kill();
            assert!(!left.over, "kill {kill}");
            if !lane.issuer.has_used(&left.refresh_token) {
                assert!(lane.issuer.takes(&left.refresh_token), "kill {kill}: the stored pair is dead");
                continue;
            }
            assert!(left.recorded, "kill {kill}: a used token without the record of its refresh");
            lane.is_said_to_be_over(&left);
            lost += 1;
            lane.log_in_anew();
        }
        assert_eq!(lane.issuer.reuses(), lost);
        lost
    });
    println!("{lost} of {KILLS} answers were lost for good");
    assert!(lost > 0, "no kill came between the answer and the disk: nothing was shown");
}
