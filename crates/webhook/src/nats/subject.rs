//! Subjects and ids of messages.

use std::fmt::Write as _;

use crate::event::Event;
use crate::thread::ThreadBy;

/// The prefix of subjects, unless the URL has one.
pub const PREFIX: &str = "zentry";
/// The maximum length of a prefix, in characters.
pub const MAX_PREFIX: usize = 100;

/// The token of an event that does not belong to a project. (A project's is a number.)
const NO_PROJECT: &str = "none";

/// Whether a text can be a prefix of subjects: tokens of letters, digits, hyphens and underscores, separated by dots. (The server's own subjects begin
/// with `$`, and those of answers with `_`.)
pub fn is_prefix(text: &str) -> bool {
    let is_token = |token: &str| !token.is_empty() && token.bytes().all(is_plain);
    text.len() <= MAX_PREFIX && !text.starts_with('_') && text.split('.').all(is_token)
}

/// The database that events come from. Several databases may publish to the same stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The server's, which its standbys and copies of its data directory have too.
    pub system_identifier: u64,
    pub database: Box<str>,
}

/// The subject and the id of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    pub subject: Box<str>,
    /// The id, which is the same for each attempt, and different for each event.
    pub message_id: Box<str>,
}

impl Publication {
    /// Returns those of an event; without `event_id`, of a test message. The event's time is part of the id, because ids begin at 1 again if the
    /// extension is created anew, and a copy of a server continues with the same ids.
    pub fn new(origin: &Origin, prefix: &str, event: &Event, event_id: Option<i64>) -> Self {
        let database = token(&origin.database);
        let event_type = token(&event.event_type);
        let project = ThreadBy::Project.id(&event.parse());
        let project = project.map_or_else(|| NO_PROJECT.to_owned(), |id| token(&id));
        let system = origin.system_identifier;
        let moment = event.occurred_at.as_microsecond();
        let event_id = event_id.map_or_else(|| "test".to_owned(), |id| id.to_string());
        Self {
            subject: format!("{prefix}.{database}.{event_type}.{project}").into(),
            message_id: format!("{system}.{database}.{event_id}.{moment}").into(),
        }
    }

    /// Returns the size, in bytes, of the header with the id as it is sent.
    pub fn header_size(&self) -> usize {
        const AROUND: usize = "NATS/1.0\r\n: \r\n\r\n".len();
        AROUND + super::MESSAGE_ID.len() + self.message_id.len()
    }
}

const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

/// Returns a text as one token of a subject, different for each text. A byte that is not an ASCII letter, digit, hyphen or underscore is written as `%`
/// and two hexadecimal digits, and an empty text as `%`.
fn token(text: &str) -> String {
    if text.is_empty() {
        return "%".to_owned();
    }
    let mut token = String::with_capacity(text.len());
    for byte in text.bytes() {
        if is_plain(byte) {
            token.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(token, "%{byte:02X}");
        }
    }
    token
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;

    fn event(event_type: &str, data: &str) -> Event {
        Event {
            event_type: event_type.into(),
            data: data.into(),
            occurred_at: Timestamp::from_microsecond(1_700_000_000_123_456).unwrap(),
            traceparent: None,
        }
    }

    fn origin(database: &str) -> Origin {
        Origin {
            system_identifier: 7_300_000_000_000_000_001,
            database: database.into(),
        }
    }

    /// What the token was made of.
    fn read(token: &str) -> String {
        match token {
            "%" => String::new(),
            _ => percent_encoding::percent_decode_str(token)
                .decode_utf8()
                .unwrap()
                .into_owned(),
        }
    }

    #[test]
    fn an_event_has_its_subject() {
        let of = |database: &str, event: &Event| Publication::new(&origin(database), PREFIX, event, Some(7));
        let task = event("task_completed", r#"{"project_id": 12}"#);
        let publication = of("app", &task);
        assert_eq!(&*publication.subject, "zentry.app.task_completed.12");
        assert_eq!(
            &*publication.message_id,
            "7300000000000000001.app.7.1700000000123456"
        );
        assert_eq!(
            publication.header_size(),
            "NATS/1.0\r\nNats-Msg-Id: 7300000000000000001.app.7.1700000000123456\r\n\r\n".len()
        );
        let none = of("app", &event("badge_earned", "{}"));
        assert_eq!(&*none.subject, "zentry.app.badge_earned.none");
        let odd = of("My app.*>", &event("é", r#"{"project_id": "a.b"}"#));
        assert_eq!(&*odd.subject, "zentry.My%20app%2E%2A%3E.%C3%A9.a%2Eb");
        let test = Publication::new(&origin("app"), "acme.zentry", &event("test", "{}"), None);
        assert_eq!(&*test.subject, "acme.zentry.app.test.none");
        assert_eq!(&*test.message_id, "7300000000000000001.app.test.1700000000123456");
    }

    #[test]
    fn two_events_have_two_ids() {
        let one = event("a", "{}");
        let mut later = one.clone();
        later.occurred_at = Timestamp::from_microsecond(1_700_000_000_123_457).unwrap();
        let id =
            |origin: &Origin, event: &Event, id| Publication::new(origin, PREFIX, event, Some(id)).message_id;
        let first = id(&origin("app"), &one, 7);
        let elsewhere = Origin {
            system_identifier: 1,
            ..origin("app")
        };
        for other in [
            id(&origin("app"), &one, 8),
            id(&origin("app2"), &one, 7),
            id(&elsewhere, &one, 7),
            id(&origin("app"), &later, 7),
        ] {
            assert_ne!(other, first);
        }
    }

    #[test]
    fn prefixes_are_tokens() {
        for prefix in ["zentry", "acme.zentry", "A-1_b.c", &"a".repeat(MAX_PREFIX)] {
            assert!(is_prefix(prefix), "{prefix}");
        }
        for text in [
            "",
            ".",
            "a.",
            ".a",
            "a..b",
            "a b",
            "a.*",
            "a.>",
            "$SYS",
            "_INBOX",
            "a/b",
            "é",
            "a%20",
            &"a".repeat(MAX_PREFIX + 1),
        ] {
            assert!(!is_prefix(text), "{text}");
        }
    }

    proptest! {
        /// Whatever names are, a subject has four tokens that say which names they were, and nothing that a server or a line of the protocol reads.
        #[test]
        fn names_are_in_their_tokens(database in any::<String>(), event_type in any::<String>(), project in any::<Option<String>>()) {
            let data = serde_json::json!({ "project_id": project }).to_string();
            let publication = Publication::new(&origin(&database), PREFIX, &event(&event_type, &data), Some(1));
            let tokens: Vec<&str> = publication.subject.split('.').collect();
            prop_assert_eq!(tokens.len(), 4);
            prop_assert_eq!(read(tokens[1]), database);
            prop_assert_eq!(read(tokens[2]), event_type);
            for text in [&publication.subject, &publication.message_id] {
                prop_assert!(text.bytes().all(|byte| is_plain(byte) || b"%.".contains(&byte)), "{}", text);
            }
            prop_assert!(tokens.iter().all(|token| !token.is_empty()));
        }

        #[test]
        fn tokens_can_be_read(text in any::<String>()) {
            prop_assert_eq!(read(&token(&text)), text);
        }
    }
}
