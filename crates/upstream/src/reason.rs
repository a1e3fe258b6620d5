//! Why an exchange with an upstream failed, as the end of a sentence that names the upstream.
//!
//! What libraries say of it names neither the place nor the next step, and some of it names their own pages. Every error of
//! this room is told by what stands here; an issuer's as well.

use std::error::Error as StdError;
use std::io::{self, ErrorKind};

use rustls::{AlertDescription, CertificateError};

/// A sentence of ours, as an error.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Sentence(pub String);

/// What really happened, in words that help.
pub(super) fn reason(error: &(dyn StdError + 'static)) -> String {
    let chain: Vec<_> = std::iter::successors(Some(error), |error| cause(*error)).collect();
    let find = |say: fn(&(dyn StdError + 'static)) -> Option<String>| chain.iter().find_map(|error| say(*error));
    find(|error| error.downcast_ref().map(|Sentence(said)| said.clone()))
        .or_else(|| find(|error| error.downcast_ref().map(of_tls)))
        .or_else(|| find(|error| error.downcast_ref().and_then(of_http2)))
        .or_else(|| name_not_found(&chain))
        .or_else(|| chain.iter().rev().find_map(|error| error.downcast_ref().map(of_system)))
        .or_else(|| find(|error| error.downcast_ref().and_then(of_hyper)))
        .unwrap_or_else(|| chain.last().map_or_else(String::new, ToString::to_string))
}

/// Why no stream could be opened. A connection that ends in the middle of TLS's handshake comes as a reset or as an end,
/// by how fast either side was: it is one failure, and is told as one.
pub(super) fn of_opening(error: &(dyn StdError + 'static)) -> String {
    // What fails below TLS comes as the connector's own error, and only TLS's come as the system's.
    let cut = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref).and_then(|inner| inner.downcast_ref());
    match cut.map(io::Error::kind) {
        Some(
            ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::NotConnected
            | ErrorKind::UnexpectedEof,
        ) => "the connection was closed in the middle of the TLS handshake. Does it speak TLS there?".into(),
        _ => reason(error),
    }
}

/// Whether it was waited for in vain.
pub(super) fn is_timeout(error: &(dyn StdError + 'static)) -> bool {
    std::iter::successors(Some(error), |error| cause(*error))
        .any(|error| error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == ErrorKind::TimedOut))
}

/// What an error was caused by. What the system's errors and HTTP/2's wrap does not count among their causes.
fn cause<'e>(error: &'e (dyn StdError + 'static)) -> Option<&'e (dyn StdError + 'static)> {
    if let Some(error) = error.downcast_ref::<io::Error>()
        && let Some(inner) = error.get_ref()
    {
        return Some(inner);
    }
    if let Some(error) = error.downcast_ref::<h2::Error>()
        && let Some(inner) = error.get_io()
    {
        return Some(inner);
    }
    error.source()
}

fn of_tls(error: &rustls::Error) -> String {
    use rustls::Error as Tls;
    match error {
        Tls::InvalidCertificate(fault) => of_certificate(fault),
        Tls::NoCertificatesPresented => "it shows no certificate".into(),
        Tls::AlertReceived(alert) => of_alert(*alert),
        Tls::InvalidMessage(_) => "what answers there does not speak TLS. Is the port right, and is it https?".into(),
        Tls::PeerIncompatible(why) => {
            format!("it speaks no version or cipher of TLS that is good enough ({why:?}); TLS 1.2 is the oldest")
        }
        Tls::NoApplicationProtocol => "it speaks neither HTTP/2 nor HTTP/1.1 over TLS".into(),
        Tls::DecryptError | Tls::PeerMisbehaved(_) | Tls::PeerSentOversizedRecord => {
            format!("what came was damaged on the way, or is no TLS ({error})")
        }
        other => format!("TLS failed ({other})"),
    }
}

fn of_certificate(fault: &CertificateError) -> String {
    use CertificateError as Fault;
    let trust = "name the PEM file of its certificate authority in SSL_CERT_FILE";
    match fault {
        Fault::UnknownIssuer => format!(
            "its certificate is from an authority that is not trusted here. If that is your own server, or your network \
             inspects TLS, {trust}"
        ),
        Fault::Expired | Fault::ExpiredContext { .. } => {
            "its certificate has expired. Its owner must renew it, unless this machine's clock is wrong".into()
        }
        Fault::NotValidYet | Fault::NotValidYetContext { .. } => {
            "its certificate is not valid yet. Is this machine's clock right?".into()
        }
        Fault::NotValidForName | Fault::NotValidForNameContext { .. } => {
            "its certificate is for another name. Either the address is wrong, or something on the way answers in its place"
                .into()
        }
        Fault::Revoked => "its certificate has been revoked".into(),
        Fault::BadSignature => "its certificate is not signed by the authority that it names. It may be forged, or an older \
                                authority of that name is trusted here: is SSL_CERT_FILE up to date?"
            .into(),
        Fault::BadEncoding => "its certificate is damaged".into(),
        Fault::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => format!(
            "its certificate is that of an authority and not of a server. Let one be issued for the server, and {trust}"
        ),
        other => format!("its certificate is not accepted ({other})"),
    }
}

fn of_alert(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity => {
            "it refuses the ciphers that are spoken here (TLS alert handshake_failure)".into()
        }
        AlertDescription::ProtocolVersion => "it speaks neither TLS 1.2 nor 1.3".into(),
        AlertDescription::UnrecognisedName => "it does not know the name that it was asked by".into(),
        AlertDescription::CertificateRequired => "it wants a client's certificate, which is not supported".into(),
        AlertDescription::NoApplicationProtocol => "it speaks neither HTTP/2 nor HTTP/1.1 over TLS".into(),
        other => format!("it broke TLS off (alert {other:?})"),
    }
}

/// None where the connection beneath it is at fault.
fn of_http2(error: &h2::Error) -> Option<String> {
    if error.is_io() {
        return None;
    }
    let reason = error.reason().map_or_else(|| error.to_string(), |reason| format!("{reason:?}"));
    Some(match (error.is_remote(), error.is_reset()) {
        (true, true) => format!("it ended the request's HTTP/2 stream ({reason})"),
        (true, false) => format!("it closed the HTTP/2 connection ({reason})"),
        (false, _) => format!("what it sent is no HTTP/2 ({reason})"),
    })
}

/// The connector calls it so, whatever the system says.
fn name_not_found(chain: &[&(dyn StdError + 'static)]) -> Option<String> {
    let at = chain.iter().position(|error| error.to_string() == "dns error")?;
    let said = chain[at..].last().map(|error| error.to_string()).unwrap_or_default();
    let said = said.strip_prefix("failed to lookup address information: ").unwrap_or(&said);
    Some(format!("its name is not found ({said}). Check its spelling, and the network's DNS"))
}

fn of_system(error: &io::Error) -> String {
    let text = error.to_string();
    let said = text.split(" (os error").next().unwrap_or_default();
    match error.kind() {
        ErrorKind::ConnectionRefused => "nothing listens there (Connection refused)".into(),
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => {
            format!("the connection was cut ({said})")
        }
        ErrorKind::TimedOut if error.raw_os_error().is_some() => {
            "nothing that was sent arrived any more (Connection timed out)".into()
        }
        ErrorKind::TimedOut => "nothing answered in time".into(),
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown => {
            format!("there is no way to it ({said}). Is the network up?")
        }
        ErrorKind::AddrNotAvailable => format!("this machine has no address or port left for it ({said})"),
        ErrorKind::PermissionDenied => format!("the system does not allow it ({said}). Is there a firewall?"),
        ErrorKind::UnexpectedEof if text.contains("close_notify") => {
            "the connection was closed without TLS's farewell (close_notify): the answer may have been cut on the way"
                .into()
        }
        ErrorKind::UnexpectedEof => "the connection was closed too early".into(),
        // EMFILE and ENFILE have no kind of their own.
        _ if said.contains("Too many open files") => {
            "this process has too many files and connections open: raise `ulimit -n`".into()
        }
        _ => said.to_owned(),
    }
}

fn of_hyper(error: &hyper::Error) -> Option<String> {
    if error.is_timeout() {
        Some("the connection is dead: pings were not answered".into())
    } else if error.is_canceled() || error.is_closed() || error.is_incomplete_message() {
        Some("the connection was closed".into())
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As TLS's errors come: wrapped in the system's, twice.
    fn tls(error: rustls::Error) -> io::Error {
        io::Error::other(io::Error::new(ErrorKind::InvalidData, error))
    }

    #[test]
    fn what_is_wrong_with_a_certificate_is_said_with_what_helps() {
        for (fault, said) in [
            (CertificateError::UnknownIssuer, "SSL_CERT_FILE"),
            (CertificateError::Expired, "has expired"),
            (CertificateError::NotValidYet, "clock"),
            (CertificateError::NotValidForName, "for another name"),
            (CertificateError::Revoked, "revoked"),
            (CertificateError::BadSignature, "forged"),
            (CertificateError::BadEncoding, "damaged"),
            (CertificateError::UnhandledCriticalExtension, "is not accepted"),
        ] {
            let told = reason(&tls(rustls::Error::InvalidCertificate(fault)));
            assert!(told.contains(said) && told.starts_with("its certificate "), "{told}");
        }
    }

    #[test]
    fn no_library_speaks_for_itself() {
        let system = |kind, said: &'static str| io::Error::new(kind, said);
        let farewell = "peer closed connection without sending TLS close_notify: https://docs.rs/rustls/latest/x";
        let errors: Vec<(Box<dyn StdError>, &str)> = vec![
            (Box::new(system(ErrorKind::UnexpectedEof, farewell)), "close_notify"),
            (Box::new(tls(rustls::Error::AlertReceived(AlertDescription::HandshakeFailure))), "ciphers"),
            (Box::new(tls(rustls::Error::AlertReceived(AlertDescription::InternalError))), "broke TLS off"),
            (Box::new(tls(rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType))), "not speak TLS"),
            (Box::new(tls(rustls::Error::General("x".into()))), "TLS failed"),
            (Box::new(h2::Error::from(h2::Reason::ENHANCE_YOUR_CALM)), "ENHANCE_YOUR_CALM"),
            (Box::new(io::Error::other(Sentence("ours".into()))), "ours"),
        ];
        for (error, said) in errors {
            let told = reason(&*error);
            assert!(told.contains(said), "{told}");
            assert!(!told.contains("docs.rs") && !told.contains("os error"), "{told}");
        }
    }

    #[test]
    fn a_handshake_that_is_cut_is_told_as_one_however_the_cut_comes() {
        for kind in [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe, ErrorKind::UnexpectedEof] {
            let told = of_opening(&io::Error::other(io::Error::from(kind)));
            assert!(told.contains("in the middle of the TLS handshake"), "{told}");
        }
        let told = of_opening(&tls(rustls::Error::AlertReceived(AlertDescription::HandshakeFailure)));
        assert!(told.contains("ciphers"), "{told}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_the_system_says_is_said_with_what_it_means() {
        for (number, said) in [
            (110, "nothing that was sent arrived"),
            (111, "nothing listens there (Connection refused)"),
            (104, "was cut (Connection reset by peer)"),
            (24, "ulimit -n"),
            (101, "Is the network up?"),
        ] {
            let told = reason(&io::Error::from_raw_os_error(number));
            assert!(told.contains(said) && !told.contains("os error"), "{told}");
        }
    }

    #[test]
    fn a_timeout_is_found_however_deep_it_lies() {
        assert!(is_timeout(&io::Error::other(io::Error::from(ErrorKind::TimedOut))));
        assert!(!is_timeout(&io::Error::from(ErrorKind::ConnectionRefused)));
    }
}
