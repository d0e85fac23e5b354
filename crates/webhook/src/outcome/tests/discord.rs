//! Each row of Discord's table of answers.

use super::*;

fn on_discord(status: u16, headers: &[(&str, &str)], body: &str) -> Judgement {
    judged(EndpointKind::Discord, status, headers, body)
}

fn error(judgement: &Judgement) -> &str {
    judgement.error.as_deref().unwrap()
}

#[test]
fn saved_messages_are_sent() {
    let judgement = on_discord(200, &[], r#"{"id": "1"}"#);
    assert_eq!(judgement.verdict, Verdict::Sent);
    assert_eq!(
        (judgement.status_code, judgement.body.as_deref()),
        (Some(200), Some(r#"{"id": "1"}"#))
    );
    assert_eq!((judgement.error, judgement.pause), (None, None));
    let judgement = on_discord(204, &[], "");
    assert_eq!((judgement.verdict, judgement.body), (Verdict::Sent, None));
}

#[test]
fn an_empty_bucket_announces_a_pause() {
    let headers = |remaining, reset| {
        [
            ("x-ratelimit-remaining", remaining),
            ("x-ratelimit-reset-after", reset),
        ]
    };
    let pause = |remaining, reset| on_discord(200, &headers(remaining, reset), "{}").pause;
    assert_eq!(pause("0", "1.25"), Some(Duration::from_millis(1250)));
    assert_eq!(pause("1", "1.25"), None);
    assert_eq!(pause("0", "soon"), None);
    assert_eq!(
        on_discord(200, &[("x-ratelimit-remaining", "0")], "{}").pause,
        None
    );
    let teams = judged(EndpointKind::TeamsConnector, 200, &headers("0", "1.25"), "1");
    assert_eq!(teams.pause, None);
}

#[test]
fn an_invalid_form_names_its_embed() {
    let body = r#"{"code": 50035, "message": "Invalid Form Body", "errors": {"embeds": {
        "3": {"title": {"_errors": [{"code": "BASE_TYPE_MAX_LENGTH", "message": "Must be 256 or fewer in length."}]}},
        "7": {"fields": {"0": {"name": {"_errors": [{"code": "BASE_TYPE_REQUIRED", "message": "This field is required"}]}}}}}}}"#;
    let judgement = on_discord(400, &[], body);
    assert_eq!(judgement.verdict, Verdict::Rejected { culprit: Some(3) });
    assert_eq!(
        error(&judgement),
        "400 bad request: Invalid Form Body: embeds[3].title: Must be 256 or fewer in length."
    );
    // A message has ten embeds.
    for (index, culprit) in [(9, Some(9)), (10, None), (12, None)] {
        let body = format!(r#"{{"code": 50035, "errors": {{"embeds": {{"{index}": {{}}}}}}}}"#);
        let verdict = on_discord(400, &[], &body).verdict;
        assert_eq!(verdict, Verdict::Rejected { culprit }, "{index}");
    }
}

#[test]
fn too_much_in_sum_names_none() {
    let body = r#"{"code": 50035, "message": "Invalid Form Body", "errors": {"embeds": {"_errors": [
        {"code": "MAX_EMBED_SIZE_EXCEEDED", "message": "Embed size exceeds maximum size of 6000"}]}}}"#;
    let judgement = on_discord(400, &[], body);
    assert_eq!(judgement.verdict, REJECTED);
    assert!(
        error(&judgement).ends_with("embeds: Embed size exceeds maximum size of 6000"),
        "{judgement:?}"
    );
}

#[test]
fn other_bad_requests_are_permanent() {
    for (status, body, text) in [
        (
            400,
            r#"{"code": 50006, "message": "Cannot send an empty message"}"#,
            "Cannot send an empty message",
        ),
        (
            400,
            r#"{"code": 50109, "message": "invalid JSON", "errors": {"embeds": {"1": {}}}}"#,
            "invalid JSON",
        ),
        (
            400,
            r#"{"code": 40005, "message": "Request entity too large"}"#,
            "Request entity too large",
        ),
        (
            400,
            r#"{"code": 240000, "message": "blocked"}"#,
            "400 bad request: blocked",
        ),
        (400, "no JSON", "400 bad request: no JSON"),
        (400, "", "400 bad request"),
        (413, "", "413: the message is too large"),
        (415, "", "415: the message was refused"),
    ] {
        let judgement = on_discord(status, &[], body);
        assert_eq!(judgement.verdict, REJECTED, "{body}");
        assert!(error(&judgement).contains(text), "{judgement:?}");
    }
}

