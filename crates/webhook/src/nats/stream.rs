//! The configuration of a stream, and what is wrong with it for events.

use std::time::Duration;

use serde::Deserialize;

/// The number of bytes of a message in a stream's file besides its subject, headers and data.
const RECORD: u64 = 34;

/// The maximum length of a stream's name, in bytes.
const MAX_NAME: usize = 255;

/// The maximum number of subjects that are kept in memory.
const MOST_SUBJECTS: usize = 100;

/// A stream's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    pub name: Box<str>,
    subjects: Vec<Box<str>>,
    max_msg_size: Option<u64>,
    max_bytes: Option<u64>,
    /// How long a repeated message is recognised; `None`: it is not.
    duplicate_window: Option<Duration>,
    no_ack: bool,
    sealed: bool,
    /// Whether it acknowledges messages before they are written.
    asynchronous: bool,
    in_memory: bool,
    by_interest: bool,
    replicas: u32,
}

#[derive(Deserialize)]
struct Info {
    config: Config,
}

#[derive(Deserialize)]
#[serde(default)]
struct Config {
    name: Box<str>,
    subjects: Vec<Box<str>>,
    max_msg_size: i64,
    max_bytes: i64,
    /// Nanoseconds.
    duplicate_window: u64,
    no_ack: bool,
    sealed: bool,
    persist_mode: Box<str>,
    storage: Box<str>,
    retention: Box<str>,
    num_replicas: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            name: "".into(),
            subjects: Vec::new(),
            max_msg_size: -1,
            max_bytes: -1,
            duplicate_window: 0,
            no_ack: false,
            sealed: false,
            persist_mode: "".into(),
            storage: "file".into(),
            retention: "limits".into(),
            num_replicas: 1,
        }
    }
}

impl Stream {
    /// Whether a text can be a stream's name, which is a token of subjects and is logged.
    pub fn is_name(text: &str) -> bool {
        let is_odd = |c: char| c.is_whitespace() || c.is_control() || ".*>/\\".contains(c);
        (1..=MAX_NAME).contains(&text.len()) && !text.contains(is_odd)
    }

    /// Reads an answer of `$JS.API.STREAM.INFO`; `None`: it is not one.
    pub fn read(answer: &[u8]) -> Option<Self> {
        let Info { config } = serde_json::from_slice(answer).ok()?;
        if !Self::is_name(&config.name) {
            return None;
        }
        let limit = |number: i64| u64::try_from(number).ok().filter(|number| *number > 0);
        Some(Self {
            max_msg_size: limit(config.max_msg_size),
            max_bytes: limit(config.max_bytes),
            duplicate_window: Some(Duration::from_nanos(config.duplicate_window))
                .filter(|window| !window.is_zero()),
            no_ack: config.no_ack,
            sealed: config.sealed,
            asynchronous: &*config.persist_mode == "async",
            in_memory: &*config.storage == "memory",
            by_interest: &*config.retention == "interest",
            replicas: config.num_replicas,
            name: config.name,
            subjects: config.subjects,
        })
    }

    /// Whether it accepts messages with this subject.
    pub fn takes(&self, subject: &str) -> bool {
        self.subjects.iter().any(|filter| matches(filter, subject))
    }

    /// If there are more than a hundred subjects, removes all but one that matches this subject, to save memory.
    pub fn forget_most_subjects(&mut self, subject: &str) {
        if self.subjects.len() > MOST_SUBJECTS {
            self.subjects.retain(|filter| matches(filter, subject));
            self.subjects.truncate(1);
            self.subjects.shrink_to_fit();
        }
    }

