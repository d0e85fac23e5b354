//! What JetStream says.

use super::*;

fn judgement(status: u16, body: &str) -> Judgement {
    judged(EndpointKind::Nats, status, &[], body)
}

fn refused(status: u16, code: u32) -> Judgement {
    let body = format!(
        r#"{{"error": {{"code": {status}, "err_code": {code}, "description": "words"}}, "stream": "S", "seq": 0}}"#
    );
    judgement(status, &body)
}

#[test]
fn only_an_acknowledgement_is_a_success() {
    for body in [
        r#"{"stream": "S", "seq": 7}"#,
        r#"{"stream": "S", "seq": 7, "duplicate": true, "domain": "hub"}"#,
    ] {
        let judgement = judgement(200, body);
        assert_eq!((judgement.verdict, judgement.error), (Verdict::Sent, None));
        assert_eq!(judgement.body.as_deref(), Some(body));
    }
    for body in [
        "",
        "+ACK",
        "{}",
        r#"{"ok": true}"#,
        r#"{"error": {"code": 503, "err_code": 10158, "description": "x"}, "stream": "S", "seq": 0}"#,
    ] {
        assert_eq!(judgement(200, body).verdict, UNAVAILABLE, "{body}");
    }
}

#[test]
fn what_passes_is_repeated_and_the_order_is_kept() {
    for (status, code) in [
        (404, 10059),
        (503, 10158),
        (503, 10008),
        (503, 10009),
        (503, 10039),
        (503, 10077),
        (400, 10077),
        (400, 10002),
        (500, 10202),
        (503, 0),
        // Another attempt's message is being stored.
        (409, 10158),
        // What nobody knows yet.
        (400, 10999),
    ] {
        let judgement = refused(status, code);
        assert_eq!(judgement.verdict, UNAVAILABLE, "{status} {code}");
        let error = judgement.error.unwrap();
        assert!(
            error.ends_with("words") && error.contains(&status.to_string()),
            "{error}"
        );
    }
    let none = judgement(503, "zentry.app.task_completed.1");
    assert_eq!(none.verdict, UNAVAILABLE);
    assert!(none.error.unwrap().contains("no stream takes the subject"));
}

#[test]
fn what_is_too_large_fails_alone() {
    for judgement in [
        judgement(413, "larger than the server takes"),
        refused(400, 10054),
        refused(400, 10097),
    ] {
        assert_eq!(judgement.verdict, REJECTED);
        assert!(judgement.error.unwrap().contains("too large"));
    }
}

#[test]
fn what_somebody_has_to_change_keeps_the_events() {
    for status in [401, 403, 409] {
        let judgement = judgement(status, "why");
        assert_eq!(judgement.verdict, Verdict::Misdirected, "{status}");
        assert!(judgement.error.unwrap().ends_with("why"));
    }
    assert_eq!(refused(400, 10109).verdict, Verdict::Misdirected, "sealed");
}
