//! What answers of a program mean: its status alone.

use super::*;

fn verdict(status: u16, body: &str) -> Verdict {
    judged(EndpointKind::Signed, status, &[], body).verdict
}

#[test]
fn any_success_is_one_whatever_is_said_with_it() {
    for status in [200, 201, 202, 204, 226] {
        for body in ["", "ok", "<html>", "{\"error\": \"x\"}"] {
            assert_eq!(verdict(status, body), Verdict::Sent, "{status} {body}");
        }
    }
}

#[test]
fn only_410_ends_it() {
    for status in (100..600).filter(|status| !(200..300).contains(status)) {
        let judgement = judged(EndpointKind::Signed, status, &[], "no");
        assert_eq!(judgement.verdict == Verdict::Gone, status == 410, "{status}");
        assert!(
            !matches!(judgement.verdict, Verdict::Rejected { .. } | Verdict::Forbidden),
            "{status} is tried again"
        );
        assert!(judgement.error.unwrap().contains(&status.to_string()), "{status}");
    }
}

#[test]
fn it_says_how_long_to_wait() {
    let wait = Duration::from_secs(7);
    let answered = |status| judged(EndpointKind::Signed, status, &[("retry-after", "7")], "").verdict;
    assert_eq!(
        answered(429),
        Verdict::RateLimited {
            wait,
            scope: RateScope::Webhook
        }
    );
    for status in [404, 500, 502, 503, 504] {
        assert_eq!(answered(status), Verdict::Retry { wait: Some(wait) });
    }
}

#[test]
fn what_it_echoes_of_headers_is_masked() {
    let headers =
        crate::headers::OwnHeaders::parse(r#"{"authorization": "Bearer sword/fish+swordfish"}"#).unwrap();
    let url = discord_url().with_secrets(headers.secrets());
    for body in [
        "you sent Bearer sword/fish+swordfish",
        r#"{"token": "sword\/fish+swordfish"}"#,
        "sword/fish+swordfish?",
    ] {
        let judgement = judge(EndpointKind::Signed, &url, Ok(&answer(500, &[], body)));
        assert!(!judgement.body.unwrap().contains("sword"), "{body}");
        assert!(!judgement.error.unwrap().contains("sword"), "{body}");
    }
}
