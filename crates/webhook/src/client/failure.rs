//! Why there was no answer, in words for people.

use std::error::Error;
use std::io;

use rustls::CertificateError;

use super::limits::{Limits, SetBy};
use super::resolver::{AddressRefused, NotResolved};
use crate::endpoint::SecretUrl;
use crate::outcome::TransportError;

/// Returns the most specific cause of a request's failure.
pub(super) fn classify(error: reqwest::Error, limits: &Limits, url: &SecretUrl) -> TransportError {
    // No cause should contain the URL, but they are texts of other libraries.
    let text = |text: String| url.redact(&text).into_owned();
    let error = error.without_url();
    for cause in causes(&error) {
        if let Some(refused) = cause.downcast_ref::<AddressRefused>() {
            return TransportError::Forbidden(refused.to_string());
        }
        if let Some(unresolved) = cause.downcast_ref::<NotResolved>() {
            return TransportError::Resolve(unresolved.to_string());
        }
        if let Some(error) = cause.downcast_ref::<rustls::Error>() {
            return TransportError::Tls(text(tls_reason(error, limits.set_by)));
        }
        if let Some(error) = cause.downcast_ref::<hyper::Error>() {
            if error.is_parse() {
                return TransportError::Protocol(text(innermost(error)));
            }
            if error.is_incomplete_message() {
                return TransportError::Connection("it was closed before there was an answer".into());
            }
        }
    }
    if error.is_timeout() {
        return TransportError::Timeout(limits.connect_timeout);
    }
    TransportError::Connection(text(innermost(&error)))
}

/// Adjusts a failure after the connection was made: the request may have arrived.
pub(super) fn of_connected(failure: TransportError) -> TransportError {
    match failure {
        TransportError::Tls(reason) => TransportError::Connection(format!("TLS: {reason}")),
        other => other,
    }
}

/// Adjusts a failure to make a connection.
pub(super) fn of_connecting(failure: TransportError) -> TransportError {
    match failure {
        TransportError::Connection(reason) => TransportError::NoConnection(reason),
        TransportError::Timeout(time) => TransportError::ConnectTimeout(time),
        other => other,
    }
}

/// Adjusts a failure to make a connection through a proxy, which may be the proxy's: it cannot be reached, or refuses. `number` is
/// its place if there are several.
pub(super) fn of_proxy(failure: TransportError, set_by: SetBy, number: Option<usize>) -> TransportError {
    let reason = match failure {
        TransportError::Connection(reason) => reason,
        TransportError::Resolve(reason) => format!("no name could be resolved: {reason}"),
        TransportError::Timeout(time) => format!("no answer within {time:?}"),
        other => return other,
    };
    let number = number.map_or_else(String::new, |number| format!(" no. {number}"));
    let proxy = set_by.proxy;
    TransportError::NoConnection(format!("by way of {proxy}{number}: {reason}"))
}

/// The text of the last error in the chain of causes.
pub(super) fn innermost(error: &(dyn Error + 'static)) -> String {
    causes(error).last().map(ToString::to_string).unwrap_or_default()
}

/// Returns why a connection to a stream could not be made; `text` masks secrets.
pub(super) fn of_connection(
    error: &(dyn Error + 'static),
    set_by: SetBy,
    text: impl Fn(String) -> String,
) -> TransportError {
    let tls = causes(error).find_map(|cause| cause.downcast_ref::<rustls::Error>());
    match tls {
        Some(error) => TransportError::Tls(text(tls_reason(error, set_by))),
        None => TransportError::Connection(text(innermost(error))),
    }
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| cause(*error))
}

/// The cause of an error. (An `io::Error` does not return the error that it wraps as its source.)
fn cause<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}

fn tls_reason(error: &rustls::Error, set_by: SetBy) -> String {
    use rustls::Error::{InvalidCertificate, PeerIncompatible};
    match error {
        InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            "the server's certificate has expired".into()
        }
        InvalidCertificate(CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. }) => {
            "the server's certificate is not valid yet".into()
        }
        InvalidCertificate(CertificateError::UnknownIssuer) => format!(
            "the server's certificate is self-signed or of an unknown issuer; an authority of your own goes to {}",
            set_by.ca_file
        ),
        InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => "the server's certificate is for another name".into(),
        InvalidCertificate(CertificateError::BadSignature) => {
            "the server's certificate is not signed by the authority that it names".into()
        }
        InvalidCertificate(CertificateError::Revoked) => "the server's certificate is revoked".into(),
        PeerIncompatible(reason) => format!("the server speaks no version of TLS that is safe ({reason:?})"),
        other => other.to_string(),
    }
}
