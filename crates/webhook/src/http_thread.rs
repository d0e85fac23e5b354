//! The HTTP thread, so that the thread that calls PostgreSQL never waits for a server.

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
use crate::endpoint::SecretUrl;
use crate::kinds::EndpointKind;
use crate::nats::Message;
use crate::outcome::{Answer, TransportError};
use crate::way::WayId;

/// The most names that are resolved at once: `getaddrinfo` can hang for many seconds.
const MAX_RESOLVING: usize = 32;
/// How long a resolver thread is kept: new connections come in bursts.
const RESOLVER_KEEP_ALIVE: Duration = Duration::from_secs(5);
/// The most orders that are taken at a time.
const BATCH: usize = 128;
/// How long an answer may wait for others. While many requests are in flight, the caller is woken when half of them are answered: recording
/// each batch costs it a commit, whose wait for the disk is longer than this.
const HOLD: Duration = Duration::from_millis(1);

/// A request to be made. The answer has the same `id`.
#[derive(Debug)]
pub struct Outgoing {
    pub id: u64,
    /// The way out of the client. Streams use only the direct one.
    pub way: WayId,
    pub kind: EndpointKind,
    pub url: SecretUrl,
    pub headers: Headers,
    /// The message, if it is published to a stream and not posted.
    pub message: Option<Message>,
    pub body: Vec<u8>,
}

/// The answer to the request with this `id`, and how long it took.
#[derive(Debug)]
pub struct Incoming {
    pub id: u64,
    pub result: Result<Answer, TransportError>,
    pub elapsed: Duration,
    /// The buffer of the request's body, to be used again: memory that is allocated in one thread and freed in another makes both wait for
    /// the allocator. It is empty if the client still has it.
    pub buffer: Vec<u8>,
}

/// The thread has ended, which happens only if it is broken. Start another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the HTTP thread has ended")]
pub struct Stopped;

#[derive(Debug)]
enum Order {
    Send(Outgoing),
    Use(Client),
}

/// A thread with a client. Each request that is sent gets exactly one answer, in any order, unless the handle is dropped before: that ends
/// the thread at once, with the requests in flight. The caller limits how many are in flight.
///
/// All signals are blocked in the thread and in those that it starts, so that the process's handlers run in its other threads.
#[derive(Debug)]
pub struct HttpThread {
    /// The channel for orders. None: the thread has been told to end.
    orders: Option<orders::UnboundedSender<Order>>,
    answers: Receiver<Incoming>,
    reporter: Arc<Reporter>,
    thread: Option<JoinHandle<()>>,
}

impl HttpThread {
    /// Starts the thread. A byte is written to `wake` when answers are there after [`try_recv`](Self::try_recv) had none: as soon as they
    /// are as many as the requests still in flight, and at most a moment later. Wait for the other end to be readable, empty it, then call
    /// `try_recv` until it has none.
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
                    // This drops the requests in flight, and does not wait for a name that is being resolved.
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

    /// Makes `client` make the requests that are sent from now on. Those in flight end as they began.
    ///
    /// # Errors
    /// When the thread has ended.
    pub fn reconfigure(&self, client: Client) -> Result<(), Stopped> {
        self.order(Order::Use(client))
    }

    /// Returns the next answer, if there is one.
    pub fn try_recv(&self) -> Option<Incoming> {
        if let Ok(answer) = self.answers.try_recv() {
            return Some(answer);
        }
        // From here on answers write to `wake` again. One that came before is seen by the second look.
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
            // If it panicked, that is not this thread's panic.
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
            let (way, kind, headers) = (request.way, request.kind, &request.headers);
            client.post_by(way, kind, url, headers, body.clone()).await
        }
    });
    if body.is_unique() {
        reply.buffer = body.into();
    }
}

/// The side of the thread that reports answers.
#[derive(Debug)]
struct Reporter {
    answers: answers::Sender<Incoming>,
    /// The number of requests without an answer.
    in_flight: AtomicUsize,
    /// The number of answers since the receiver last found none.
    waiting: AtomicUsize,
    /// Whether a byte was written since then.
    woken: AtomicBool,
    wake: UnixStream,
}

impl Reporter {
    fn report(self: &Arc<Self>, answer: Incoming) {
        // The handle may be being dropped, so that nobody receives it.
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
            // If the stream is full, the other end is readable anyway.
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
    /// The result. None: the request has not ended.
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

/// Blocks all signals in this thread, and in threads that it starts, until it is dropped.
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
        // This fails only for an invalid mask.
        let _ = self.before.thread_set_mask();
    }
}

#[cfg(test)]
mod tests;
