#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::os::unix::net::UnixStream;

use tokio_postgres::{Config, NoTls};

use super::*;

/// Returns the error for a database error with this SQLSTATE and these fields, by their letters.
async fn made_of(code: &str, fields: &[(u8, &str)]) -> Error {
    let mut body = Vec::new();
    let always = [(b'S', "ERROR"), (b'C', code), (b'M', "It is wrong")];
    for (letter, value) in always.iter().chain(fields) {
        body.push(*letter);
        body.extend(value.as_bytes());
        body.push(0);
    }
    body.push(0);
    let length = u32::try_from(body.len() + 4).unwrap();
    let (ours, mut servers) = UnixStream::pair().unwrap();
    servers.write_all(b"E").unwrap();
    servers.write_all(&length.to_be_bytes()).unwrap();
    servers.write_all(&body).unwrap();
    ours.set_nonblocking(true).unwrap();
    let ours = tokio::net::UnixStream::from_std(ours).unwrap();
    let refused = Config::new().user("nobody").connect_raw(ours, NoTls).await;
    Error::from(refused.err().unwrap())
}

/// The SQLSTATE decides the status, the column is the field, and the hint is said with the message.
#[tokio::test]
async fn errors_of_the_database_are_told_by_their_sqlstate() {
    const HINT: (u8, &str) = (b'H', "Mend it.");
    const COLUMN: (u8, &str) = (b'c', "name");
    const SAID: &str = "It is wrong. Mend it.";
    let invalid = StatusCode::BAD_REQUEST;
    for (code, fields, status, words, field) in [
        ("P0002", [].as_slice(), StatusCode::NOT_FOUND, "Not found.", None),
        ("42501", &[HINT], StatusCode::FORBIDDEN, SAID, None),
        (
            "42501",
            &[],
            StatusCode::FORBIDDEN,
            "You do not have permission to perform this action.",
            None,
        ),
        ("22023", &[HINT, COLUMN], invalid, SAID, Some("name")),
        ("22023", &[], invalid, "It is wrong", Some(NOT_ONE)),
        ("22004", &[COLUMN], invalid, "It is wrong", Some("name")),
        ("23502", &[COLUMN], invalid, "It is wrong", Some("name")),
        ("23514", &[], invalid, "It is wrong", Some(NOT_ONE)),
        ("22001", &[], invalid, "It is wrong", Some(NOT_ONE)),
        ("23505", &[COLUMN], invalid, "It is wrong", Some("name")),
        ("42704", &[COLUMN], invalid, "It is wrong", Some("name")),
        ("0P000", &[COLUMN], invalid, "It is wrong", Some("name")),
        (
            "23505",
            &[],
            StatusCode::SERVICE_UNAVAILABLE,
            "The database is not available.",
            None,
        ),
        ("55000", &[HINT], invalid, SAID, None),
        ("53400", &[HINT], invalid, SAID, None),
        (
            "53400",
            &[],
            StatusCode::SERVICE_UNAVAILABLE,
            "The database is not available.",
            None,
        ),
        (
            "57014",
            &[],
            StatusCode::GATEWAY_TIMEOUT,
            "This took too long.",
            None,
        ),
        (
            "XX000",
            &[HINT, COLUMN],
            StatusCode::SERVICE_UNAVAILABLE,
            "The database is not available.",
            None,
        ),
    ] {
        let error = made_of(code, fields).await;
        assert_eq!((error.status(), &*error.words()), (status, words), "{code}");
        let wrong = error.wrong_fields().and_then(|fields| fields.keys().next());
        assert_eq!(wrong.map(String::as_str), field, "{code}");
    }
}

#[test]
fn each_refusal_has_its_status() {
    for (error, status) in [
        (Error::not_found(), 404),
        (Error::forbidden("No."), 403),
        (Error::from(Denied), 403),
        (Error::method_not_allowed(&Method::PUT), 405),
        (Error::too_large(), 413),
        (Error::took_too_long(), 504),
        (Error::no_token(), 401),
        (Error::internal(&"It broke."), 500),
        (Error::unavailable("It is gone."), 503),
        (Error::from(PoolError::Closed), 503),
        (Error::too_many_trials(), 503),
        (Error::refused("No."), 400),
    ] {
        assert_eq!(error.status(), status, "{error:?}");
        assert!(!error.words().contains("It "), "what the log has is not told");
        assert_eq!(error.into_response().status(), status);
    }
    let wait = Error::too_many_trials().into_response();
    assert_eq!(wait.headers()[RETRY_AFTER], "10");
}

#[test]
fn an_error_says_when_to_come_again() {
    let throttled = Error::throttled(Duration::from_millis(59_900));
    assert_eq!(throttled.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(throttled.words().contains("available in 60 seconds"));
    assert_eq!(throttled.into_response().headers()[RETRY_AFTER], "60");
    let unauthorized = Error::bad_token().into_response();
    assert_eq!(unauthorized.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(unauthorized.headers()[WWW_AUTHENTICATE], "Bearer");
}

#[test]
fn words_are_those_of_all_fields() {
    let mut wrong = Fields::new();
    assert_eq!(note::<()>(&mut wrong, "b", "B."), None);
    assert_eq!(note::<()>(&mut wrong, "a", "A."), None);
    assert_eq!(note::<()>(&mut wrong, "a", "Also."), None);
    let error = Error::fields(wrong.clone());
    assert_eq!(error.words(), "A. Also. B.");
    assert_eq!(error.wrong_fields(), Some(&wrong));
    assert_eq!(Error::refused("No.").words(), "No.");
    assert_eq!(Error::refused("No.").wrong_fields(), None);
}
