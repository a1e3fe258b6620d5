//! The session in docs/codex-subscription.md: recorded from the real binary on a terminal, and compared each time, so that
//! the docs show what happens. `BLESS=1` records it anew, as text and as an asciicast.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use bitrouter_tests::{ChatGpt, Gateway, Issuer, Login, Request, Reuse, Running, Setup, Turn, eventually, free_port};
use serde_json::{Value, json};

const BEGIN: &str =
    "<!-- The session is recorded: BLESS=1 cargo test -p bitrouter-tests --test e2e session -->\n```console\n";
const END: &str = "```\n<!-- End of the session. -->\n";

/// As wide as the table of accounts.
const WIDTH: u32 = 150;

/// What was typed and what came, with the terminal's control sequences.
#[derive(Default)]
struct Recording {
    screen: String,
    /// What differs from one run to the next, and what stands there instead.
    replaced: Vec<(String, String)>,
}

impl Recording {
    /// Runs a line on a terminal. What is done meanwhile is done before its end.
    fn line(&mut self, setup: &Setup, line: &str, shown: &str, meanwhile: impl FnOnce(&mut Running)) {
        let mut running = setup.begin_on_a_terminal(line);
        meanwhile(&mut running);
        let ran = running.ends().ok();
        let _ = write!(self.screen, "$ {shown}\r\n{}", ran.stdout);
        if !self.screen.ends_with('\n') {
            self.screen += "\r\n";
        }
        self.screen += "\r\n";
    }

    fn replace(&mut self, what: impl Into<String>, by: &str) {
        self.replaced.push((what.into(), by.to_owned()));
    }

    /// The screen without what differs from run to run.
    fn settled(&self) -> String {
        let mut screen = self.screen.clone();
        for (what, by) in &self.replaced {
            screen = screen.replace(what, by);
        }
        for (before, end) in [("state=", "&"), ("code_challenge=", "&"), ("auth.login       ", "\r")] {
            screen = elided(&screen, before, end);
        }
        screen
    }
}

/// The text with `…` for all that stands between these.
fn elided(text: &str, before: &str, end: &str) -> String {
    let mut pieces = text.split(before);
    let mut kept = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        kept += before;
        kept += "…";
        kept += piece.find(end).map_or("", |at| &piece[at..]);
    }
    kept
}

/// What a person sees in the end: the lines of a terminal that this was written to.
fn seen(screen: &str) -> String {
    let mut lines: Vec<Vec<char>> = vec![Vec::new()];
    let (mut row, mut column) = (0_usize, 0_usize);
    let mut letters = screen.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\r' => column = 0,
            '\n' => row += 1,
            '\u{1b}' => {
                assert_eq!(letters.next(), Some('['), "no other sequence is known here");
                let mut number = String::new();
                let last = letters.find(|letter| {
                    number.push(*letter);
                    letter.is_ascii_alphabetic()
                });
                let count = number.trim_end_matches(|letter: char| !letter.is_ascii_digit()).parse().unwrap_or(1);
                match last.unwrap() {
                    'A' => row -= count,
                    'B' => row += count,
                    'K' => lines[row].clear(),
                    // Colours, and whether the cursor is shown.
                    'm' | 'h' | 'l' => {}
                    other => panic!("the sequence {number}{other} is not known here"),
                }
            }
            other => {
                let line = &mut lines[row];
                line.resize(line.len().max(column + 1), ' ');
                line[column] = other;
                column += 1;
            }
        }
        lines.resize(lines.len().max(row + 1), Vec::new());
    }
    let lines = lines.iter().map(|line| line.iter().collect::<String>().trim_end().to_owned() + "\n");
    lines.collect::<String>().trim().to_owned() + "\n"
}

/// The screen as an asciicast, version 2. Lines come at a steady pace: how long a test waited is of no interest.
fn cast(screen: &str) -> String {
    let mut cast = format!("{}\n", json!({ "version": 2, "width": WIDTH, "height": 40, "title": "A ChatGPT plan" }));
    let mut time = 0.0;
    for line in screen.split_inclusive('\n') {
        time += if line.starts_with("$ ") { 1.5 } else { 0.1 };
        let _ = writeln!(cast, "{}", json!([(time * 10.0_f64).round() / 10.0, "o", line]));
    }
    cast
}

/// What an asciicast shows.
fn played(cast: &str) -> String {
    let events = cast.lines().skip(1).map(|line| serde_json::from_str::<Value>(line).unwrap());
    events.map(|event| event[2].as_str().unwrap().to_owned()).collect()
}

/// What was on the screen at any time, line by line, and words with one space between them: what a menu shows is gone in
/// the end.
fn ever_seen(screen: &str) -> Vec<String> {
    let mut plain = String::new();
    let mut letters = screen.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\u{1b}' => drop(letters.find(char::is_ascii_alphabetic)),
            '\r' => plain.push('\n'),
            other => plain.push(other),
        }
    }
    plain.lines().map(words).collect()
}

