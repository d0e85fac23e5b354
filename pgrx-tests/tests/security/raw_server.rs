//! A server of bytes, for answers that no proper one would give.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use anyhow::Result;

/// Writes an answer; an error means that the client has hung up.
pub type Answer = Box<dyn Fn(&mut TcpStream) -> std::io::Result<()> + Send + Sync>;

/// A Discord webhook's token has to be as long as Discord's.
const PADDING: &str = "_padding_to_the_length_of_a_token_of_discord_which_is_68_characters";

/// Answers each request by its path: `/api/webhooks/<id>/<name><padding>` with the answer of that name.
pub struct RawServer {
    pub port: u16,
}

impl RawServer {
    pub fn start(answers: Vec<(&'static str, Answer)>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let answers = Arc::new(answers);
        // Ends with the test's process.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let answers = answers.clone();
                thread::spawn(move || serve(stream, &answers));
            }
        });
        Ok(Self { port })
    }

    pub fn url(&self, name: &str) -> String {
        format!(
            "http://127.0.0.1:{}/api/webhooks/123456789012345678/{name}{PADDING}",
            self.port
        )
    }
}

fn serve(mut stream: TcpStream, answers: &[(&'static str, Answer)]) {
    while let Ok(Some(path)) = read_request(&stream) {
        let answer = answers
            .iter()
            .find(|(name, _)| path.contains(&format!("/{name}_padding")));
        let (_, answer) = answer.unwrap_or_else(|| panic!("no answer for {path}"));
        if answer(&mut stream).is_err() {
            return;
        }
    }
}

/// The path of the next request; `None` at the end.
fn read_request(stream: &TcpStream) -> std::io::Result<Option<String>> {
    let mut reader = BufReader::new(stream);
    let (mut first, mut length) = (String::new(), 0);
    if reader.read_line(&mut first)? == 0 {
        return Ok(None);
    }
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    reader.read_exact(&mut vec![0; length])?;
    Ok(Some(first.split(' ').nth(1).unwrap_or_default().to_owned()))
}

/// Exactly these bytes, as a whole answer or what should pass for one.
pub fn bytes(bytes: impl Into<Vec<u8>>) -> Answer {
    let bytes = bytes.into();
    Box::new(move |stream| stream.write_all(&bytes))
}

/// A proper head, and this body.
pub fn answer(status: u16, headers: &str, body: &[u8]) -> Answer {
    let head = format!(
        "HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\n\r\n",
        body.len()
    );
    bytes([head.as_bytes(), body].concat())
}

/// `start`, and then `piece` for ever, with a pause after each.
pub fn endless(start: &'static str, piece: Vec<u8>, pause: std::time::Duration) -> Answer {
    Box::new(move |stream| {
        stream.write_all(start.as_bytes())?;
        loop {
            stream.write_all(&piece)?;
            thread::sleep(pause);
        }
    })
}