#[test]
fn an_unknown_webhook_or_token_is_gone() {
    for (status, body, text) in [
        (
            404,
            r#"{"message": "Unknown Webhook", "code": 10015}"#,
            "404: the webhook does not exist any more",
        ),
        (
            401,
            r#"{"message": "Invalid Webhook Token", "code": 50027}"#,
            "401: the URL or its token is wrong",
        ),
        (
            401,
            r#"{"message": "401: Unauthorized", "code": 0}"#,
            "401: the URL or its token is wrong",
        ),
        (
            404,
            r#"{"message": "Unknown Channel", "code": 10003}"#,
            "404: the channel or the thread",
        ),
        (404, "", "404: the webhook does not exist any more"),
        (410, "", "410: the webhook does not exist any more"),
    ] {
        let judgement = on_discord(status, &[], body);
        assert_eq!(judgement.verdict, Verdict::Gone, "{body}");
        assert!(error(&judgement).starts_with(text), "{judgement:?}");
    }
}

#[test]
fn what_the_edge_says_blames_no_webhook() {
    for body in [
        r#"{"message": "internal network error", "code": 40333}"#,
        "error code: 1010",
        "error code: 1015",
        "Error Code: 1020\n",
        "<!DOCTYPE html><title>Attention Required! | Cloudflare</title>",
        "<html>error code: 1006</html>",
    ] {
        let judgement = on_discord(403, &[], body);
        assert_eq!(judgement.verdict, Verdict::Blocked, "{body}");
        assert!(
            error(&judgement).starts_with("403: Discord's edge"),
            "{judgement:?}"
        );
    }
    assert!(error(&on_discord(403, &[], "error code: 1020")).contains("1020"));
    for body in ["error code: 200", "error code: 10", r#"{"code": 50013}"#, ""] {
        assert_eq!(on_discord(403, &[], body).verdict, Verdict::Forbidden, "{body}");
    }
    let teams = judged(EndpointKind::TeamsWorkflow, 403, &[], "error code: 1010");
    assert_eq!(teams.verdict, Verdict::Forbidden);
}

