#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;

mod discord;
mod hostile;
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

const RETRY: Verdict = Verdict::Retry { wait: None };
const REJECTED: Verdict = Verdict::Rejected { culprit: None };

#[test]
fn no_answer_is_a_passing_failure() {
    let absent = |error: TransportError| judge(EndpointKind::Discord, &discord_url(), Err(&error));
    for error in [
        TransportError::Timeout(Duration::from_secs(30)),
        TransportError::Resolve("unknown".into()),
        TransportError::Connection("refused".into()),
        TransportError::Tls("expired".into()),
        TransportError::Protocol("no HTTP".into()),
        // A setting forbids it, and settings are mended.
        TransportError::Forbidden("10.0.0.1".into()),
    ] {
        let judgement = absent(error.clone());
        assert_eq!(judgement.verdict, RETRY);
        assert_eq!(
            (judgement.status_code, judgement.body, judgement.pause),
            (None, None, None)
        );
        assert_eq!(judgement.error, Some(error.to_string()));
    }
    let timeout = absent(TransportError::Timeout(Duration::from_secs(30)));
    assert_eq!(timeout.error.as_deref(), Some("no answer within 30s"));
}
