//! The part of NATS' protocol that a publisher needs, with limits for what a server may send.
//!
//! Source: docs.nats.io, "Client Protocol". The usual client (async-nats 0.51) is not used: it reads lines and messages of any length into memory,
//! and panics at some malformed ones, so a hostile server, or whoever is in between, could use up the memory of the database's host.

use std::fmt;
use std::io;

use bytes::{Buf, Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The maximum length of a line, in bytes: a greeting has the addresses of a whole cluster.
const MAX_LINE: usize = 64 * 1024;
/// The maximum length of a message, in bytes, such as the configuration of a stream with thousands of subjects. It is also the default of a server's own limit.
const MAX_MESSAGE: usize = 1024 * 1024;
/// The number of bytes that are read at once.
const CHUNK: usize = 8_192;

/// A connection, encrypted or not.
pub(super) trait Channel: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Channel for T {}

/// A line or message of a server.
#[derive(Debug, PartialEq)]
pub(super) enum Said {
    /// The greeting.
    Info(Info),
    /// A message to a subject.
    Message(Message),
    /// A refusal.
    Error(String),
    Ping,
    Pong,
    /// Anything else, which is ignored.
    Nothing,
}

/// The part of the greeting that is used.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct Info {
    pub tls_required: bool,
    /// The maximum size of a message, in bytes, headers included.
    pub max_payload: usize,
    /// The text that the login has to sign.
    pub nonce: String,
}

#[derive(Debug, PartialEq)]
pub(super) struct Message {
    pub subject: String,
    /// The status in the headers; 503: the subject has no subscriber.
    pub status: Option<u16>,
    pub payload: Bytes,
}

/// The login: the user, and options of the protocol.
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

/// Reads and writes the lines and messages of a connection.
pub(super) struct Wire {
    channel: Box<dyn Channel>,
    read: BytesMut,
    /// The number of bytes that were received.
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

    /// Returns the number of bytes that were received.
    pub(super) fn received(&self) -> u64 {
        self.received
    }

    /// Returns the connection, to continue with TLS.
    ///
    /// # Errors
    /// When more was received than was read, which would be taken as part of the encrypted connection.
    pub(super) fn into_channel(self) -> io::Result<Box<dyn Channel>> {
        if self.read.is_empty() {
            Ok(self.channel)
        } else {
            Err(odd("something before the encryption"))
        }
    }

    /// Returns the next line or message. Nothing is lost if the future is dropped.
    ///
    /// # Errors
    /// At the end of the connection, and for what is not part of the protocol.
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

    /// Writes bytes to the connection.
    ///
    /// # Errors
    /// When the connection has ended.
    pub(super) async fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.channel.write_all(bytes).await?;
        self.channel.flush().await
    }
}

/// Takes the next line or message out of the received bytes; `None`: it is not complete.
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

/// Takes a message: a line `subject sid [reply] [bytes of the headers] bytes`, followed by that many bytes.
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
    // The payload is followed by a line end.
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

/// Returns the status of headers that begin with a line such as `NATS/1.0 503`.
fn status(headers: &[u8]) -> Option<u16> {
    let first = headers.split(|byte| *byte == b'\r').next()?;
    let status = std::str::from_utf8(first).ok()?.strip_prefix("NATS/1.0")?;
    status.split_ascii_whitespace().next()?.parse().ok()
}

/// Returns a message to publish, as it is sent. The names and values of `headers` must have been checked.
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