fn words(line: &str) -> String {
    // Where OpenAI's own would stand.
    let line = line.replace("http://127.0.0.1:18456", "https://chatgpt.com");
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The lines that commands print in the page's samples.
fn printed(page: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    for sample in page.split("```console\n").skip(1).filter_map(|rest| rest.split("```").next()) {
        let mut typed = false;
        for line in sample.lines().filter(|line| !line.is_empty()) {
            // What is typed goes on in the next line behind a backslash.
            let is_typed = line.starts_with("$ ") || typed;
            typed = is_typed && line.ends_with('\\');
            if !is_typed {
                lines.push(line);
            }
        }
    }
    lines
}

fn document(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name)
}

/// Answers the issuer's page as a person in a browser does.
fn agree(running: &Running) {
    let visit = |address: &str| {
        let (host, path) = address.strip_prefix("http://").unwrap().split_once('/').unwrap();
        Request::new(host.parse().unwrap(), "GET", &format!("/{path}")).send()
    };
    let page = running.line("http://127.0.0.1");
    visit(visit(&page).status(302).header("location").unwrap()).status(200);
}

fn record() -> Recording {
    let (issuer, chatgpt) = (Issuer::start(Reuse::Strict), ChatGpt::start().then_always(Turn::says("Hello there.")));
    let (setup, callback) = Gateway::start().with_issuer(&issuer);
    let account = format!("{}/backend-api", chatgpt.origin());
    let origins = json!({ "auth": issuer.origin(), "api": chatgpt.base_url(), "account": account });
    let setup = setup.with("/providers/openai-codex/origins", origins);
    let gateway = free_port();

    let mut recording = Recording::default();
    for (origin, by) in [(issuer.origin(), 18455), (chatgpt.origin(), 18456)] {
        recording.replace(origin, &format!("http://127.0.0.1:{by}"));
    }
    recording.replace(format!("127.0.0.1%3A{}", callback.port()), "127.0.0.1%3A1455");
    recording.replace(format!("port {}", callback.port()), "port 1455");

    let login = "bitrouter login openai-codex --no-open";
    issuer.account("acc-home");
    recording.line(&setup, login, login, |running| {
        running.says("Share the session of the Codex CLI").types_as_it_is("\r");
        agree(running);
    });
    let second = "bitrouter login openai-codex --label work --device";
    issuer.account("acc-work");
    recording.line(&setup, second, second, |_| {});
    let chatgpt = chatgpt.also_knows(&Login::stored(&setup.tokens()[0])).also_knows(&Login::stored(&setup.tokens()[1]));
    for line in
        ["bitrouter accounts", "bitrouter route openai-codex:gpt-5-codex", "bitrouter route openai-codex@work:gpt-5.5"]
    {
        recording.line(&setup, line, line, |_| {});
    }

    let serve = setup.begin(&["serve", "--listen", &gateway.to_string()]);
    serve.says(&gateway.to_string());
    assert!(eventually(|| std::net::TcpStream::connect(gateway).is_ok()));
    let ask = r#"curl -sN http://127.0.0.1:4356/v1/responses -H 'content-type: application/json' -d '{"model": "openai-codex:gpt-5.5", "input": "Say hello.", "stream": true}' | grep output_text.delta"#;
    let shown = format!("bitrouter serve 2> bitrouter.log &\r\n\r\n$ {ask}");
    recording.line(&setup, &ask.replace("127.0.0.1:4356", &gateway.to_string()), &shown, |_| {});
    chatgpt.refused_nothing();
    drop(serve);

    for line in ["bitrouter logout openai-codex --label work", "bitrouter logout openai-codex"] {
        recording.line(&setup, line, line, |_| {});
    }
    recording
}

#[test]
fn the_session_in_the_docs_is_what_happens() {
    let screen = record().settled();
    let text = seen(&screen);
    for private in ["canary", "eyJ", env!("CARGO_MANIFEST_DIR"), "/tmp/"] {
        assert!(!text.contains(private), "{private}: {text}");
    }
    let (page, film) = (document("codex-subscription.md"), document("codex-subscription.cast"));
    let whole = fs::read_to_string(&page).unwrap();
    let (before, rest) = whole.split_once(BEGIN).expect("the page has a place for the session");
    let (documented, after) = rest.split_once(END).expect("the page's session has an end");
    if std::env::var_os("BLESS").is_some() {
        fs::write(&page, [before, BEGIN, &text, END, after].concat()).unwrap();
        fs::write(&film, cast(&screen)).unwrap();
        return;
    }
    // Samples elsewhere on the page are pieces of it.
    let seen_once = ever_seen(&screen);
    let samples = [before, after].concat();
    assert!(printed(&samples).len() > 10, "{samples}");
    for line in printed(&samples) {
        assert!(seen_once.contains(&words(line)), "no command prints this line of the page any more: {line}\n{text}");
    }
    let how = "out of date. Run: BLESS=1 cargo test -p bitrouter-tests --test e2e session";
    assert!(documented == text, "docs/codex-subscription.md is {how}\n{text}");
    assert!(seen(&played(&fs::read_to_string(&film).unwrap())) == text, "docs/codex-subscription.cast is {how}");
}
