//! The heads: a request's, as it is written, and an answer's, as it is read (RFC 9112, sections 3 to 6).
//!
//! What an answer's head says of its body's end is read strictly: whoever reads it otherwise than the upstream meant it
//! would take one answer for another.

use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING, UPGRADE};
use http::uri::Authority;
use http::{Method, Request, Response, StatusCode, Version};
use memchr::memchr_iter;

use super::Fault;
use super::body::Decoder;
use crate::Outgoing;
use crate::wiping;

/// The longest head, those of interim answers included.
const MAX_HEAD: usize = 128 << 10;
/// The most fields in a head.
const MAX_FIELDS: usize = 128;

/// A request's head. The host and what frames the body are said here and nowhere else.
pub(super) fn request(request: &Request<Outgoing>, host: &Authority) -> Bytes {
    let mut head = Vec::with_capacity(1024);
    let mut put = |parts: &[&[u8]]| parts.iter().for_each(|part| head.extend_from_slice(part));
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    put(&[request.method().as_str().as_bytes(), b" ", path.as_bytes(), b" HTTP/1.1\r\nhost: "]);
    put(&[host.as_str().as_bytes(), b"\r\n"]);
    if request.headers().contains_key(UPGRADE) {
        put(&[b"connection: upgrade\r\n"]);
    }
    let ours = [HOST, CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION];
    for (name, value) in request.headers().iter().filter(|(name, _)| !ours.contains(name)) {
        put(&[name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"]);
    }
    let length = request.body().len();
    if length > 0 || matches!(*request.method(), Method::POST | Method::PUT | Method::PATCH) {
        put(&[b"content-length: ", length.to_string().as_bytes(), b"\r\n"]);
    }
    put(&[b"\r\n"]);
    // It holds a credential.
    wiping(head)
}

/// An answer's head.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) response: Response<()>,
    pub(super) body: Decoder,
    /// Whether the connection takes another request after this answer.
    pub(super) keep_alive: bool,
    /// What was read behind the head.
    pub(super) rest: Bytes,
}

/// Reads an answer's head from what has come so far, which need not be all of it.
#[derive(Debug)]
pub(super) struct Reader {
    come: BytesMut,
    /// Up to here no end of a head was found.
    searched: usize,
    /// It is parsed again when it has become this long: soon enough to refuse what is no HTTP without waiting for its
    /// end, and not for every byte of a head that comes byte by byte.
    parse_at: usize,
    /// Bytes of interim answers.
    interim: usize,
    /// Whether the answer has no body whatever its head says, being one to HEAD.
    bodiless: bool,
    untouched: bool,
}

impl Reader {
    /// A reader for the answer to such a request.
    pub(super) fn new(method: &Method) -> Self {
        Reader {
            come: BytesMut::new(),
            searched: 0,
            parse_at: 0,
            interim: 0,
            bodiless: method == Method::HEAD,
            untouched: true,
        }
    }

    /// Whether nothing of an answer has come.
    pub(super) fn is_untouched(&self) -> bool {
        self.untouched
    }

    /// Takes what was read; the head, once it is complete. Interim answers are passed over, except 101, which nobody
    /// asked for and which is the last of HTTP on its connection.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Result<Option<Head>, Fault> {
        self.untouched = false;
        self.come.extend_from_slice(bytes);
        while self.end_is_there() || self.come.len() > self.parse_at {
            let come = std::mem::take(&mut self.come).freeze();
            let Some((response, rest)) = parse(&come)? else {
                self.parse_at = 2 * come.len();
                self.come = come.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&*shared));
                break;
            };
            let length = self.interim + come.len() - rest.len();
            if length > MAX_HEAD {
                return Err(Fault::HeadTooLarge);
            }
            if !response.status().is_informational() || response.status() == StatusCode::SWITCHING_PROTOCOLS {
                return self.head(response, rest).map(Some);
            }
            drop(come);
            self.come = rest.into();
            (self.searched, self.parse_at, self.interim) = (0, 0, length);
        }
        if self.interim + self.come.len() > MAX_HEAD { Err(Fault::HeadTooLarge) } else { Ok(None) }
    }

    /// Whether an empty line has come since the last look.
    fn end_is_there(&mut self) -> bool {
        let from = self.searched;
        self.searched = self.come.len().saturating_sub(2).max(from);
        memchr_iter(b'\n', &self.come[from..]).any(|at| {
            let next = &self.come[from + at + 1..];
            next.starts_with(b"\n") || next.starts_with(b"\r\n")
        })
    }

    fn head(&self, response: Response<()>, rest: Bytes) -> Result<Head, Fault> {
        let headers = response.headers();
        let status = response.status();
        let both = headers.contains_key(TRANSFER_ENCODING) && headers.contains_key(CONTENT_LENGTH);
        let bodiless = self.bodiless
            || matches!(status, StatusCode::SWITCHING_PROTOCOLS | StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        // Whether it ends with its head is where servers err: the body of one that sends it all the same would be read as
        // the next answer.
        let keep_alive = !both && !bodiless && keeps_alive(&response);
        let body = if bodiless { Decoder::none() } else { body(&response)? };
        Ok(Head { response, body, keep_alive, rest })
    }
}

