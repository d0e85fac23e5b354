//! How many requests a second the HTTP thread makes, and what processor time each costs: 100 in flight, over
//! connections that are kept, against a responder that does as little as possible on a thread of its own.
//!
//! On two busy cores (AMD EPYC, virtual) 24 to 30 us of the HTTP thread, 4 of the caller's and 9 of the responder's.
//! hyper-util's client without reqwest around it costs 17 to 20 in place of the 24 to 30: less than what 25,000 requests
//! a second leave (80 us on two cores), so reqwest stays.
//!
//! `cargo bench -p zentry-webhook --bench http_thread -- [requests]`

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::io::{self, Read};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use webhook::client::{Client, ClientConfig};
use webhook::endpoint::{EndpointKind, SecretUrl};
use webhook::http_thread::{HttpThread, Outgoing};
use webhook::way::WayId;

const IN_FLIGHT: u64 = 100;
const ROUNDS: usize = 5;
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ndate: Mon, 15 Jan 2024 10:30:00 GMT\r\n\
    x-ratelimit-limit: 5\r\nx-ratelimit-remaining: 4\r\nx-ratelimit-reset-after: 0.5\r\ncontent-length: 13\r\n\r\n\
    {\"id\": \"123\"}";

fn main() {
    let requests = std::env::args()
        .filter_map(|argument| argument.parse().ok())
        .next()
        .unwrap_or(100_000);
    let address = start_responder();
    let config = ClientConfig {
        allow_private_addresses: true,
        ..ClientConfig::default()
    };
    let started = Instant::now();
    let client = Client::new(&config).unwrap();
    println!("making a client: {:.1} ms", started.elapsed().as_secs_f64() * 1e3);
    let (woken, wake) = UnixStream::pair().unwrap();
    let thread = HttpThread::start(client, wake).unwrap();
    let urls: Vec<_> = (0..IN_FLIGHT).map(|id| url(address, id)).collect();
    for _ in 0..ROUNDS {
        let round = Round {
            thread: &thread,
            woken: &woken,
            urls: &urls,
        };
        let before = Cpu::now();
        let started = Instant::now();
        let wakes = round.run(requests);
        let elapsed = started.elapsed();
        let cpu = Cpu::now().since(&before);
        println!(
            "{:>7.0} requests/s, {:.1} us of the HTTP thread each, {:.1} us of this one, {:.1} us of the responder, \
             {:.2} wake-ups",
            requests as f64 / elapsed.as_secs_f64(),
            per_request(cpu.http, requests),
            per_request(cpu.main, requests),
            per_request(cpu.responder, requests),
            wakes as f64 / requests as f64,
        );
    }
}

fn per_request(time: Duration, requests: u64) -> f64 {
    time.as_secs_f64() * 1e6 / requests as f64
}

fn url(address: SocketAddr, id: u64) -> SecretUrl {
    let token = "aBcDeFgHiJkLmNoPqRsTuVwXyZ0123456789._-aBcDeFgHiJkLmNoPqRsTuVwXyZ01";
    let id = 123_456_789_012_345_000 + id;
    let url = format!("http://{address}/api/v10/webhooks/{id}/{token}?wait=true");
    SecretUrl::new(url.parse().unwrap())
}

struct Round<'a> {
    thread: &'a HttpThread,
    woken: &'a UnixStream,
    urls: &'a [SecretUrl],
}

impl Round<'_> {
    /// Keeps all queues busy until so many requests are answered; returns how often it was woken.
    fn run(&self, requests: u64) -> u64 {
        let mut wakes = 0;
        let mut sent = IN_FLIGHT.min(requests);
        (0..sent).for_each(|queue| self.send(queue));
        let mut answered = 0;
        while answered < requests {
            let mut woken = self.woken;
            let _ = woken.read(&mut [0; 64]).unwrap();
            wakes += 1;
            while let Some(answer) = self.thread.try_recv() {
                assert_eq!(answer.result.unwrap().status, 200);
                answered += 1;
                if sent < requests {
                    self.send(answer.id);
                    sent += 1;
                }
            }
        }
        wakes
    }

    fn send(&self, queue: u64) {
        let url = self.urls[queue as usize].clone();
        // About what a message with one embed has.
        let body = vec![b'x'; 600];
        self.thread
            .send(Outgoing {
                headers: webhook::client::Headers::default(),
                message: None,
                id: queue,
                way: WayId::DIRECT,
                kind: EndpointKind::Discord,
                url,
                body,
            })
            .unwrap();
    }
}

fn start_responder() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let respond = move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .unwrap();
        runtime.block_on(async {
            let listener = TcpListener::from_std(listener).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                tokio::spawn(respond(stream));
            }
        })
    };
    std::thread::Builder::new()
        .name("responder".into())
        .spawn(respond)
        .unwrap();
    address
}

/// Answers each request as soon as it is complete.
async fn respond(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(4096);
    loop {
        if stream.read_buf(&mut buffer).await? == 0 {
            return Ok(());
        }
        while let Some(length) = request_length(&buffer).filter(|length| *length <= buffer.len()) {
            buffer.drain(..length);
            stream.write_all(ANSWER).await?;
        }
    }
}

fn request_length(buffer: &[u8]) -> Option<usize> {
    let head = buffer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let text = std::str::from_utf8(&buffer[..head]).ok()?.to_ascii_lowercase();
    let length = text
        .split("content-length: ")
        .nth(1)?
        .lines()
        .next()?
        .parse::<usize>()
        .ok()?;
    Some(head + 4 + length)
}

/// Processor time of each thread so far.
struct Cpu {
    main: Duration,
    http: Duration,
    responder: Duration,
}

impl Cpu {
    fn now() -> Self {
        Self {
            main: thread_time("http_thread"),
            http: thread_time("zentry-http"),
            responder: thread_time("responder"),
        }
    }

    fn since(&self, before: &Self) -> Self {
        Self {
            main: self.main - before.main,
            http: self.http - before.http,
            responder: self.responder - before.responder,
        }
    }
}

/// From `/proc/self/task/*/schedstat`, whose first number is nanoseconds on a processor.
fn thread_time(name: &str) -> Duration {
    let time = |task: io::Result<std::fs::DirEntry>| {
        let path = task.ok()?.path();
        let comm = std::fs::read_to_string(path.join("comm")).ok()?;
        let stat = std::fs::read_to_string(path.join("schedstat")).ok()?;
        comm.starts_with(name)
            .then(|| stat.split(' ').next()?.parse().ok().map(Duration::from_nanos))?
    };
    std::fs::read_dir("/proc/self/task")
        .unwrap()
        .filter_map(time)
        .sum()
}
