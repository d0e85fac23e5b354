//! The protocol of NATS, as far as a publisher needs it, with a bound for all that a server may say.
//!
//! Source: docs.nats.io, "Client Protocol". The usual client (async-nats 0.51) is not used: it reads a line and a message of whatever length into memory,
//! and a few odd bytes end it by a panic, so a server that means harm, or who is in between, could have taken the memory of the database's host.

use std::fmt;
use std::io;

use bytes::{Buf, Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Bytes of a line: a greeting has the addresses of a whole cluster.
const MAX_LINE: usize = 64 * 1024;
/// Bytes of a message: what JetStream says of a stream of thousands of subjects. A server's own limit is this one unless it is told otherwise.
const MAX_MESSAGE: usize = 1024 * 1024;
/// Read at once.
const CHUNK: usize = 8 * 1024;

/// A connection, encrypted or not.
pub(super) trait Channel: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Channel for T {}

/// What a server says.
#[derive(Debug, PartialEq)]
pub(super) enum Said {
    /// Of itself.
    Info(Info),
    /// To a subject.
    Message(Message),
    /// Why it does not do something.
    Error(String),
    Ping,
    Pong,
    /// Nothing that concerns us.
    Nothing,
}

/// The greeting, as far as it matters.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct Info {
    pub tls_required: bool,
    /// Bytes of a message, headers included.
    pub max_payload: usize,
    /// What is to be signed.
    pub nonce: String,
}

#[derive(Debug, PartialEq)]
pub(super) struct Message {
    pub subject: String,
    /// 503: nobody hears what was published.
    pub status: Option<u16>,
    pub payload: Bytes,
}

/// Who logs in, and how it speaks.
#[derive(Default, Serialize)]
pub(super) struct Connect<'a> {
    pub verbose: bool,
    pub pedantic: bool,
    pub tls_required: bool,
    pub name: &'a str,
    pub lang: &'a str,
    pub version: &'a str,
    pub protocol: u8,
    pub echo: bool,
    pub headers: bool,
    pub no_responders: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pass: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwt: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nkey: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sig: Option<String>,
}

/// Lines and messages of a connection.
pub(super) struct Wire {
    channel: Box<dyn Channel>,
    read: BytesMut,
    /// Bytes that have come.
    received: u64,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire")
            .field("received", &self.received)
            .finish_non_exhaustive()
    }
}

impl Wire {
    pub(super) fn new(channel: Box<dyn Channel>) -> Self {
        Self {
            channel,
            read: BytesMut::new(),
            received: 0,
        }
    }

    /// Bytes that have come so far.
    pub(super) fn received(&self) -> u64 {
        self.received
    }

    /// The connection itself, to go on encrypted.
    ///
    /// # Errors
    /// When more has come than was read: it would be taken for what comes encrypted.
    pub(super) fn into_channel(self) -> io::Result<Box<dyn Channel>> {
        if self.read.is_empty() {
            Ok(self.channel)
        } else {
            Err(odd("something before the encryption"))
        }
    }

    /// The next thing that is said. Whoever stops waiting loses nothing.
    ///
    /// # Errors
    /// At the end of the connection, and for what no server says.
    pub(super) async fn hear(&mut self) -> io::Result<Said> {
        loop {
            if let Some(said) = parse(&mut self.read)? {
                return Ok(said);
            }
            self.read.reserve(CHUNK);
            let count = self.channel.read_buf(&mut self.read).await?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.received = self.received.saturating_add(count as u64);
        }
    }

    /// # Errors
    /// When the connection does not take it.
    pub(super) async fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.channel.write_all(bytes).await?;
        self.channel.flush().await
    }
}

/// Takes the next thing that is said out of what has come; None: it is not all there.
fn parse(read: &mut BytesMut) -> io::Result<Option<Said>> {
    let end = read.iter().take(MAX_LINE + 1).position(|byte| *byte == b'\n');
    let Some(end) = end else {
        return match read.len() {
            0..=MAX_LINE => Ok(None),
            _ => Err(odd("a line that is too long")),
        };
    };
    let line = String::from_utf8_lossy(&read[..end]).into_owned();
    let (verb, rest) = line
        .trim_end()
        .split_once([' ', '\t'])
        .unwrap_or((line.trim_end(), ""));
    let said = match &*verb.to_ascii_uppercase() {
        "MSG" => return message(read, end, rest, false),
        "HMSG" => return message(read, end, rest, true),
        "INFO" => Said::Info(serde_json::from_str(rest).map_err(|_| odd("a greeting that is none"))?),
        "-ERR" => Said::Error(rest.trim().trim_matches('\'').to_owned()),
        "PING" => Said::Ping,
        "PONG" => Said::Pong,
        "+OK" => Said::Nothing,
        _ => return Err(odd("what no server of NATS says")),
    };
    read.advance(end + 1);
    Ok(Some(said))
}

/// `subject sid [reply] [bytes of the headers] bytes`, and behind the line as many bytes.
fn message(read: &mut BytesMut, end: usize, line: &str, has_headers: bool) -> io::Result<Option<Said>> {
    let bad = || odd("a message that is none");
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let number = |text: &&str| text.parse::<usize>().ok().filter(|number| *number <= MAX_MESSAGE);
    let (subject, sizes) = match (&words[..], has_headers) {
        ([subject, _, size] | [subject, _, _, size], false) => (*subject, (Some(0), number(size))),
        ([subject, _, head, size] | [subject, _, _, head, size], true) => {
            (*subject, (number(head), number(size)))
        }
        _ => return Err(bad()),
    };
    let (Some(head), Some(size)) = sizes else {
        return Err(odd("a message that is too large"));
    };
    if head > size {
        return Err(bad());
    }
    let begin = end + 1;
    // Behind it is the end of a line.
    if read.len() < begin + size + 2 {
        return Ok(None);
    }
    let status = status(&read[begin..begin + head]);
    let subject = subject.to_owned();
    read.advance(begin + head);
    let payload = read.split_to(size - head).freeze();
    read.advance(2);
    Ok(Some(Said::Message(Message {
        subject,
        status,
        payload,
    })))
}

/// `NATS/1.0 503`
fn status(headers: &[u8]) -> Option<u16> {
    let first = headers.split(|byte| *byte == b'\r').next()?;
    let status = std::str::from_utf8(first).ok()?.strip_prefix("NATS/1.0")?;
    status.split_ascii_whitespace().next()?.parse().ok()
}

/// What is published, as it is sent; `headers` are names and values that were checked.
pub(super) fn publish(subject: &str, reply: &str, headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
    let mut head = String::new();
    if !headers.is_empty() {
        head.push_str("NATS/1.0\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
    }
    let size = head.len() + payload.len();
    let line = match head.len() {
        0 => format!("PUB {subject} {reply} {size}\r\n"),
        length => format!("HPUB {subject} {reply} {length} {size}\r\n"),
    };
    [line.as_bytes(), head.as_bytes(), payload, b"\r\n"].concat()
}

fn odd(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the server sent {what}"))
}

#[cfg(test)]
mod tests;
