//! A gateway's status as text: a heading for each thing, and nothing for what there is none of.

use std::fmt::Write as _;

use bitrouter_files::Timestamp;

use super::super::print::{Table, printable};
use super::super::serve::{NO_CONFIG, reachable};
use super::super::span::words;
use super::super::window::cells;
use crate::control::{Account, Cooldown, FailedRequest, GatewayState, Health, RequestUnderWay, Share, Status};
use crate::telemetry::Phase;

/// All of it.
pub(super) fn text(status: &Status, now: Timestamp) -> String {
    let quarantined = Table::indented().with(status.quarantined.iter().map(|row| [&row.provider, &row.reason]));
    let changed = status.components.iter().filter_map(|row| Some([&row.id, row.notice.as_ref()?]));
    let changed = Table::indented().with(changed).under("components changed since they were accepted");
    let refused = Table::indented().with(status.refused.iter().map(|row| [&row.file, &row.reason]));
    [
        head(status, now),
        accounts(&status.accounts, now),
        cooldowns(&status.cooldowns, now).under("cooling down"),
        quarantined.under("components at rest"),
        changed,
        refused.under("components not loaded"),
        requests(&status.requests).under(&format!("requests under way: {}", status.requests.len())),
        errors(&status.errors, now).under("last errors"),
    ]
    .concat()
}

fn head(status: &Status, now: Timestamp) -> String {
    let state = match status.state {
        GatewayState::Serving => "",
        GatewayState::Stopping => ", stopping: open streams may finish",
    };
    let urls: Vec<String> = status.listening.iter().map(|&at| format!("http://{}", reachable(at))).collect();
    let config = &status.config;
    let file = config.file.as_ref().map_or_else(|| NO_CONFIG.to_owned(), |file| file.display().to_string());
    let since = if config.reloads == 0 { "read at the start" } else { "reloaded" };
    let mut table = Table::indented();
    table.row(["up", &words(status.uptime_seconds)]);
    table.row(["listening on", &urls.join("  ")]);
    table.row(["config", &format!("{file}, {since} {}", ago(&config.loaded_at, now))]);
    if status.loading > 0 {
        table.row(["loading", &format!("{} components", status.loading)]);
    }
    // What is far from its limit is nobody's concern.
    let crowded = |share: Share| share.used > share.limit / 2;
    if crowded(status.connections) {
        let Share { used, limit } = status.connections;
        table.row(["connections", &format!("{used} of {limit}, silent ones go first (server.connections)")]);
    }
    if crowded(status.bodies) {
        let Share { used, limit } = status.bodies;
        let text = format!("{} of {} MiB are held (server.bodies_limit)", used >> 20, limit >> 20);
        table.row(["request bodies", &text]);
    }
    if status.log_lines_dropped > 0 {
        table.row(["log", &format!("nobody reads it: {} lines are missing", status.log_lines_dropped)]);
    }
    config.warnings.iter().for_each(|warning| table.row(["warning", warning]));
    if let Some(refused) = &config.refused {
        table.row(["not reloaded", &format!("{}, because of:", ago(&refused.at, now))]);
        refused.problems.iter().for_each(|problem| table.row(["", problem]));
    }
    format!("BitRouter {}, process {}{state}\n{}", printable(&status.version), status.pid, table.text())
}

fn accounts(accounts: &[Account], now: Timestamp) -> String {
    let mut text = if accounts.is_empty() { String::new() } else { "\naccounts\n".to_owned() };
    for account in accounts {
        let mut table = Table::indented();
        let known = [&account.email, &account.plan].into_iter().flatten();
        let mut about: Vec<String> = known.cloned().collect();
        let address = account.address();
        about.extend(match (&account.reason, account.health) {
            (Some(reason), _) => Some(reason.strip_prefix(&format!("{address}: ")).unwrap_or(reason).to_owned()),
            (None, Health::Ok) => None,
            (None, health) => Some(health.words().to_owned()),
        });
        table.row([&address, &about.join(", ")]);
        text += &table.text();
        let mut windows = Table::indented();
        for window in &account.windows {
            let [name, bar, used, resets] = cells(window, now);
            windows.row(["", &name, &bar, &used, &resets]);
        }
        text += &windows.text();
    }
    text
}