/// The head at the beginning of these bytes and what follows it; none if they end before it does.
fn parse(bytes: &Bytes) -> Result<Option<(Response<()>, Bytes)>, Fault> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut parsed = httparse::Response::new(&mut fields);
    let length = match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(Fault::HeadTooLarge),
        Err(error) => return Err(Fault::Head(error)),
    };
    let invalid = |_| Fault::Head(httparse::Error::HeaderValue);
    let mut headers = HeaderMap::with_capacity(parsed.headers.len());
    for field in &*parsed.headers {
        let name = HeaderName::from_bytes(field.name.as_bytes());
        let name = name.map_err(|_| Fault::Head(httparse::Error::HeaderName))?;
        // The values stay where they were read.
        headers.append(name, HeaderValue::from_maybe_shared(bytes.slice_ref(field.value)).map_err(invalid)?);
    }
    let mut response = Response::new(());
    *response.status_mut() =
        StatusCode::from_u16(parsed.code.unwrap_or(0)).map_err(|_| Fault::Head(httparse::Error::Status))?;
    *response.version_mut() = if parsed.version == Some(0) { Version::HTTP_10 } else { Version::HTTP_11 };
    *response.headers_mut() = headers;
    Ok(Some((response, bytes.slice(length..))))
}

/// How the body ends: RFC 9112, section 6.3.
fn body(response: &Response<()>) -> Result<Decoder, Fault> {
    let headers = response.headers();
    let mut codings = tokens(headers, &TRANSFER_ENCODING);
    if let Some(coding) = codings.next() {
        if response.version() == Version::HTTP_10 {
            return Err(Fault::Framing("HTTP/1.0 has no transfer-encoding"));
        }
        if codings.next().is_some() || !coding.eq_ignore_ascii_case(b"chunked") {
            return Err(Fault::Framing("its transfer-encoding is not the one there is, which is chunked"));
        }
        // Where there is a length, too, the chunks count, and the connection is not used again.
        return Ok(Decoder::chunked());
    }
    let mut lengths = tokens(headers, &CONTENT_LENGTH);
    let Some(first) = lengths.next() else { return Ok(Decoder::UntilClose) };
    if lengths.any(|length| length != first) {
        return Err(Fault::Framing("it has more than one content-length"));
    }
    let digits = first.iter().all(u8::is_ascii_digit).then(|| std::str::from_utf8(first).ok());
    let length = digits.flatten().and_then(|digits| digits.parse().ok());
    length.map(Decoder::Length).ok_or(Fault::Framing("its content-length is no number"))
}

/// HTTP/1.0 has no framing that could be relied on, whatever it says of keeping the connection.
fn keeps_alive(response: &Response<()>) -> bool {
    let closes = tokens(response.headers(), &CONNECTION).any(|token| token.eq_ignore_ascii_case(b"close"));
    response.version() == Version::HTTP_11 && !closes
}

/// What stands between the commas of a field's lines, white space aside.
fn tokens<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h [u8]> + use<'h> {
    let lines = headers.get_all(name).into_iter();
    lines.flat_map(|line| line.as_bytes().split(|&byte| byte == b',')).map(<[u8]>::trim_ascii)
}

#[cfg(test)]
mod tests;
