//! What Mattermost's answers mean.

use super::*;

fn mattermost(status: u16, body: &str) -> Judgement {
    judged(EndpointKind::Mattermost, status, &[], body)
}

fn error(id: &str, message: &str) -> String {
    format!(r#"{{"id": "{id}", "message": "{message}", "status_code": 0}}"#)
}

#[test]
fn only_ok_is_a_success() {
    for status in [200, 201] {
        assert_eq!(mattermost(status, " ok\n").verdict, Verdict::Sent);
    }
    for body in ["", "okay", "{}", r#"{"id": "x"}"#] {
        assert_eq!(mattermost(200, body).verdict, UNAVAILABLE, "{body}");
    }
}

/// What another server says has no id of Mattermost's.
#[test]
fn only_its_own_words_say_that_a_webhook_is_gone() {
    for (status, body, verdict, text) in [
        (
            400,
            error("web.incoming_webhook.invalid.app_error", "Invalid webhook."),
            Verdict::Gone,
            "400: the webhook does not exist any more: Invalid webhook.",
        ),
        (
            400,
            error("web.incoming_webhook.text.app_error", "No text specified"),
            REJECTED,
            "400 bad request: No text specified",
        ),
        (
            400,
            "invalid webhook".to_owned(),
            REJECTED,
            "400 bad request: invalid webhook",
        ),
        (
            404,
            error(
                "web.incoming_webhook.channel.app_error",
                "Couldn't find the channel.",
            ),
            Verdict::Gone,
            "404: the webhook or its channel does not exist any more: Couldn't find the channel.",
        ),
        (
            404,
            "no such page".to_owned(),
            UNAVAILABLE,
            "404 with an answer that is not the service's: no such page",
        ),
        (
            403,
            error("web.incoming_webhook.disabled.app_error", "Disabled."),
            Verdict::Forbidden,
            "403 forbidden: Disabled.",
        ),
        (
            410,
            String::new(),
            Verdict::Gone,
            "410: the webhook does not exist any more",
        ),
        (500, String::new(), RETRY, "500: the server failed"),
    ] {
        let judgement = mattermost(status, &body);
        assert_eq!(judgement.verdict, verdict, "{status} {body}");
        assert_eq!(judgement.error.as_deref(), Some(text));
    }
}
