//! A thread that does the HTTP, so that the thread that talks to Postgres never waits for a server.

use std::io::{self, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self as answers, Receiver};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use nix::sys::signal::{SigSet, SigmaskHow};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::mpsc as orders;

use crate::client::{Client, Headers};
use crate::endpoint::{EndpointKind, SecretUrl};
use crate::nats::Message;
use crate::outcome::{Answer, TransportError};

/// `getaddrinfo` can hang for many seconds: so many names can hang before others have to wait.
const MAX_RESOLVING: usize = 32;
/// Resolver threads leave soon: new connections come in bursts.
const RESOLVER_KEEP_ALIVE: Duration = Duration::from_secs(5);
/// Orders taken at a time.
const BATCH: usize = 128;
/// How long an answer may wait for company. While many requests are in flight, who asked for them is woken when half of them
/// are answered: to record each batch costs it a commit, whose wait for the disk is longer than this.
const HOLD: Duration = Duration::from_millis(1);

/// A request to be made. `id` comes back with the answer.
#[derive(Debug)]
pub struct Outgoing {
    pub id: u64,
    pub kind: EndpointKind,
    pub url: SecretUrl,
    pub headers: Headers,
    /// What is published to a stream, and not posted, has this.
    pub message: Option<Message>,
    pub body: Vec<u8>,
}

/// What became of the request with this `id`, and how long it took.
#[derive(Debug)]
pub struct Incoming {
    pub id: u64,
    pub result: Result<Answer, TransportError>,
    pub elapsed: Duration,
    /// The buffer of the request's body, for another one: memory that one thread takes and another one frees makes both
    /// wait for the allocator. Empty when the client still has it.
    pub buffer: Vec<u8>,
}

/// The thread has ended, which it does only if it is broken; start another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the HTTP thread has ended")]
pub struct Stopped;

#[derive(Debug)]
enum Order {
    Send(Outgoing),
    Use(Client),
}

/// A thread with a client. Each request that is sent gets exactly one answer, in any order, unless the handle is
/// dropped before: that ends the thread at once, requests in flight included. How many are in flight at once is the
/// caller's to bound.
///
/// All signals are blocked in the thread and in those that it starts, so that the process's handlers run where they
/// always did.
#[derive(Debug)]
pub struct HttpThread {
    /// None once the thread is told to end.
    orders: Option<orders::UnboundedSender<Order>>,
    answers: Receiver<Incoming>,
    reporter: Arc<Reporter>,
    thread: Option<JoinHandle<()>>,
}

impl HttpThread {
    /// Starts the thread. A byte is written to `wake` when answers are there after [`try_recv`](Self::try_recv) had none: as
    /// soon as they are as many as the requests still in flight, and at most a moment later. Wait for the other end to be
    /// readable, empty it, then call `try_recv` until it has none.
    ///
    /// # Errors
    /// When the system has no thread or file descriptor left.
    pub fn start(client: Client, wake: UnixStream) -> io::Result<Self> {
        wake.set_nonblocking(true)?;
        let runtime = runtime()?;
        let (order_sender, order_receiver) = orders::unbounded_channel();
        let (answer_sender, answer_receiver) = answers::channel();
        let reporter = Arc::new(Reporter {
            answers: answer_sender,
            in_flight: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            woken: AtomicBool::new(false),
            wake,
        });
        let thread = {
            let reporter = Arc::clone(&reporter);
            let _blocked = SignalsBlocked::now()?;
            std::thread::Builder::new()
                .name("zentry-http".into())
                .spawn(move || {
                    runtime.block_on(dispatch(order_receiver, client, reporter));
                    // Drops the requests in flight and does not wait for a name that is being resolved.
                    runtime.shutdown_background();
                })?
        };
        Ok(Self {
            orders: Some(order_sender),
            answers: answer_receiver,
            reporter,
            thread: Some(thread),
        })
    }

    /// Hands a request to the thread; never waits.
    ///
    /// # Errors
    /// When the thread has ended.
    pub fn send(&self, request: Outgoing) -> Result<(), Stopped> {
        self.order(Order::Send(request))
    }

    /// Requests that are sent from now on are made by `client`; those in flight end as they began.
    ///
    /// # Errors
    /// When the thread has ended.
    pub fn reconfigure(&self, client: Client) -> Result<(), Stopped> {
        self.order(Order::Use(client))
    }

