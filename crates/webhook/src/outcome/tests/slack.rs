//! What Slack's words mean.

use super::*;

fn slack(status: u16, body: &str) -> Judgement {
    judged(EndpointKind::Slack, status, &[], body)
}

#[test]
fn only_ok_is_a_success() {
    assert_eq!(slack(200, "ok").verdict, Verdict::Sent);
    assert_eq!(slack(200, "ok\n").verdict, Verdict::Sent);
    for (status, body) in [(200, ""), (200, "OK then"), (201, "ok"), (204, ""), (202, "{}")] {
        assert_eq!(slack(status, body).verdict, UNAVAILABLE, "{status} {body}");
    }
}

#[test]
fn words_say_what_there_is_no_more() {
    for (status, word, what) in [
        (404, "no_service", "the webhook does not exist any more"),
        (404, "no_service_id", "the webhook does not exist any more"),
        (404, "no_team", "the workspace is closed"),
        (403, "team_disabled", "the workspace is closed"),
        (403, "no_active_hooks", "the webhook does not exist any more"),
        (403, "invalid_token", "the webhook does not exist any more"),
        (404, "channel_not_found", "the channel does not exist any more"),
        (410, "channel_is_archived", "the channel is archived"),
    ] {
        let judgement = slack(status, word);
        assert_eq!(judgement.verdict, Verdict::Gone, "{word}");
        assert_eq!(judgement.error, Some(format!("{status}: {what}: {word}")));
    }
    // Of whatever words.
    let judgement = slack(404, "never heard of it");
    assert_eq!(judgement.verdict, Verdict::Gone);
    let error = "404: the webhook does not exist any more: never heard of it";
    assert_eq!(judgement.error.as_deref(), Some(error));
}

#[test]
fn what_an_administrator_forbids_keeps_the_events() {
    for word in ["action_prohibited", "posting_to_general_channel_denied"] {
        let judgement = slack(403, word);
        assert_eq!(judgement.verdict, Verdict::Misdirected, "{word}");
        let error = judgement.error.unwrap();
        assert!(
            error.starts_with("403: an administrator of Slack") && error.ends_with(word),
            "{error}"
        );
    }
}

#[test]
fn what_passes_is_tried_again_and_what_is_refused_is_not() {
    let judgement = slack(500, "rollup_error");
    assert_eq!(judgement.verdict, RETRY);
    let error = "500: Slack failed: rollup_error";
    assert_eq!(judgement.error.as_deref(), Some(error));
    // Whatever status it has.
    assert_eq!(slack(400, "rollup_error").verdict, RETRY);
    for (status, word, verdict) in [
        (400, "invalid_payload", REJECTED),
        (400, "too_many_attachments", REJECTED),
        (403, "no", Verdict::Forbidden),
        (500, "", RETRY),
    ] {
        assert_eq!(slack(status, word).verdict, verdict, "{status} {word}");
    }
}
