//! HTTP/1.1 as bytes on a socket, read strictly by length: the upstream and the client both read with this.
//!
//! It is written by hand so that a test sees every byte, and can tell an answer that ended from one that was cut.

use std::io::{BufRead, Read};

/// Headers in the order they came, with names in lower case.
#[derive(Clone, Debug, Default)]
pub struct Headers(pub Vec<(String, String)>);

impl Headers {
    /// The first value of a header.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// All values of a header.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// A request as the upstream saw it.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Such as `POST`.
    pub method: String,
    /// The path, with the query where there is one.
    pub path: String,
    /// Its headers.
    pub headers: Headers,
    /// Its body, decoded from chunks.
    pub body: Vec<u8>,
    /// How many requests its connection had carried before.
    pub before: usize,
}

impl Seen {
    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// Reads the first line and the headers; none where the connection ended.
pub(crate) fn head(from: &mut impl BufRead) -> Option<(String, Headers)> {
    let first = line(from)?;
    let mut headers = Vec::new();
    loop {
        let line = line(from)?;
        if line.is_empty() {
            return Some((first, Headers(headers)));
        }
        let (name, value) = line.split_once(':')?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}

/// Reads a body, and says whether it came to its end. `to_end`: without a length it lasts until the connection ends.
pub(crate) fn body(from: &mut impl BufRead, headers: &Headers, to_end: bool) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    if headers.get("transfer-encoding").is_some_and(|coding| coding.contains("chunked")) {
        while let Some(chunk) = chunk(from) {
            if chunk.is_empty() {
                return (body, true);
            }
            body.extend(chunk);
        }
        return (body, false);
    }
    if let Some(length) = headers.get("content-length").and_then(|length| length.parse::<u64>().ok()) {
        let _ = from.take(length).read_to_end(&mut body);
        let complete = body.len() as u64 == length;
        return (body, complete);
    }
    let complete = !to_end || from.read_to_end(&mut body).is_ok();
    (body, complete)
}

/// Reads one chunk; an empty one is the last, none means that the connection was cut.
pub(crate) fn chunk(from: &mut impl BufRead) -> Option<Vec<u8>> {
    let size = usize::from_str_radix(line(from)?.split(';').next()?.trim(), 16).ok()?;
    let mut data = vec![0; size];
    from.read_exact(&mut data).ok()?;
    line(from)?;
    Some(data)
}

fn line(from: &mut impl BufRead) -> Option<String> {
    let mut line = Vec::new();
    from.read_until(b'\n', &mut line).ok()?;
    let line = line.strip_suffix(b"\r\n")?;
    Some(String::from_utf8_lossy(line).into_owned())
}