    /// The next answer, if one is there.
    pub fn try_recv(&self) -> Option<Incoming> {
        if let Ok(answer) = self.answers.try_recv() {
            return Some(answer);
        }
        // From here on answers write to `wake` again; one that came before this is seen by the second look.
        self.reporter.waiting.store(0, Ordering::Release);
        self.reporter.woken.swap(false, Ordering::AcqRel);
        self.answers.try_recv().ok()
    }

    fn order(&self, order: Order) -> Result<(), Stopped> {
        self.orders
            .as_ref()
            .ok_or(Stopped)?
            .send(order)
            .map_err(|_| Stopped)
    }
}

impl Drop for HttpThread {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            // Its panic, if it had one, is not ours.
            let _ = thread.join();
        }
    }
}

fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .max_blocking_threads(MAX_RESOLVING)
        .thread_keep_alive(RESOLVER_KEEP_ALIVE)
        .thread_name("zentry-resolver")
        .build()
}

/// Runs until the handle is dropped.
async fn dispatch(mut orders: orders::UnboundedReceiver<Order>, mut client: Client, reporter: Arc<Reporter>) {
    let mut batch = Vec::with_capacity(BATCH);
    while orders.recv_many(&mut batch, BATCH).await > 0 {
        for order in batch.drain(..) {
            match order {
                Order::Use(new) => client = new,
                Order::Send(request) => {
                    let reply = Reply::new(request.id, Arc::clone(&reporter));
                    tokio::spawn(make(client.clone(), request, reply));
                }
            }
        }
    }
}

async fn make(client: Client, request: Outgoing, mut reply: Reply) {
    let body = Bytes::from(request.body);
    let url = &request.url;
    reply.result = Some(match &request.message {
        Some(message) => client.publish(url, message, body.clone()).await,
        None => {
            let (kind, headers) = (request.kind, &request.headers);
            client.post_with(kind, url, headers, body.clone()).await
        }
    });
    if body.is_unique() {
        reply.buffer = body.into();
    }
}

/// The way back.
#[derive(Debug)]
struct Reporter {
    answers: answers::Sender<Incoming>,
    /// Requests without an answer yet.
    in_flight: AtomicUsize,
    /// Answers since the receiver last found nothing.
    waiting: AtomicUsize,
    /// Whether a byte was written since then.
    woken: AtomicBool,
    wake: UnixStream,
}

impl Reporter {
    fn report(self: &Arc<Self>, answer: Incoming) {
        // Nobody listens any more while the handle is being dropped.
        let _ = self.answers.send(answer);
        let in_flight = self.in_flight.fetch_sub(1, Ordering::AcqRel) - 1;
        let waited = self.waiting.fetch_add(1, Ordering::AcqRel);
        if waited + 1 >= in_flight {
            self.wake();
        } else if waited == 0 {
            self.wake_soon();
        }
    }

    fn wake(&self) {
        if !self.woken.swap(true, Ordering::AcqRel) {
            // When the stream is full, the other end is readable anyway.
            let _ = (&self.wake).write(&[1]);
        }
    }

    fn wake_soon(self: &Arc<Self>) {
        let reporter = Arc::clone(self);
        let wake = async move {
            tokio::time::sleep(HOLD).await;
            if reporter.waiting.load(Ordering::Acquire) > 0 {
                reporter.wake();
            }
        };
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(wake)),
            Err(_) => self.wake(),
        }
    }
}

/// Reports the result when it is dropped: at the end of a request, or when making it panics.
#[derive(Debug)]
struct Reply {
    id: u64,
    started: Instant,
    /// None until the request has ended.
    result: Option<Result<Answer, TransportError>>,
    buffer: Vec<u8>,
    reporter: Arc<Reporter>,
}

impl Reply {
    fn new(id: u64, reporter: Arc<Reporter>) -> Self {
        reporter.in_flight.fetch_add(1, Ordering::AcqRel);
        Self {
            id,
            started: Instant::now(),
            result: None,
            buffer: Vec::new(),
            reporter,
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        let result = self.result.take().unwrap_or_else(|| {
            Err(TransportError::Protocol(
                "making the request failed inside".into(),
            ))
        });
        self.reporter.report(Incoming {
            id: self.id,
            result,
            elapsed: self.started.elapsed(),
            buffer: std::mem::take(&mut self.buffer),
        });
    }
}

/// All signals are blocked in this thread, and in threads that it starts, until this is dropped.
struct SignalsBlocked {
    before: SigSet,
}

impl SignalsBlocked {
    fn now() -> io::Result<Self> {
        Ok(Self {
            before: SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK)?,
        })
    }
}

