//! Each row of Teams' table of answers.

use super::*;

fn connector(status: u16, body: &str) -> Judgement {
    judged(EndpointKind::TeamsConnector, status, &[], body)
}

fn workflow(status: u16, body: &str) -> Judgement {
    judged(EndpointKind::TeamsWorkflow, status, &[], body)
}

fn trap(inner: u16) -> String {
    format!(
        "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error {inner} with \
         ContextId tcid=0,server=x"
    )
}

#[test]
fn only_a_bare_number_is_a_connectors_success() {
    for body in ["1", " 1\r\n", "12"] {
        assert_eq!(connector(200, body).verdict, Verdict::Sent);
    }
    for body in ["", "ok", "1 error", "-1", "1.5", "\u{661}", "{}", "true"] {
        assert_eq!(connector(200, body).verdict, RETRY, "{body}");
    }
}

#[test]
fn the_200_trap_is_judged_by_its_inner_status() {
    for (inner, verdict) in [
        (429, UNAVAILABLE),
        (408, UNAVAILABLE),
        (500, RETRY),
        (503, RETRY),
        (413, REJECTED),
        (400, REJECTED),
        (403, Verdict::Forbidden),
        (404, Verdict::Forbidden),
    ] {
        let judgement = connector(200, &trap(inner));
        assert_eq!(judgement.verdict, verdict, "{inner}");
        let error = judgement.error.unwrap();
        assert!(
            error.starts_with("200 but not delivered: Webhook message delivery failed"),
            "{error}"
        );
        assert!(error.contains(&inner.to_string()), "{error}");
    }
    for odd in [
        "HTTP error ",
        "HTTP error x",
        "HTTP error 99999999999",
        "HTTP error \u{1f600}",
    ] {
        assert_eq!(connector(200, odd).verdict, RETRY, "{odd}");
    }
}

#[test]
fn a_connectors_failures() {
    for (status, body, verdict, text) in [
        (
            400,
            "Summary or Text is required.",
            REJECTED,
            "400 bad request: Summary or Text is required.",
        ),
        (413, "", REJECTED, "413: the message is too large"),
        (
            401,
            "",
            Verdict::Forbidden,
            "401: the URL or its signature is wrong",
        ),
        (403, "no", Verdict::Forbidden, "403 forbidden: no"),
        (404, "", Verdict::Gone, "404: the webhook does not exist any more"),
        (410, "", Verdict::Gone, "410: the webhook does not exist any more"),
        (500, "", RETRY, "500: the server failed"),
        (307, "", Verdict::Forbidden, "307: the server redirects"),
    ] {
        let judgement = connector(status, body);
        assert_eq!(judgement.verdict, verdict, "{status}");
        assert!(
            judgement.error.as_deref().unwrap().starts_with(text),
            "{judgement:?}"
        );
        assert_eq!(judgement.status_code, Some(status));
    }
}

#[test]
fn rate_limits_and_outages_say_how_long() {
    for kind in [EndpointKind::TeamsConnector, EndpointKind::TeamsWorkflow] {
        let wait_of = |status, headers: &[(&str, &str)]| judged(kind, status, headers, "").verdict;
        let limited = |wait| Verdict::RateLimited {
            wait,
            scope: RateScope::Webhook,
        };
        assert_eq!(
            wait_of(429, &[("retry-after", "3")]),
            limited(Duration::from_secs(3))
        );
        assert_eq!(wait_of(429, &[]), limited(Duration::from_secs(10)));
        let wait = Some(Duration::from_secs(3));
        assert_eq!(wait_of(503, &[("retry-after", "3")]), Verdict::Retry { wait });
    }
}

#[test]
fn an_accepted_workflow_message_is_sent() {
    assert_eq!(workflow(202, "").verdict, Verdict::Sent);
    assert_eq!(workflow(200, "what the flow answers").verdict, Verdict::Sent);
    assert_eq!(workflow(200, &trap(429)).verdict, UNAVAILABLE);
}

#[test]
fn a_flow_that_is_off_or_gone_or_closed() {
    let error = |code: &str| format!(r#"{{"error": {{"code": "{code}", "message": "The message."}}}}"#);
    for (status, code, text) in [
        (
            400,
            "WorkflowTriggerIsNotEnabled",
            "400: the flow is switched off; switch it on",
        ),
        (
            404,
            "WorkflowNotFound",
            "404: the webhook does not exist any more: WorkflowNotFound: The message.",
        ),
        (
            401,
            "DirectApiAuthorizationRequired",
            "401: the flow wants a signed-in caller",
        ),
    ] {
        let judgement = workflow(status, &error(code));
        assert_eq!(judgement.verdict, Verdict::Gone, "{code}");
        assert!(
            judgement.error.as_deref().unwrap().starts_with(text),
            "{judgement:?}"
        );
    }
    assert_eq!(workflow(400, &error("InvalidTemplate")).verdict, REJECTED);
    assert_eq!(
        workflow(401, &error("AuthorizationFailed")).verdict,
        Verdict::Forbidden
    );
    assert_eq!(workflow(404, "").verdict, Verdict::Gone);
    assert_eq!(workflow(410, "").verdict, Verdict::Gone);
    assert_eq!(workflow(502, &error("BadGateway")).verdict, RETRY);
}