fn cooldowns(cooldowns: &[Cooldown], now: Timestamp) -> Table {
    let mut table = Table::indented();
    for cooldown in cooldowns {
        let left = |time: &str| time.parse::<Timestamp>().ok().and_then(|time| time.since(now));
        let until = match left(&cooldown.until) {
            Some(left) => format!("ends in {} ({})", words(left.as_secs()), cooldown.until),
            None => "ends with a request that works".to_owned(),
        };
        let probe = match (cooldown.probing, left(&cooldown.next_probe)) {
            (true, _) => "a request is finding out now".to_owned(),
            (false, Some(left)) if !left.is_zero() => {
                format!("tried again by one request in {}", words(left.as_secs()))
            }
            (false, _) => "tried again by the next request".to_owned(),
        };
        table.row([&cooldown.address, &cooldown.reason, &until, &probe]);
    }
    table
}

fn requests(requests: &[RequestUnderWay]) -> Table {
    let mut table = Table::indented();
    for request in requests {
        let phase = match request.phase {
            Phase::Preparing => "preparing",
            Phase::Waiting => "waiting",
            Phase::Answering => "answering",
        };
        let target = target(&request.provider, &request.account, &request.model);
        let age = format!("{}.{} s", request.age_ms / 1000, request.age_ms % 1000 / 100);
        table.row([&age, phase, &target, &request.dialect, &request.id]);
    }
    table
}

fn errors(errors: &[FailedRequest], now: Timestamp) -> Table {
    let mut table = Table::indented();
    for error in errors.iter().rev() {
        let target = target(&error.provider, &error.account, &error.model);
        table.row([&ago(&error.at, now), &result(error.status), &target, &error.request, &error.error]);
    }
    table
}

/// How a failed request ended for its client: a stream that had begun well, and broke, is no success.
fn result(status: u16) -> String {
    if (200..400).contains(&status) { "broke off".to_owned() } else { status.to_string() }
}

/// An address as a client would write it, as far as it is known.
fn target(provider: &str, account: &str, model: &str) -> String {
    match (provider, account) {
        ("", _) if model.is_empty() => "-".to_owned(),
        ("", _) => model.to_owned(),
        (_, "") => format!("{provider}:{model}"),
        _ => format!("{provider}@{account}:{model}"),
    }
}

/// How long ago a time was.
fn ago(time: &str, now: Timestamp) -> String {
    let past = time.parse::<Timestamp>().ok().and_then(|time| now.since(time));
    past.map_or_else(|| printable(time), |past| format!("{} ago", words(past.as_secs())))
}

/// The text over what is on the terminal: each line cut to its width, and what was below it erased.
pub(super) fn redraw(text: &str, (columns, rows): (usize, usize)) -> String {
    let mut screen = "\x1b[H".to_owned();
    for (number, line) in text.lines().take(rows.saturating_sub(1)).enumerate() {
        let cut: String = line.chars().take(columns).collect();
        let end = if number + 2 == rows { "" } else { "\n" };
        // Erases what the line before had more.
        let _ = write!(screen, "{cut}\x1b[K{end}");
    }
    screen + "\x1b[J"
}

/// Columns and rows of the terminal.
pub(super) fn size() -> (usize, usize) {
    let (rows, columns) = dialoguer::console::Term::stdout().size();
    (usize::from(columns), usize::from(rows))
}

#[cfg(test)]
mod tests {
    use bitrouter_route::Window;

    use super::*;
    use crate::control::{ConfigInForce, QuarantinedComponent, RefusedConfig};

    fn now() -> Timestamp {
        "2026-01-31T10:00:00Z".parse().unwrap()
    }

    fn window(name: &str) -> Window {
        Window {
            name: name.into(),
            used_percent: None,
            limit: None,
            remaining: None,
            length_seconds: None,
            resets_at: None,
            told_at: 0,
        }
    }

