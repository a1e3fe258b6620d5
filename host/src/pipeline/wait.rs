//! When a failure ends, as the provider reports it: in a component's words, an answer's headers or its body. A time that
//! has passed, makes no sense or is far too long counts as none, so that the default holds. The client gets it in seconds.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bitrouter_plugin::contract::Failure;
use bitrouter_route::Ends;
use bitrouter_wait::{Ends as Reported, LAST, limit_ends, retry_after};
use http::header::{HeaderMap, HeaderValue, RETRY_AFTER};

/// Another way to say it, in milliseconds, which clients of OpenAI's read first.
const RETRY_AFTER_MS: &str = "retry-after-ms";

/// What a component reports: the moment where there is one, else the wait.
pub(super) fn reported_by_component(failure: &Failure) -> Option<Ends> {
    moment(failure.resets_at).or_else(|| believed(failure.retry_after_ms.map(Reported::After)))
}

/// What an answer's `retry-after` says.
pub(super) fn after(headers: &HeaderMap) -> Option<Ends> {
    believed(retry_after(fields(headers).iter().copied(), Some(now())))
}

/// What the headers of an answer say that met a limit: there the resets of its windows count, too.
pub(super) fn limit(headers: &HeaderMap) -> Option<Ends> {
    believed(limit_ends(fields(headers).iter().copied(), Some(now())))
}

/// What a body says in seconds: a moment, or a wait.
pub(super) fn reported_in_body(resets_at: Option<u64>, retry_after: Option<u64>) -> Option<Ends> {
    let wait = retry_after.and_then(|seconds| seconds.checked_mul(1000));
    moment(resets_at).or_else(|| believed(wait.map(Reported::After)))
}

/// Writes the end into the client's headers in whole seconds, whatever its form was, and takes out what counts as none.
pub(super) fn report(headers: &mut HeaderMap, ends: Option<Ends>) {
    match ends.map(|ends| ends.left(SystemTime::now())) {
        Some(left) => {
            let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        None => drop(headers.remove(RETRY_AFTER)),
    }
    let exact = headers.get(RETRY_AFTER_MS).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if exact.is_none_or(|exact| believed(Some(Reported::After(exact))).is_none()) {
        headers.remove(RETRY_AFTER_MS);
    }
}

/// A moment that was named as one may lie further ahead than a wait: what rests for it has bounds of its own.
fn moment(resets_at: Option<u64>) -> Option<Ends> {
    let at = resets_at.filter(|at| *at > now() && *at <= LAST)?;
    Some(Ends::At(UNIX_EPOCH + Duration::from_secs(at)))
}

fn believed(reported: Option<Reported>) -> Option<Ends> {
    Some(match reported?.believed(Some(now()))? {
        Reported::After(milliseconds) => Ends::After(Duration::from_millis(milliseconds)),
        Reported::At(seconds) => Ends::At(UNIX_EPOCH + Duration::from_secs(seconds)),
    })
}

fn fields(headers: &HeaderMap) -> Vec<(&str, &str)> {
    headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?))).collect()
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
        let field = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        };
        fields.iter().map(field).collect()
    }

    fn client_reads(fields: &[(&'static str, &str)]) -> (Option<String>, Option<String>) {
        let mut headers = headers(fields);
        let ends = after(&headers);
        report(&mut headers, ends);
        let value = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        (value("retry-after"), value("retry-after-ms"))
    }

    #[test]
    fn the_client_is_told_in_whole_seconds_whatever_the_provider_wrote() {
        let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        for (value, seconds) in [
            ("7", Some("7")),
            ("1.2", Some("2")),
            ("0.001", Some("1")),
            ("Sun, 06 Nov 1994 08:51:07 GMT", Some("90")),
            ("Sunday, 06-Nov-94 08:51:07 GMT", Some("90")),
            ("Sun Nov  6 08:51:07 1994", Some("90")),
            ("0", None),
            ("-1", None),
            ("soon", None),
            ("999999999999", None),
            ("Sun, 06 Nov 1994 08:49:36 GMT", None),
        ] {
            assert_eq!(client_reads(&[date, ("retry-after", value)]).0.as_deref(), seconds, "{value}");
        }
        let both = client_reads(&[("retry-after-ms", "1500"), ("retry-after", "soon")]);
        assert_eq!(both, (Some("2".into()), Some("1500".into())));
        let nonsense = client_reads(&[("retry-after-ms", "soon"), ("retry-after", "3")]);
        assert_eq!(nonsense, (Some("3".into()), None));
    }

    #[test]
    fn only_a_limit_ends_with_the_window_that_is_used_up() {
        let headers = headers(&[("x-ratelimit-remaining-tokens", "0"), ("x-ratelimit-reset-tokens", "1m30s")]);
        assert_eq!(limit(&headers), Some(Ends::After(Duration::from_secs(90))));
        assert_eq!(after(&headers), None);
    }

    #[test]
    fn a_component_is_believed_as_a_header_is() {
        let failure = |retry_after_ms, resets_at| Failure {
            kind: "rate-limited".into(),
            scope: "account".into(),
            message: String::new(),
            code: None,
            retry_after_ms,
            resets_at,
            status: None,
            more: String::new(),
        };
        assert_eq!(reported_by_component(&failure(Some(500), None)), Some(Ends::After(Duration::from_millis(500))));
        assert_eq!(
            reported_by_component(&failure(Some(500), Some(1))),
            Some(Ends::After(Duration::from_millis(500))),
            "long gone by"
        );
        for (after, at) in [(Some(0), None), (Some(u64::MAX), None), (None, Some(u64::MAX)), (None, Some(0))] {
            assert_eq!(reported_by_component(&failure(after, at)), None, "{after:?} {at:?}");
        }
    }
}
