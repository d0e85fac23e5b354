//! The thread that does the HTTP.

use std::collections::HashSet;
use std::io::Read;
use std::os::unix::net::UnixStream;

use webhook::http_thread::{HttpThread, Incoming, Outgoing};
use webhook::way::WayId;

use super::server::{Server, ok, read_request};
use super::*;

struct Fixture {
    thread: HttpThread,
    woken: UnixStream,
    /// The servers live in here.
    runtime: tokio::runtime::Runtime,
}

impl Fixture {
    fn new(client: Client) -> Self {
        let (woken, wake) = UnixStream::pair().unwrap();
        woken.set_read_timeout(Some(GUARD)).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        Self {
            thread: HttpThread::start(client, wake).unwrap(),
            woken,
            runtime,
        }
    }

    fn send(&self, id: u64, server: &Server) {
        let url = local_url(server.address);
        self.thread
            .send(Outgoing {
                headers: webhook::client::Headers::default(),
                message: None,
                id,
                way: WayId::DIRECT,
                kind: EndpointKind::Discord,
                url,
                body: b"{}".to_vec(),
            })
            .unwrap();
    }

    /// Waits to be woken until so many answers are there, as the worker does.
    fn receive(&self, count: usize) -> Vec<Incoming> {
        let mut answers = Vec::new();
        while answers.len() < count {
            let mut woken = &self.woken;
            assert_ne!(woken.read(&mut [0; 16]).unwrap(), 0);
            answers.extend(std::iter::from_fn(|| self.thread.try_recv()));
        }
        answers
    }
}

#[test]
fn each_request_gets_one_answer() {
    let fixture = Fixture::new(local_client());
    let server = fixture.runtime.block_on(Server::answering(ok("1")));
    let mut left: HashSet<u64> = (0..500).collect();
    for batch in 0..5 {
        (batch * 100..batch * 100 + 100).for_each(|id| fixture.send(id, &server));
        for answer in fixture.receive(100) {
            assert!(left.remove(&answer.id));
            assert_eq!(answer.result.unwrap().body, b"1");
            assert_eq!(answer.buffer, b"{}", "the request's, for another one");
        }
    }
    assert!(left.is_empty());
    assert!(fixture.thread.try_recv().is_none());
}

#[test]
fn a_hanging_request_holds_up_no_other() {
    let fixture = Fixture::new(local_client());
    let hanging = fixture.runtime.block_on(hanging_server());
    let server = fixture.runtime.block_on(Server::answering(ok("1")));
    (0..50).for_each(|id| fixture.send(id, &hanging));
    (50..100).for_each(|id| fixture.send(id, &server));
    let answered: HashSet<_> = fixture.receive(50).into_iter().map(|answer| answer.id).collect();
    assert_eq!(answered, (50..100).collect());
}

#[test]
fn dropping_it_ends_hanging_requests() {
    let fixture = Fixture::new(local_client());
    let hanging = fixture.runtime.block_on(hanging_server());
    let (gone_sender, gone) = std::sync::mpsc::channel();
    (0..20).for_each(|id| fixture.send(id, &hanging));
    let Fixture {
        thread,
        mut woken,
        runtime,
    } = fixture;
    std::thread::spawn(move || {
        drop(thread);
        gone_sender.send(()).unwrap();
    });
    gone.recv_timeout(GUARD / 2)
        .expect("it does not wait for the requests");
    // The thread has let go of its end.
    woken.read_to_end(&mut Vec::new()).unwrap();
    drop(runtime);
}

#[test]
fn a_new_client_makes_the_requests_that_follow() {
    let strict = Client::new(&ClientConfig::default()).unwrap();
    let fixture = Fixture::new(strict);
    let server = fixture.runtime.block_on(Server::answering(ok("1")));
    fixture.send(1, &server);
    assert!(matches!(
        fixture.receive(1)[0].result,
        Err(TransportError::Forbidden(_))
    ));
    fixture.thread.reconfigure(local_client()).unwrap();
    fixture.send(2, &server);
    assert_eq!(fixture.receive(1)[0].result.as_ref().unwrap().status, 200);
}

#[test]
fn signals_go_to_none_of_its_threads() {
    let before = signal_mask("self");
    let fixture = Fixture::new(local_client());
    let server = fixture.runtime.block_on(Server::answering(ok("1")));
    // A name, so that a resolver's thread is started too.
    let url = url(&format!("http://localhost:{}{PATH}", server.address.port()));
    fixture
        .thread
        .send(Outgoing {
            headers: webhook::client::Headers::default(),
            message: None,
            id: 1,
            way: WayId::DIRECT,
            kind: EndpointKind::Discord,
            url,
            body: Vec::new(),
        })
        .unwrap();
    fixture.receive(1)[0].result.as_ref().unwrap();

    assert_eq!(signal_mask("self"), before, "the caller's own mask is as it was");
    let signals = [1, 2, 3, 6, 10, 12, 13, 14, 15, 17, 23]; // HUP INT QUIT ABRT USR1 USR2 PIPE ALRM TERM CHLD URG
    let wanted: u64 = signals.iter().map(|signal| 1 << (signal - 1)).sum();
    for name in ["zentry-http", "zentry-resolver"] {
        let masks: Vec<_> = tasks(name).iter().map(|task| signal_mask(task)).collect();
        assert!(!masks.is_empty(), "{name}");
        assert!(
            masks.iter().all(|mask| mask & wanted == wanted),
            "{name}: {masks:x?}"
        );
    }
}

/// Takes requests and never answers.
async fn hanging_server() -> Server {
    Server::start(|mut stream| async move { while read_request(&mut stream).await.is_some() {} }).await
}

/// The ids of this process's threads of that name.
fn tasks(name: &str) -> Vec<String> {
    let id = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.ok()?.path();
        let comm = std::fs::read_to_string(path.join("comm")).ok()?;
        (comm.trim_end() == name).then(|| path.file_name().unwrap().to_str().unwrap().to_owned())
    };
    std::fs::read_dir("/proc/self/task")
        .unwrap()
        .filter_map(id)
        .collect()
}

fn signal_mask(task: &str) -> u64 {
    let path = match task {
        "self" => "/proc/thread-self/status".to_owned(),
        task => format!("/proc/self/task/{task}/status"),
    };
    let status = std::fs::read_to_string(path).unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigBlk:\t"));
    // A thread that has just ended gets no signal either.
    mask.map_or(u64::MAX, |mask| u64::from_str_radix(mask, 16).unwrap())
}