    fn status() -> Status {
        let resets_at = u64::try_from(now().unix()).unwrap() + 7800;
        let windows = vec![
            Window { used_percent: Some(42.0), resets_at: Some(resets_at), ..window("5h") },
            Window { limit: Some(200), remaining: Some(50), ..window("requests") },
        ];
        Status {
            version: "1.2.3".into(),
            pid: 77,
            uptime_seconds: 93_784,
            listening: vec!["127.0.0.1:4356".parse().unwrap()],
            config: ConfigInForce {
                file: Some("/c/bitrouter.yaml".into()),
                loaded_at: "2026-01-31T09:58:30Z".into(),
                reloads: 2,
                refused: Some(RefusedConfig {
                    at: "2026-01-31T09:59:55Z".into(),
                    problems: vec!["/c/bitrouter.yaml:1:1: unknown key `x`".into()],
                }),
                ..ConfigInForce::default()
            },
            accounts: vec![
                Account {
                    provider: "openai-codex".into(),
                    label: "work".into(),
                    email: Some("me@example.com".into()),
                    plan: Some("plus".into()),
                    windows,
                    ..Account::default()
                },
                Account {
                    provider: "openai-codex".into(),
                    label: "old".into(),
                    health: Health::LogInAgain,
                    reason: Some(
                        "openai-codex@old: log in again. Run: bitrouter login openai-codex --label old".into(),
                    ),
                    ..Account::default()
                },
            ],
            requests: vec![RequestUnderWay {
                id: "req_1".into(),
                dialect: "responses".into(),
                phase: Phase::Answering,
                provider: "openai-codex".into(),
                account: "work".into(),
                model: "gpt-5".into(),
                attempts: 1,
                age_ms: 12_345,
            }],
            errors: vec![
                FailedRequest {
                    at: "2026-01-31T08:00:00Z".into(),
                    request: "req_00".into(),
                    status: 200,
                    model: "gpt-5".into(),
                    error: "the upstream sent nothing for 3 s".into(),
                    ..FailedRequest::default()
                },
                FailedRequest {
                    at: "2026-01-31T09:00:00Z".into(),
                    request: "req_0".into(),
                    status: 400,
                    model: "gtp-5".into(),
                    error: "no such\nmodel".into(),
                    ..FailedRequest::default()
                },
            ],
            ..Status::default()
        }
    }

    #[test]
    fn everything_that_there_is_has_a_heading_and_its_next_step() {
        assert_eq!(
            text(&status(), now()),
            "\
BitRouter 1.2.3, process 77
  up            1 d 2 h
  listening on  http://127.0.0.1:4356
  config        /c/bitrouter.yaml, reloaded 1 min 30 s ago
  not reloaded  5 s ago, because of:
                /c/bitrouter.yaml:1:1: unknown key `x`

accounts
  openai-codex@work  me@example.com, plus
    5h        ████████░░░░░░░░░░░░  42 % used                  resets in 2 h 10 min (2026-01-31T12:10:00Z)
    requests  ███████████████░░░░░  75 % used, 50 of 200 left
  openai-codex@old  log in again. Run: bitrouter login openai-codex --label old

requests under way: 1
  12.3 s  answering  openai-codex@work:gpt-5  responses  req_1

last errors
  1 h ago  400        gtp-5  req_0   no such model
  2 h ago  broke off  gpt-5  req_00  the upstream sent nothing for 3 s
"
        );
    }

    #[test]
    fn what_there_is_none_of_has_no_heading_and_a_component_cannot_command_the_terminal() {
        let quarantined = vec![QuarantinedComponent { provider: "x".into(), reason: "\u{1b}[2J".into() }];
        let shown = text(&Status { quarantined, ..Status::default() }, now());
        assert!(!shown.contains("accounts") && !shown.contains("errors") && !shown.contains('\u{1b}'), "{shown}");
        assert!(shown.contains("components at rest\n  x  \u{fffd}[2J\n"), "{shown}");
    }

    #[test]
    fn a_cooldown_says_why_until_when_and_when_it_is_tried_again() {
        let limit = Cooldown {
            address: "openai-codex@work".into(),
            reason: "usage limit of the plan reached".into(),
            since: "2026-01-31T09:00:00Z".into(),
            until: "2026-01-31T12:10:00Z".into(),
            next_probe: "2026-01-31T10:01:00Z".into(),
            probing: false,
        };
        let outage = Cooldown {
            address: "openai:gpt-5".into(),
            reason: "overloaded".into(),
            until: "2026-01-31T09:59:00Z".into(),
            next_probe: "2026-01-31T09:59:00Z".into(),
            ..limit.clone()
        };
        assert_eq!(
            cooldowns(&[limit, outage], now()).text(),
            "  openai-codex@work  usage limit of the plan reached  ends in 2 h 10 min (2026-01-31T12:10:00Z)  tried again by one request in 1 min
  openai:gpt-5       overloaded                       ends with a request that works             tried again by the next request
"
        );
    }

    #[test]
    fn a_screen_is_cut_to_the_terminal_and_leaves_nothing_of_the_one_before() {
        assert_eq!(redraw("abcdef\ngh\nij\nkl\n", (3, 4)), "\u{1b}[Habc\u{1b}[K\ngh\u{1b}[K\nij\u{1b}[K\u{1b}[J");
        assert_eq!(redraw("a\n", (80, 24)), "\u{1b}[Ha\u{1b}[K\n\u{1b}[J");
    }
}