#[test]
fn passing_reasons_are_no_refusals() {
    for code in [40004, 40006, 130_000, 20016, 20028] {
        for status in [400, 401, 403, 404, 503] {
            let body = format!(r#"{{"message": "not now", "code": {code}}}"#);
            let judgement = on_discord(status, &[], &body);
            assert_eq!(judgement.verdict, UNAVAILABLE, "{status} {code}");
            assert_eq!(
                error(&judgement),
                format!("{status}: Discord takes no messages for now: not now")
            );
        }
    }
    let body = r#"{"message": "slow mode", "code": 20016, "retry_after": 1.5}"#;
    let wait = Some(Duration::from_millis(1500));
    assert_eq!(on_discord(403, &[], body).verdict, Verdict::Unavailable { wait });
    assert_eq!(wait_of(&[], body), Duration::from_millis(1500));
}

#[test]
fn what_is_about_the_channel_says_what_to_do() {
    for (code, what) in [
        (220_001, "thread_id"),
        (220_002, "thread_name"),
        (220_003, "thread_name"),
        (220_004, "another channel"),
        (50083, "archived"),
        (160_005, "unlock"),
        (50008, "text channel"),
        (50024, "text channel"),
        (50073, "newer version"),
    ] {
        for status in [400, 403] {
            let body = format!(r#"{{"message": "No.", "code": {code}}}"#);
            let judgement = on_discord(status, &[], &body);
            assert_eq!(judgement.verdict, Verdict::Misdirected, "{status} {code}");
            assert!(error(&judgement).contains(what), "{judgement:?}");
            assert!(error(&judgement).ends_with(": No."), "{judgement:?}");
        }
    }
}

#[test]
fn forbidden_and_redirected_are_told_apart_from_gone() {
    let judgement = on_discord(403, &[], r#"{"message": "Missing Permissions", "code": 50013}"#);
    assert_eq!(judgement.verdict, Verdict::Forbidden);
    assert_eq!(error(&judgement), "403 forbidden: Missing Permissions");
    let judgement = on_discord(302, &[], "");
    assert_eq!(judgement.verdict, Verdict::Forbidden);
    assert!(error(&judgement).starts_with("302: the server redirects"));
}

#[test]
fn failures_of_the_server_are_tried_again() {
    for status in [408, 500, 502, 503, 504, 520] {
        assert_eq!(on_discord(status, &[], r#"{"message": "500"}"#).verdict, RETRY);
    }
    let wait = Some(Duration::from_secs(7));
    assert_eq!(
        on_discord(503, &[("retry-after", "7")], "").verdict,
        Verdict::Retry { wait }
    );
}

fn wait_of(headers: &[(&str, &str)], body: &str) -> Duration {
    match on_discord(429, headers, body).verdict {
        Verdict::RateLimited {
            wait,
            scope: RateScope::Webhook,
        } => wait,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_most_exact_time_counts_when_rate_limited() {
    let retry_after = ("retry-after", "2");
    let reset_after = ("x-ratelimit-reset-after", "1.5");
    let body = r#"{"message": "You are being rate limited.", "retry_after": 1.337, "global": false}"#;
    assert_eq!(
        wait_of(&[retry_after, reset_after], body),
        Duration::from_millis(1337)
    );
    assert_eq!(
        wait_of(&[retry_after, reset_after], "{}"),
        Duration::from_millis(1500)
    );
    assert_eq!(wait_of(&[retry_after], "no JSON"), Duration::from_secs(2));
    let judgement = on_discord(429, &[], body);
    assert_eq!(error(&judgement), "429: rate limited, next try in 1.337 s");
}

#[test]
fn a_date_counts_from_the_answers_own_date() {
    let until = ("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT");
    let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_eq!(wait_of(&[until, date], ""), Duration::from_secs(30));
    assert_eq!(wait_of(&[until], ""), Duration::from_secs(10));
    assert_eq!(
        wait_of(&[(until.0, date.1), (date.0, until.1)], ""),
        Duration::from_millis(100)
    );
}

#[test]
fn a_global_limit_stops_all_of_discord() {
    let wait = Duration::from_millis(500);
    let global = Verdict::RateLimited {
        wait,
        scope: RateScope::Discord,
    };
    let body = r#"{"retry_after": 0.5, "global": true}"#;
    assert_eq!(on_discord(429, &[], body).verdict, global);
    let body = r#"{"retry_after": 0.5}"#;
    assert_eq!(
        on_discord(429, &[("x-ratelimit-global", "true")], body).verdict,
        global
    );
    assert_eq!(
        on_discord(429, &[("x-ratelimit-scope", "global")], body).verdict,
        global
    );
    assert_ne!(
        on_discord(429, &[("x-ratelimit-scope", "shared")], body).verdict,
        global
    );
}

#[test]
fn a_ban_at_the_edge_stops_all_of_discord_for_an_hour() {
    let ban = Verdict::RateLimited {
        wait: Duration::from_secs(3600),
        scope: RateScope::Discord,
    };
    let by_text = r#"{"message": "You are being blocked from accessing our API temporarily", "code": 0}"#;
    assert_eq!(on_discord(429, &[("retry-after", "5")], by_text).verdict, ban);
    assert_eq!(on_discord(429, &[], "error code: 1015").verdict, ban);
    assert_ne!(
        on_discord(429, &[("x-ratelimit-limit", "5")], by_text).verdict,
        ban
    );
    assert_eq!(
        wait_of(&[("retry-after", "5")], "slow down"),
        Duration::from_secs(5)
    );
}
