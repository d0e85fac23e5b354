//! What Google Chat's answers mean.

use super::*;

fn google_chat(status: u16, body: &str) -> Judgement {
    judged(EndpointKind::GoogleChat, status, &[], body)
}

fn error(status: &str) -> String {
    format!(r#"{{"error": {{"code": 0, "message": "Because.", "status": "{status}"}}}}"#)
}

#[test]
fn only_a_message_of_a_space_is_a_success() {
    let made = r#"{"name": "spaces/AAAA/messages/x.y", "text": "hello"}"#;
    assert_eq!(google_chat(200, made).verdict, Verdict::Sent);
    for body in [
        "",
        "{}",
        "spaces/AAAA",
        r#"{"name": "users/1"}"#,
        r#"{"name": 1}"#,
    ] {
        let judgement = google_chat(200, body);
        assert_eq!(judgement.verdict, UNAVAILABLE, "{body}");
    }
}

#[test]
fn failures_are_told_by_their_status() {
    for (status, body, verdict, text) in [
        (
            404,
            error("NOT_FOUND"),
            Verdict::Gone,
            "404: the space or the webhook does not exist any more: NOT_FOUND: Because.",
        ),
        // Not the API's own: something in between.
        (
            404,
            "where?".to_owned(),
            UNAVAILABLE,
            "404 with an answer that is not the service's: where?",
        ),
        (
            400,
            error("INVALID_ARGUMENT"),
            REJECTED,
            "400 bad request: INVALID_ARGUMENT: Because.",
        ),
        (
            401,
            error("UNAUTHENTICATED"),
            Verdict::Forbidden,
            "401: the URL or its key is wrong: UNAUTHENTICATED: Because.",
        ),
        (
            403,
            error("PERMISSION_DENIED"),
            Verdict::Forbidden,
            "403 forbidden: PERMISSION_DENIED: Because.",
        ),
        (
            503,
            error("UNAVAILABLE"),
            RETRY,
            "503: the server is unavailable: UNAVAILABLE: Because.",
        ),
    ] {
        let judgement = google_chat(status, &body);
        assert_eq!(judgement.verdict, verdict, "{status} {body}");
        assert_eq!(judgement.error.as_deref(), Some(text));
    }
}