impl Drop for SignalsBlocked {
    fn drop(&mut self) {
        // Fails only for an invalid mask.
        let _ = self.before.thread_set_mask();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::Read as _;

    use super::*;

    /// A handle without a thread, and the end that is woken.
    fn handle() -> (HttpThread, UnixStream) {
        let (woken, wake) = UnixStream::pair().unwrap();
        woken.set_nonblocking(true).unwrap();
        wake.set_nonblocking(true).unwrap();
        let (sender, answers) = answers::channel();
        let reporter = Arc::new(Reporter {
            answers: sender,
            in_flight: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            woken: AtomicBool::new(false),
            wake,
        });
        (
            HttpThread {
                orders: None,
                answers,
                reporter,
                thread: None,
            },
            woken,
        )
    }

    #[test]
    fn it_is_woken_once_until_nothing_is_left() {
        let (handle, mut woken) = handle();
        let reply = |id| drop(Reply::new(id, Arc::clone(&handle.reporter)));
        let mut bytes = [0; 16];
        (0..3).for_each(reply);
        assert_eq!(woken.read(&mut bytes).unwrap(), 1);
        assert_eq!(handle.try_recv().unwrap().id, 0);
        reply(3);
        assert!(woken.read(&mut bytes).is_err(), "answers are still there");
        assert_eq!(std::iter::from_fn(|| handle.try_recv()).count(), 3);
        reply(4);
        assert_eq!(woken.read(&mut bytes).unwrap(), 1);
        assert_eq!(handle.try_recv().unwrap().id, 4);
    }

    #[test]
    fn it_is_woken_when_half_is_answered_or_after_a_moment() {
        let (handle, mut woken) = handle();
        let mut bytes = [0; 16];
        let runtime = runtime().unwrap();
        let mut replies: Vec<_> = (0..10)
            .map(|id| Reply::new(id, Arc::clone(&handle.reporter)))
            .collect();
        let _entered = runtime.enter();
        replies.truncate(6);
        assert!(woken.read(&mut bytes).is_err(), "six are not answered");
        replies.truncate(5);
        assert_eq!(woken.read(&mut bytes).unwrap(), 1);
        assert_eq!(std::iter::from_fn(|| handle.try_recv()).count(), 5);
        replies.truncate(4);
        assert!(woken.read(&mut bytes).is_err(), "four are not answered");
        let is_woken = async {
            while woken.read(&mut bytes).is_err() {
                tokio::time::sleep(HOLD).await;
            }
        };
        runtime
            .block_on(async { tokio::time::timeout(Duration::from_secs(30), is_woken).await })
            .unwrap();
        assert_eq!(std::iter::from_fn(|| handle.try_recv()).count(), 1);
    }

    #[test]
    fn a_request_that_panics_is_answered() {
        let (handle, _woken) = handle();
        let reply = Reply::new(7, Arc::clone(&handle.reporter));
        let request = async move {
            let _reply = reply;
            std::panic::resume_unwind(Box::new("as the client would"));
        };
        let runtime = runtime().unwrap();
        assert!(runtime.block_on(runtime.spawn(request)).unwrap_err().is_panic());
        let answer = handle.try_recv().unwrap();
        assert_eq!(answer.id, 7);
        assert!(matches!(answer.result, Err(TransportError::Protocol(_))));
    }

    #[test]
    fn a_full_stream_is_no_obstacle() {
        let (handle, mut woken) = handle();
        while (&handle.reporter.wake).write(&[1; 4096]).is_ok() {}
        drop(Reply::new(1, Arc::clone(&handle.reporter)));
        assert!(woken.read(&mut [0; 16]).unwrap() > 0);
        assert_eq!(handle.try_recv().unwrap().id, 1);
    }

    #[test]
    fn a_thread_that_has_ended_takes_nothing() {
        let (handle, _woken) = handle();
        let client = Client::new(&crate::client::ClientConfig::default()).unwrap();
        assert_eq!(handle.reconfigure(client), Err(Stopped));
    }
}
