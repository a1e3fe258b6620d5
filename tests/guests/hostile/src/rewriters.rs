//! Rewriters that misbehave, by the model's name.

use std::hint::black_box;

use bitrouter_provider::{Event, Failure, Level, Rewriter, log, scope};

use crate::{grow, recurse, spin, trap};

/// The rewriter of this name; none for a name that has none, which is a misbehaviour too.
pub fn named(model: &str) -> Option<Box<dyn Rewriter>> {
    match model {
        "flood-pushes" => Some(Box::new(Flooding)),
        "rewriter-trap-new" => trap(),
        "rewriter-loop-new" => spin(),
        "rewriter-none" => None,
        "rewriter-reorders" => Some(Box::new(Reordering::default())),
        model => model.strip_prefix("rewriter-").map(|way| Box::new(Odd(way.into())) as Box<dyn Rewriter>),
    }
}

/// Makes a thousand events and as many lines of the log of each event.
struct Flooding;

impl Rewriter for Flooding {
    fn push(&mut self, events: Vec<Event>) -> Result<Vec<Event>, Failure> {
        for _ in 0..1000 {
            log(Level::Error, &"a line of a kilobyte. ".repeat(48));
        }
        Ok(events.into_iter().flat_map(|event| vec![event; 1000]).collect())
    }
}

/// Holds everything back, and gives it in the wrong order.
#[derive(Default)]
struct Reordering(Vec<Event>);

impl Rewriter for Reordering {
    fn push(&mut self, events: Vec<Event>) -> Result<Vec<Event>, Failure> {
        self.0.extend(events);
        Ok(Vec::new())
    }

    fn finish(&mut self) -> Result<Vec<Event>, Failure> {
        self.0.reverse();
        Ok(std::mem::take(&mut self.0))
    }
}

/// Does one odd thing, which it has the name of.
struct Odd(String);

impl Rewriter for Odd {
    fn push(&mut self, events: Vec<Event>) -> Result<Vec<Event>, Failure> {
        Ok(match self.0.as_str() {
            "trap" => trap(),
            "loop" => spin(),
            "grow" => grow(),
            "recurse" => vec![Event::data(recurse(1).to_string())],
            "silent" => Vec::new(),
            "floods" => vec![Event::data("{}"); 1 << 20],
            "huge" => vec![Event::data(["\"", &"e".repeat(32 << 20), "\""].concat())],
            "no-json" => vec![Event::data("{\"choices\":")],
            "forges-data" => vec![Event::data("{}\n\ndata: {\"forged\":1}\r\n\r\nevent: forged")],
            "forges-name" => vec![Event::data("{}").named("a\r\ndata: {\"forged\":1}\r\n\r\nevent: b")],
            "forges-done" => vec![Event::data("[DONE]"), Event::data("{\"after\":\"the end\"}")],
            "forges-error" => vec![Event::data("{\"error\":{\"message\":\"\u{1b}[31mforged\",\"code\":\"x\"}}")],
            "binary" => {
                let mut event = Event::data("");
                event.binary = vec![0xff; 1000];
                vec![event]
            }
            "name-long" => vec![Event::data("{}").named("n".repeat(1 << 20))],
            "fails" => return Err(failure()),
            _ => events,
        })
    }

    fn finish(&mut self) -> Result<Vec<Event>, Failure> {
        match self.0.as_str() {
            "trap-late" => trap(),
            "loop-late" => spin(),
            "fails-late" => Err(failure()),
            "floods-late" => Ok(black_box(vec![Event::data("{}"); 1 << 20])),
            _ => Ok(Vec::new()),
        }
    }
}

fn failure() -> Failure {
    Failure::new("no-such-kind", scope::PROVIDER, "late\r\n\r\ndata: {\"forged\":1}").code("c".repeat(1 << 20))
}
