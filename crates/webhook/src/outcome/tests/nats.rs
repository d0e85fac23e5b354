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
        let judgement = judgement(200, body);
        assert_eq!(judgement.verdict, UNAVAILABLE, "{body}");
        assert!(judgement.error.unwrap().starts_with("what answered is no stream"));
    }
}

#[test]
fn what_passes_is_repeated_and_the_order_is_kept() {
    for (status, code, what) in [
        (404, 10059, "the stream is not there now (10059)"),
        (503, 10158, "the stream is still storing it (10158)"),
        (503, 10008, "the stream has no leader now (10008)"),
        (503, 10009, "the stream has no leader now (10009)"),
        (503, 10039, "JetStream can't take the message now (10039)"),
        (503, 10077, "the stream is full (10077)"),
        (400, 10077, "the stream is full (10077)"),
        (400, 10002, "the stream is full (10002)"),
        (500, 10202, "the stream has no leader now (10202)"),
        (500, 0, "JetStream can't take the message now (0)"),
        (503, 0, "no stream takes the subject, or it is not there now"),
        // Another attempt's message is being stored.
        (409, 10158, "the stream is still storing it (10158)"),
        // What nobody knows yet.
        (400, 10999, "the stream did not take the message (10999)"),
    ] {
        let judgement = refused(status, code);
        assert_eq!(judgement.verdict, UNAVAILABLE, "{status} {code}");
        assert_eq!(judgement.error, Some(format!("{status}: {what}: words")));
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

/// What the client has found out about the stream goes with the answer.
#[test]
fn the_clients_own_words_are_read() {
    let headers = [
        (STREAM, "EVENTS"),
        (REMARK, "a"),
        ("content-type", "x"),
        (REMARK, "b"),
    ];
    let answer = answer(200, &headers, r#"{"stream": "EVENTS", "seq": 1}"#);
    assert_eq!(stream_looked_at(&answer), Some("EVENTS"));
    assert_eq!(remarks(&answer).collect::<Vec<_>>(), ["a", "b"]);
}