    /// Returns why a message of this size can't be sent; `None`: it can. `headers` and `data` are in bytes.
    pub fn refuses(&self, subject: &str, headers: usize, data: usize) -> Option<String> {
        let size = (headers as u64).saturating_add(data as u64);
        if let Some(limit) = self.max_msg_size.filter(|limit| size > *limit) {
            let name = &self.name;
            return Some(format!(
                "the message has {size} bytes, and the stream {name} takes {limit} at most (max_msg_size)"
            ));
        }
        // If the stream discards old messages for new ones, the message would be acknowledged, and all messages be removed, itself included.
        let stored = size.saturating_add(subject.len() as u64).saturating_add(RECORD);
        let limit = self.max_bytes.filter(|limit| stored > *limit)?;
        let name = &self.name;
        Some(format!(
            "the message takes {stored} bytes, and the whole stream {name} has {limit} (max_bytes)"
        ))
    }

    /// Returns why the stream is not fit for events at all; `None`: it is.
    pub fn unfit(&self) -> Option<String> {
        let name = &self.name;
        if self.no_ack {
            return Some(format!(
                "the stream {name} acknowledges nothing (no_ack), so nobody knows what it has"
            ));
        }
        self.sealed.then(|| format!("the stream {name} is sealed"))
    }

    /// Returns what is wrong with the configuration although events can be sent. `longest` is the longest time from one attempt to the next.
    pub fn doubts(&self, longest: Duration) -> Vec<String> {
        let name = &self.name;
        let mut doubts = Vec::new();
        match self.duplicate_window {
            None => doubts.push(format!(
                "the stream {name} knows no repeats (it has no duplicate window): an event whose acknowledgement was lost is there twice"
            )),
            Some(window) if window < longest => doubts.push(format!(
                "the stream {name} knows a repeat for {} (duplicate_window), and the next attempt may come after {}: an event may be there twice",
                seconds(window),
                seconds(longest),
            )),
            Some(_) => {}
        }
        if self.asynchronous {
            doubts.push(format!(
                "the stream {name} acknowledges what it has not written yet (persist_mode async): a crash of its server loses events that are logged as sent"
            ));
        }
        if self.in_memory && self.replicas < 2 {
            doubts.push(format!(
                "the stream {name} is in the memory of one server: a restart loses events that are logged as sent"
            ));
        }
        if self.by_interest {
            doubts.push(format!(
                "the stream {name} keeps what a consumer waits for (retention interest): while there is none, events are logged as sent and kept nowhere"
            ));
        }
        doubts
    }
}

fn seconds(time: Duration) -> String {
    format!("{} s", time.as_secs_f64())
}

