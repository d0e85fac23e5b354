//! The receiver: a process of its own that answers every request at once, counts, and says when what arrived.

use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::{env, thread};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::clock;

/// The argument that makes this program the receiver.
pub const ARGUMENT: &str = "receive";
/// What a message's text has before its number, where arrivals are noted.
pub const MARK: &str = "marked-";

/// With the headers that are judged, as Discord sends them.
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ndate: Mon, 15 Jan 2024 10:30:00 GMT\r\n\
    x-ratelimit-limit: 5\r\nx-ratelimit-remaining: 4\r\nx-ratelimit-reset-after: 0.5\r\ncontent-length: 13\r\n\r\n\
    {\"id\": \"123\"}";

/// Requests so far, and when the first and the last of them came, in nanoseconds of the monotonic clock.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Count {
    pub requests: u64,
    pub first: i64,
    pub last: i64,
}

impl Count {
    /// Requests a second, from the first to the last.
    pub fn rate(&self) -> f64 {
        self.requests.saturating_sub(1) as f64 / self.seconds()
    }

    pub fn seconds(&self) -> f64 {
        (self.last - self.first) as f64 / 1e9
    }
}

/// Its process, which ends with this value.
#[derive(Debug)]
pub struct Receiver {
    process: Child,
    orders: ChildStdin,
    reports: BufReader<ChildStdout>,
    pub port: u16,
}

impl Receiver {
    pub fn start() -> Result<Self> {
        let mut process = Command::new(env::current_exe()?)
            .arg(ARGUMENT)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the receiver")?;
        let orders = process.stdin.take().context("the receiver's input")?;
        let reports = BufReader::new(process.stdout.take().context("the receiver's output")?);
        let mut receiver = Receiver {
            process,
            orders,
            reports,
            port: 0,
        };
        receiver.port = receiver.report()?;
        Ok(receiver)
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// A Discord webhook's URL that leads here.
    pub fn url(&self, number: usize) -> String {
        let token = "aBcDeFgHiJkLmNoPqRsTuVwXyZ0123456789._-aBcDeFgHiJkLmNoPqRsTuVwXyZ01";
        let id = 123_456_789_012_345_000 + number;
        format!("http://127.0.0.1:{}/api/webhooks/{id}/{token}", self.port)
    }

    /// Forgets what came. `noting`: says of each marked message when it came, which costs a search through its text.
    pub fn reset(&mut self, noting: bool) -> Result<()> {
        self.order(if noting { "note" } else { "reset" })
    }

    pub fn count(&mut self) -> Result<Count> {
        self.order("count")
    }

    /// Numbers of marked messages, and when they came.
    pub fn arrivals(&mut self) -> Result<Vec<(usize, i64)>> {
        self.order("arrivals")
    }

    fn order<T: for<'de> Deserialize<'de>>(&mut self, order: &str) -> Result<T> {
        writeln!(self.orders, "{order}")?;
        self.report()
    }

    fn report<T: for<'de> Deserialize<'de>>(&mut self) -> Result<T> {
        let mut line = String::new();
        self.reports.read_line(&mut line)?;
        serde_json::from_str(&line).context("the receiver's report")
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[derive(Debug, Default)]
struct State {
    requests: AtomicU64,
    first: AtomicI64,
    last: AtomicI64,
    noting: AtomicBool,
    arrivals: Mutex<Vec<(usize, i64)>>,
}

impl State {
    fn arrived(&self, request: &[u8]) {
        let now = clock::monotonic();
        if self.requests.fetch_add(1, Relaxed) == 0 {
            self.first.store(now, Relaxed);
        }
        self.last.store(now, Relaxed);
        if self.noting.load(Relaxed) {
            let text = String::from_utf8_lossy(request);
            let marks = text.split(MARK).skip(1).filter_map(number);
            self.lock().extend(marks.map(|number| (number, now)));
        }
    }

    fn reset(&self, noting: bool) {
        self.lock().clear();
        self.requests.store(0, Relaxed);
        self.noting.store(noting, Relaxed);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(usize, i64)>> {
        self.arrivals
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn obey(&self, order: &str, mut report: impl Write) -> Result<()> {
        match order {
            "count" => serde_json::to_writer(
                &mut report,
                &Count {
                    requests: self.requests.load(Relaxed),
                    first: self.first.load(Relaxed),
                    last: self.last.load(Relaxed),
                },
            )?,
            "arrivals" => serde_json::to_writer(&mut report, &*self.lock())?,
            order => {
                self.reset(order == "note");
                report.write_all(b"null")?;
            }
        }
        report.write_all(b"\n")?;
        Ok(report.flush()?)
    }
}

fn number(text: &str) -> Option<usize> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().ok()
}

/// The receiver's own process: says its port, then obeys its standard input until that ends.
pub fn serve() -> Result<()> {
    let state = Arc::new(State::default());
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let mut stdout = io::stdout();
    writeln!(stdout, "{}", listener.local_addr()?.port())?;
    stdout.flush()?;
    let serving = state.clone();
    thread::spawn(move || listen(listener, serving));
    for order in io::stdin().lines() {
        state.obey(&order?, &mut stdout)?;
    }
    Ok(())
}

fn listen(listener: std::net::TcpListener, state: Arc<State>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::from_std(listener)?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::spawn(answer(stream, state.clone()));
        }
    })
}

/// Answers each request as soon as it is complete.
async fn answer(mut stream: TcpStream, state: Arc<State>) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(16 * 1024);
    loop {
        if stream.read_buf(&mut buffer).await? == 0 {
            return Ok(());
        }
        while let Some(length) = request_length(&buffer).filter(|length| *length <= buffer.len()) {
            state.arrived(&buffer[..length]);
            buffer.drain(..length);
            stream.write_all(ANSWER).await?;
        }
    }
}

fn request_length(buffer: &[u8]) -> Option<usize> {
    const LENGTH: &[u8] = b"content-length: ";
    let head = buffer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let at = buffer[..head]
        .windows(LENGTH.len())
        .position(|window| window.eq_ignore_ascii_case(LENGTH))?;
    let digits = &buffer[at + LENGTH.len()..head];
    let end = digits
        .iter()
        .position(|b| !b.is_ascii_digit())
        .unwrap_or(digits.len());
    let length: usize = std::str::from_utf8(&digits[..end]).ok()?.parse().ok()?;
    Some(head + 4 + length)
}
