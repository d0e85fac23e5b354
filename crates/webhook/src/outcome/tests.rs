#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;

mod discord;
mod google_chat;
mod hostile;
mod mattermost;
mod nats;
mod ntfy;
mod signed;
mod slack;
mod teams;

const TOKEN: &str = "aBcDeFgHiJkLmNoPqRsTuVwXyZ0123456789._-aBcDeFgHiJkLmNoPqRsTuVwXyZ01";

fn discord_url() -> SecretUrl {
    let url = format!("https://discord.com/api/v10/webhooks/123456789012345678/{TOKEN}?wait=true");
    SecretUrl::new(url::Url::parse(&url).unwrap())
}

fn answer(status: u16, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Answer {
    let headers = headers
        .iter()
        .map(|(name, value)| ((*name).into(), (*value).into()))
        .collect();
    Answer {
        status,
        headers,
        body: body.into(),
    }
}

fn judged(kind: EndpointKind, status: u16, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Judgement {
    judge(kind, &discord_url(), Ok(&answer(status, headers, body)))
}

const KINDS: [EndpointKind; 3] = [
    EndpointKind::Discord,
    EndpointKind::TeamsConnector,
    EndpointKind::TeamsWorkflow,
];
const RETRY: Verdict = Verdict::Retry { wait: None };
const UNAVAILABLE: Verdict = Verdict::Unavailable { wait: None };
const REJECTED: Verdict = Verdict::Rejected { culprit: None };

#[test]
fn a_web_page_is_proof_of_nothing_whoever_is_asked_and_whatever_its_status() {
    let pages = [
        ("", "\n<!DOCTYPE html><html>"),
        ("", "\u{feff}<html>"),
        ("Text/HTML; charset=utf-8", "please log in"),
        ("application/xhtml+xml", "not here"),
    ];
    for kind in KINDS {
        for status in [
            200, 202, 204, 301, 400, 401, 402, 404, 407, 410, 413, 500, 503, 520,
        ] {
            for (content_type, page) in pages {
                let judgement = judged(kind, status, &[("content-type", content_type)], page);
                assert_eq!(judgement.verdict, UNAVAILABLE, "{kind:?} {status} {page}");
                assert!(judgement.error.unwrap().contains("web page"), "{kind:?} {status}");
            }
        }
        for status in [403, 429] {
            let verdict = judged(kind, status, &[], "<html>").verdict;
            let blocked = [UNAVAILABLE, Verdict::Blocked][usize::from(kind == EndpointKind::Discord)];
            assert_eq!(verdict, blocked, "{kind:?} {status}");
        }
        let wait = Some(Duration::from_secs(7));
        assert_eq!(
            judged(kind, 503, &[("retry-after", "7")], "<html>").verdict,
            Verdict::Unavailable { wait }
        );
    }
}

/// Whoever is asked: what is said begins with the status that came.
#[test]
fn an_error_has_the_status_of_its_answer() {
    let kinds = [
        EndpointKind::Slack,
        EndpointKind::Mattermost,
        EndpointKind::GoogleChat,
    ];
    for kind in KINDS.into_iter().chain(kinds) {
        for status in (300..600).filter(|status| *status != 429) {
            for body in [
                "",
                "no",
                r#"{"id": "a", "message": "no"}"#,
                r#"{"error": {"status": "NOT_FOUND"}}"#,
            ] {
                let judgement = judged(kind, status, &[], body);
                let error = judgement.error.unwrap_or_default();
                assert!(
                    error.starts_with(&status.to_string()),
                    "{kind:?} {status} {body}: {error}"
                );
            }
        }
        let gone = judged(kind, 410, &[], "");
        assert_eq!(gone.verdict, Verdict::Gone, "{kind:?}");
    }
}

/// What people read of a failure that passes.
#[test]
fn failures_are_told_in_words() {
    for (status, what) in [
        (408, "the server did not answer in time"),
        (500, "the server failed"),
        (502, "the server behind the gateway failed"),
        (503, "the server is unavailable"),
        (504, "the server did not answer in time"),
        (520, "the server can't take the message now"),
    ] {
        let judgement = judged(EndpointKind::TeamsWorkflow, status, &[], "");
        assert_eq!(judgement.verdict, RETRY);
        assert_eq!(judgement.error, Some(format!("{status}: {what}")));
    }
}

#[test]
fn a_wait_is_told_as_exactly_as_it_is_known() {
    for (wait, told) in [("2", "2 s"), ("1.5", "1.5 s"), ("10", "10 s"), ("0.25", "0.25 s")] {
        let judgement = judged(EndpointKind::Slack, 429, &[("retry-after", wait)], "");
        assert_eq!(
            judgement.error,
            Some(format!("429: rate limited, next try in {told}"))
        );
    }
}

#[test]
fn what_is_no_page_is_none_whatever_it_is_called() {
    let called = [("content-type", "text/html")];
    assert_eq!(
        judged(EndpointKind::Discord, 200, &called, r#"{"id": "1"}"#).verdict,
        Verdict::Sent
    );
    assert_eq!(
        judged(EndpointKind::TeamsConnector, 200, &called, "1").verdict,
        Verdict::Sent
    );
    assert_eq!(
        judged(EndpointKind::TeamsWorkflow, 202, &called, "").verdict,
        Verdict::Sent
    );
}

#[test]
fn a_proxy_that_asks_for_a_login_says_nothing_of_a_webhook() {
    for kind in KINDS {
        let judgement = judged(kind, 407, &[], "log in first");
        assert_eq!(judgement.verdict, UNAVAILABLE);
        assert!(judgement.error.unwrap().contains("proxy"));
    }
}

#[test]
fn no_answer_is_a_passing_failure() {
    let absent = |error: TransportError| judge(EndpointKind::Discord, &discord_url(), Err(&error));
    for error in [
        TransportError::Timeout(Duration::from_secs(30)),
        TransportError::Connection("refused".into()),
        TransportError::Protocol("no HTTP".into()),
        // A setting forbids it, and settings are mended.
        TransportError::Forbidden("10.0.0.1".into()),
    ] {
        let judgement = absent(error.clone());
        assert_eq!(judgement.verdict, UNAVAILABLE);
        assert_eq!(
            (judgement.status_code, judgement.body, judgement.pause),
            (None, None, None)
        );
        assert_eq!(judgement.error, Some(error.to_string()));
    }
    for error in [
        TransportError::Resolve("unknown".into()),
        TransportError::Tls("expired".into()),
        TransportError::NoConnection("refused".into()),
        TransportError::ConnectTimeout(Duration::from_secs(5)),
    ] {
        assert_eq!(absent(error).verdict, Verdict::Unreached);
    }
    let timeout = absent(TransportError::Timeout(Duration::from_secs(30)));
    assert_eq!(timeout.error.as_deref(), Some("no answer within 30s"));
}
