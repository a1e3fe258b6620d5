//! The way to a provider: the name of its host, a proxy, TLS, and whether its clock and this machine's agree. And this
//! gateway's own ports.

use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, SystemTime};

use bitrouter_contract::Origin;
use bitrouter_upstream::Outgoing;
use http::header::DATE;

use super::{CheckResult, Report};
use crate::route::Provider;

/// How long the system may take to find a name's addresses.
const LOOK_UP: Duration = Duration::from_secs(10);

/// How far two clocks may be apart: tokens are believed some minutes beyond their end, and `Date` is told in seconds.
const CLOCKS_APART: Duration = Duration::from_secs(120);

/// What sets a clock right.
const SET_CLOCK: &str = if cfg!(windows) {
    "w32tm /resync"
} else if cfg!(target_vendor = "apple") {
    "sudo sntp -sS time.apple.com"
} else {
    "sudo timedatectl set-ntp true"
};

/// Whether the way to an origin begins: its name has addresses, or a proxy is asked.
pub(super) async fn address(origin: &Origin) -> CheckResult {
    let (host, port) = (origin.host(), origin.port());
    let uri = http::Uri::try_from(origin.to_string()).unwrap_or_default();
    match bitrouter_upstream::proxy_to(&uri, &|name| std::env::var_os(name)) {
        Ok(None) => {}
        Ok(Some(proxy)) => return CheckResult::Aside(format!("{host} is asked through {proxy}")),
        Err(error) => return CheckResult::Wrong(error.to_string()),
    }
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match tokio::time::timeout(LOOK_UP, tokio::net::lookup_host((bare, port))).await {
        Ok(Ok(addresses)) => CheckResult::Well(format!("{host} has {} addresses", addresses.count())),
        Ok(Err(error)) => CheckResult::Wrong(format!(
            "{host} has no address here ({error}). Is the network up? Is a proxy needed (HTTPS_PROXY)?"
        )),
        Err(_) => CheckResult::Wrong(format!("{host}: no answer of the name server within {} s", LOOK_UP.as_secs())),
    }
}

/// Asks an origin for its first page, with no credential: what it says does not matter, but that TLS works and which
/// time it has. Loopback has neither.
pub(super) async fn tls_and_clock(provider: &Provider, origin: &Origin, report: &mut Report) {
    let uri = http::Uri::try_from(origin.to_string()).unwrap_or_default();
    if uri.scheme_str() != Some("https") {
        return;
    }
    let request = http::Request::head(uri).header(http::header::USER_AGENT, "bitrouter").body(Outgoing::default());
    let Ok(request) = request else { return };
    let answer = match provider.upstream.send(request, &provider.deadlines, None).await {
        Ok(answer) => answer,
        Err(error) => {
            let next = "Is a proxy or a certificate of its own needed (HTTPS_PROXY, SSL_CERT_FILE)? To see: curl -vI";
            report.add(provider.id(), CheckResult::Wrong(format!("{error}. {next} https://{}", origin.host())));
            return;
        }
    };
    let told = answer
        .headers()
        .get(DATE)
        .and_then(|date| date.to_str().ok())
        .and_then(|date| httpdate::parse_http_date(date).ok());
    report.add(
        provider.id(),
        told.map_or_else(
            || CheckResult::Well("TLS works".to_owned()),
            |told| clock(told, SystemTime::now(), origin.host()),
        ),
    );
}

/// What a moment that a host has told says of this machine's clock.
fn clock(told: SystemTime, here: SystemTime, host: &str) -> CheckResult {
    let (apart, way) = match here.duration_since(told) {
        Ok(ahead) => (ahead, "ahead of"),
        Err(behind) => (behind.duration(), "behind"),
    };
    match apart <= CLOCKS_APART {
        true => CheckResult::Well("TLS works, and the clocks agree".to_owned()),
        false => CheckResult::Wrong(format!(
            "the clock of this machine is {} min {way} that of {host}: logins and certificates need it right. Run: {SET_CLOCK}",
            apart.as_secs().div_ceil(60)
        )),
    }
}

/// Whether the addresses to listen on are free, where no gateway of this home has them.
pub(super) fn ports(listen: &[SocketAddr], report: &mut Report) {
    for address in listen {
        let found = match TcpListener::bind(address) {
            Ok(_) => CheckResult::Well(format!("{address} is free to listen on")),
            // A machine without IPv6 has no such address, and listens on the other.
            Err(error) if error.kind() == std::io::ErrorKind::AddrNotAvailable => continue,
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => CheckResult::Wrong(format!(
                "{address} is in use by another program. To take another port: bitrouter serve --listen {}:{}",
                address.ip(),
                address.port().wrapping_add(1)
            )),
            Err(error) => CheckResult::Wrong(format!(
                "{address} cannot be listened on ({error}). To take another: bitrouter serve --listen 127.0.0.1:4356"
            )),
        };
        report.add("gateway", found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_loopback_address_is_found_and_a_name_that_cannot_be_is_told() {
        let origin = |url: &str| url.parse::<Origin>().unwrap();
        assert!(matches!(address(&origin("http://127.0.0.1:9/v1")).await, CheckResult::Well(_)));
        assert!(matches!(address(&origin("http://[::1]:9/v1")).await, CheckResult::Well(_)));
    }

    #[test]
    fn clocks_that_are_apart_are_told_by_how_much_and_what_sets_them() {
        let at = |seconds: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        assert!(matches!(clock(at(1000), at(1119), "h"), CheckResult::Well(_)));
        let CheckResult::Wrong(what) = clock(at(10_000), at(1000), "h") else { panic!("it is well") };
        assert!(what.contains("150 min behind that of h") && what.contains(SET_CLOCK), "{what}");
        let CheckResult::Wrong(what) = clock(at(1000), at(10_000), "h") else { panic!("it is well") };
        assert!(what.contains("150 min ahead of that of h"), "{what}");
    }

    #[test]
    fn a_port_that_another_program_has_is_named() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let mut report = Report::default();
        ports(&[address], &mut report);
        assert!(report.text().contains(&format!("{address} is in use")) && !report.is_well(), "{}", report.text());
    }
}
