//! An answer of the gateway's, and what a test says about it. Each check answers the answer, so that they read as one
//! sentence; one that fails shows the whole body.

use serde_json::Value;

use crate::wire::Headers;

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub code: u16,
    /// Its headers.
    pub headers: Headers,
    /// Its body, decoded from chunks.
    pub body: Vec<u8>,
    /// False if the connection was cut before the end that the head promised.
    pub complete: bool,
}

impl Answer {
    /// Checks the status.
    #[track_caller]
    pub fn status(self, code: u16) -> Self {
        assert_eq!(self.code, code, "the body is: {}", self.text());
        self
    }

    /// Checks that the body holds a text.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.text().contains(text), "`{text}` is not in: {}", self.text());
        self
    }

    /// Checks that neither body nor headers hold a text.
    #[track_caller]
    pub fn never_says(self, text: &str) -> Self {
        let all = format!("{}\n{:?}", self.text(), self.headers);
        assert!(!all.contains(text), "`{text}` is in: {all}");
        self
    }

    /// Checks that the body is exactly this.
    #[track_caller]
    pub fn is(self, body: impl AsRef<[u8]>) -> Self {
        assert_eq!(self.text(), String::from_utf8_lossy(body.as_ref()));
        assert!(self.complete, "the answer was cut");
        self
    }

    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The sentence of an error, in whichever shape.
    #[track_caller]
    pub fn message(&self) -> String {
        let json = self.json();
        json["error"]["message"].as_str().unwrap_or_else(|| panic!("no message in: {json}")).to_owned()
    }
}
