//! A server that speaks the protocol of NATS as far as it likes, and says again whatever it is told.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use anyhow::Result;

/// What it does to who logs in, and to what is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// A stream takes all, whose name is what the client was let in by.
    NamedAfterThePassword,
    /// Who may log in is another matter.
    RefusesLogin,
    /// The login is refused, in words of its own.
    CannotLogIn,
    /// Nothing may be published.
    Denies,
    /// What answers is no stream.
    Answers,
    /// A stream refuses, and says why.
    Refuses,
    /// The connection ends.
    Leaves,
    /// These bytes come in place of a greeting, again and again.
    Says(&'static [u8]),
    /// These bytes come once it has let the client in, again and again.
    SaysLater(&'static [u8]),
}

/// What it says again and again, at most: a client that takes all of it into memory is seen.
const MOST: usize = 256 * 1024 * 1024;

pub struct RawNats {
    pub port: u16,
}

impl RawNats {
    pub fn start(manner: Manner) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        // Ends with the test's process.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // An error: the client has hung up.
                thread::spawn(move || drop(serve(&stream, manner)));
            }
        });
        Ok(Self { port })
    }

    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn url(&self) -> String {
        format!("nats://{}", self.host())
    }
}

fn serve(mut stream: &TcpStream, manner: Manner) -> std::io::Result<()> {
    if let Manner::Says(bytes) = manner {
        return repeat(stream, bytes);
    }
    stream.write_all(b"INFO {\"server_id\":\"x\",\"server_name\":\"x\",\"version\":\"2.10.0\",\"proto\":1,\"host\":\"x\",\"port\":1,\"headers\":true,\"max_payload\":1048576,\"nonce\":\"abcdefgh\"}\r\n")?;
    let mut reader = BufReader::new(stream);
    let (mut told, mut sid) = (String::new(), "1".to_owned());
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["CONNECT", ..] => told = line["CONNECT ".len()..].trim().to_owned(),
            ["PING"] => match manner {
                Manner::RefusesLogin => {
                    return stream.write_all(b"-ERR 'Authorization Violation'\r\n");
                }
                Manner::CannotLogIn => {
                    return stream.write_all(format!("-ERR 'no place for {told}'\r\n").as_bytes());
                }
                _ => stream.write_all(b"PONG\r\n")?,
            },
            ["SUB", _, number] => sid = number.to_owned(),
            ["PUB", subject, reply, size] | ["HPUB", subject, reply, _, size] => {
                let mut payload = vec![0; size.parse::<usize>().unwrap_or(0) + 2];
                reader.read_exact(&mut payload)?;
                let asks = subject.starts_with("$JS.API.STREAM.");
                let answer = match manner {
                    Manner::Leaves => return Ok(()),
                    Manner::SaysLater(bytes) => return repeat(stream, bytes),
                    Manner::Denies => {
                        let error = format!(
                            "-ERR 'Permissions Violation for Publish to \"{subject}\" by {told}'\r\n"
                        );
                        stream.write_all(error.as_bytes())?;
                        continue;
                    }
                    Manner::NamedAfterThePassword if asks => stream_of(subject, &told),
                    Manner::NamedAfterThePassword => "{\"stream\": \"S\", \"seq\": 1}".to_owned(),
                    _ if asks => "{\"streams\": null}".to_owned(),
                    Manner::Refuses => {
                        serde_json::json!({ "error": { "code": 400, "err_code": 1, "description": told } })
                            .to_string()
                    }
                    _ => told.clone(),
                };
                let head = format!("MSG {reply} {sid} {}\r\n", answer.len());
                stream.write_all([head.as_bytes(), answer.as_bytes(), b"\r\n"].concat().as_slice())?;
            }
            _ => {}
        }
    }
}

/// Until the client hangs up.
fn repeat(mut stream: &TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    for _ in 0..MOST / bytes.len() {
        stream.write_all(bytes)?;
    }
    stream.read_to_end(&mut Vec::new()).map(drop)
}

/// A stream of everything, which is not as it should be.
fn stream_of(subject: &str, told: &str) -> String {
    let told: serde_json::Value = serde_json::from_str(told).unwrap_or_default();
    let secrets = ["pass", "auth_token", "jwt"].map(|key| told[key].as_str().unwrap_or_default());
    let name = secrets.concat();
    match subject.ends_with("NAMES") {
        true => serde_json::json!({ "streams": [name] }).to_string(),
        false => serde_json::json!({ "config": { "name": name, "subjects": [">"], "duplicate_window": 1 } })
            .to_string(),
    }
}
