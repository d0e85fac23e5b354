//! What ntfy's answers mean: its codes.

use super::*;

fn judged_as(status: u16, code: i64, headers: &[(&str, &str)]) -> Judgement {
    let body = format!(r#"{{"code":{code},"http":{status},"error":"no","link":"https://ntfy.sh/docs"}}"#);
    judged(EndpointKind::Ntfy, status, headers, body)
}

#[test]
fn only_the_message_that_was_made_is_a_success() {
    let verdict = |body: &str| judged(EndpointKind::Ntfy, 200, &[], body).verdict;
    let made = r#"{"id":"hwQ2YpKdmg","time":1635528741,"event":"message","topic":"t","message":"x"}"#;
    assert_eq!(verdict(made), Verdict::Sent);
    for body in [
        "",
        "ok",
        "{}",
        r#"{"event":"open","id":"x"}"#,
        r#"{"event":"message"}"#,
    ] {
        assert_eq!(verdict(body), UNAVAILABLE, "{body}");
    }
}

#[test]
fn codes_say_what_is_to_be_done() {
    for (status, code, verdict) in [
        (400, 40000, REJECTED),
        (400, 40009, Verdict::Misdirected),
        (400, 40010, Verdict::Misdirected),
        (401, 40101, Verdict::Misdirected),
        (403, 40301, Verdict::Misdirected),
        (404, 40401, Verdict::Misdirected),
        (413, 41303, REJECTED),
        (500, 50001, RETRY),
        (507, 50701, UNAVAILABLE),
    ] {
        let judgement = judged_as(status, code, &[]);
        assert_eq!(judgement.verdict, verdict, "{code}");
        assert!(judgement.error.unwrap().ends_with(": no"), "{code}");
    }
    // Without a code of its own it is not ntfy that has answered.
    assert_eq!(
        judged(EndpointKind::Ntfy, 403, &[], "no").verdict,
        Verdict::Forbidden
    );
}

#[test]
fn who_is_too_fast_waits_for_as_long_as_the_limit_takes() {
    for (code, headers, seconds) in [
        (42901, [].as_slice(), 5),
        (42909, &[], 60),
        (42908, &[], 3600),
        (42901, &[("retry-after", "7")], 7),
    ] {
        let limited = Verdict::RateLimited {
            wait: Duration::from_secs(seconds),
            scope: RateScope::Webhook,
        };
        assert_eq!(judged_as(429, code, headers).verdict, limited, "{code}");
    }
}