/// Matches as the server does: `*` stands for one token, `>` for one or more at the end.
fn matches(filter: &str, subject: &str) -> bool {
    let (mut filter, mut subject) = (filter.split('.'), subject.split('.'));
    loop {
        match (filter.next(), subject.next()) {
            (Some(">"), Some(_)) | (None, None) => return true,
            (Some("*"), Some(_)) => {}
            (Some(wanted), Some(token)) if wanted == token => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const LONGEST: Duration = Duration::from_secs(300);

    /// A good one, with members in place of others.
    fn stream(members: &str) -> Stream {
        let mut config: serde_json::Map<String, serde_json::Value> = serde_json::from_str(
            r#"{"name": "S", "subjects": ["zentry.>"], "discard": "old", "num_replicas": 3, "duplicate_window": 600000000000}"#,
        )
        .unwrap();
        let more = members.trim_start_matches(',');
        config.extend(serde_json::from_str::<serde_json::Map<_, _>>(&format!("{{{more}}}")).unwrap());
        Stream::read(serde_json::json!({ "config": config }).to_string().as_bytes()).unwrap()
    }

    #[test]
    fn subjects_are_matched_as_the_server_does() {
        for (filter, subject, matched) in [
            ("a.b", "a.b", true),
            ("a.b", "a.c", false),
            ("a", "a.b", false),
            ("a.b", "a", false),
            ("a.*", "a.b", true),
            ("a.*", "a.b.c", false),
            ("*.*", "a.b", true),
            ("a.>", "a", false),
            ("a.>", "a.b.c", true),
            (">", "a", true),
        ] {
            assert_eq!(matches(filter, subject), matched, "{filter} {subject}");
        }
        assert!(stream("").takes("zentry.app.task_completed.1"));
        assert!(!stream("").takes("other.app"));
    }

    #[test]
    fn of_many_subjects_one_is_kept() {
        let subjects: Vec<String> = (0..1000).map(|number| format!("zentry.{number}.>")).collect();
        let mut many = stream(&format!(r#""subjects": {}"#, serde_json::json!(subjects)));
        many.forget_most_subjects("zentry.7.a");
        assert!(many.takes("zentry.7.b") && !many.takes("zentry.8.a"));
        assert_eq!(many.subjects.len(), 1);
        let mut few = stream("");
        few.forget_most_subjects("zentry.7.a");
        assert!(few.takes("zentry.8.a"));
    }

    #[test]
    fn a_name_is_one_token() {
        assert!(Stream::is_name("EVENTS_of-app"));
        for odd in ["", "a b", "a\u{7}", "a\u{a0}b", "a.b", "*", ">", "a/b", "a\\b"] {
            assert!(!Stream::is_name(odd), "{odd:?}");
        }
        assert!(Stream::is_name(&"x".repeat(255)) && !Stream::is_name(&"x".repeat(256)));
        let subjects: Vec<String> = (0..100).map(|number| format!("a.{number}")).collect();
        let mut most = stream(&format!(r#""subjects": {}"#, serde_json::json!(subjects)));
        most.forget_most_subjects("a.7");
        assert!(most.takes("a.8"), "so many cost nothing");
    }

    #[test]
    fn what_is_too_large_is_refused() {
        assert_eq!(stream("").refuses("a", 100, usize::MAX / 4), None);
        // The server has no limit of nothing.
        let open = stream(r#", "max_msg_size": 0, "max_bytes": 0"#);
        assert_eq!(open.refuses("a", 100, 900), None);
        let sized = stream(r#", "max_msg_size": 1000"#);
        assert_eq!(sized.refuses("a", 100, 900), None);
        assert!(sized.refuses("a", 100, 901).unwrap().contains("max_msg_size"));
        let small = stream(r#", "max_bytes": 1000"#);
        assert_eq!(small.refuses("abcdef", 60, 900), None);
        assert!(small.refuses("abcdef", 61, 900).unwrap().contains("max_bytes"));
    }

    #[test]
    fn what_is_not_meant_is_said() {
        assert_eq!(stream("").doubts(LONGEST), [""; 0]);
        assert_eq!(stream("").unfit(), None);
        for fine in [
            r#", "storage": "memory", "num_replicas": 2"#,
            r#", "storage": "file", "num_replicas": 1"#,
            r#", "duplicate_window": 300000000000"#,
        ] {
            assert_eq!(stream(fine).doubts(LONGEST), [""; 0], "{fine}");
        }
        for (more, said) in [
            (
                r#", "duplicate_window": 120000000000"#,
                "120 s (duplicate_window)",
            ),
            (r#", "duplicate_window": 0"#, "no duplicate window"),
            (r#", "persist_mode": "async""#, "persist_mode async"),
            (
                r#", "storage": "memory", "num_replicas": 1"#,
                "memory of one server",
            ),
            (r#", "retention": "interest""#, "retention interest"),
        ] {
            let doubts = stream(more).doubts(LONGEST);
            assert!(
                matches!(&doubts[..], [doubt] if doubt.contains(said)),
                "{doubts:?}"
            );
        }
        assert!(stream(r#", "no_ack": true"#).unfit().unwrap().contains("no_ack"));
        assert!(stream(r#", "sealed": true"#).unfit().unwrap().contains("sealed"));
        for no_answer in [
            "",
            "{}",
            r#"{"error": {"code": 404}}"#,
            r#"{"config": {"name": ""}}"#,
            r#"{"config": {"name": "a\r\nPUB b"}}"#,
            &format!(r#"{{"config": {{"name": "{}"}}}}"#, "x".repeat(256)),
        ] {
            assert_eq!(Stream::read(no_answer.as_bytes()), None);
        }
    }
}
