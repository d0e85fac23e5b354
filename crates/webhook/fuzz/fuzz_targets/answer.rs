//! Whatever a server answers: bounded waits, bounded text that PostgreSQL can store, and no secret in it.

#![no_main]

use std::time::Duration;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use url::Url;
use webhook::endpoint::{EndpointKind, SecretUrl};
use webhook::outcome::{Answer, JUDGED_HEADERS, Verdict, judge};

const TOKEN: &str = "MARKEDSECRET_0123456789";
const DAY: Duration = Duration::from_secs(24 * 3600);

#[derive(Arbitrary, Debug)]
struct Input {
    kind: u8,
    status: u16,
    headers: Vec<(u8, String)>,
    body: Vec<Piece>,
}

#[derive(Arbitrary, Debug)]
enum Piece {
    Bytes(Vec<u8>),
    Text(String),
    Token,
    /// What is repeated reaches the limits of what is stored.
    Often(String, u16),
}

fuzz_target!(|input: Input| {
    let url = Url::parse(&format!(
        "https://discord.com/api/v10/webhooks/123456789012345678/{TOKEN}?wait=true"
    ));
    let url = SecretUrl::new(url.expect("a URL"));
    let kinds = [
        EndpointKind::Discord,
        EndpointKind::TeamsConnector,
        EndpointKind::TeamsWorkflow,
    ];
    let kind = kinds[usize::from(input.kind) % kinds.len()];
    let mut body = Vec::new();
    for piece in input.body {
        match piece {
            Piece::Bytes(bytes) => body.extend(bytes),
            Piece::Text(text) => body.extend(text.into_bytes()),
            Piece::Token => body.extend(TOKEN.bytes()),
            Piece::Often(text, times) => {
                let most = 4096 / text.len().max(1);
                body.extend(text.repeat(usize::from(times).min(most)).into_bytes());
            }
        }
    }
    let answer = Answer {
        status: input.status,
        headers: input
            .headers
            .into_iter()
            .map(|(name, value)| {
                (
                    JUDGED_HEADERS[usize::from(name) % JUDGED_HEADERS.len()].into(),
                    value.into(),
                )
            })
            .collect(),
        body,
    };
    // The fuzzer may have written the beginning of a token by itself.
    let sent: String = String::from_utf8_lossy(&answer.body).replace(TOKEN, "");
    let has_parts = sent.contains(&TOKEN[..8])
        || answer
            .headers
            .iter()
            .any(|(_, value)| value.contains(&TOKEN[..8]));
    let judgement = judge(kind, &url, Ok(&answer));
    assert_eq!(judgement, judge(kind, &url, Ok(&answer)));
    assert_eq!(judgement.status_code, Some(answer.status));
    assert_eq!(judgement.error.is_none(), judgement.verdict == Verdict::Sent);
    assert!(judgement.pause.unwrap_or_default() <= DAY);
    match judgement.verdict {
        Verdict::RateLimited { wait, .. } => assert!(wait > Duration::ZERO && wait <= DAY),
        Verdict::Retry { wait } => assert!(wait.unwrap_or_default() <= DAY),
        Verdict::Rejected { culprit } => assert!(culprit.is_none_or(|culprit| culprit < 10)),
        Verdict::Sent => assert!((200..300).contains(&answer.status)),
        Verdict::Forbidden => assert!((300..500).contains(&answer.status)),
        Verdict::Gone => assert!((400..500).contains(&answer.status)),
    }
    for text in [&judgement.body, &judgement.error].into_iter().flatten() {
        assert!(text.chars().count() <= 1000);
        assert!(!text.contains('\0'));
        assert!(!text.contains(TOKEN));
        // Not even the beginning of one, where the text was cut.
        assert!(has_parts || !text.contains(&TOKEN[..8]), "{text}");
    }
    let whole = String::from_utf8_lossy(&answer.body);
    let redacted = url.redact(&whole);
    assert_eq!(url.redact(&redacted), redacted, "redacting again changes nothing");
    assert!(!judgement.error.unwrap_or_default().contains(char::is_control));
});
