//! Limits the number of connected clients to what the process's open files allow, so that each connection can be answered. Each client has a seat;
//! when all are taken, the client that has been idle for longest is disconnected.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, Request};
use axum::middleware::Next;
use axum::response::Response;
use axum_server::{AddrListener, Address};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// Files besides the clients' connections: the standard ones, the listener, the runtime's, those that a request reads, and one accepted client that
/// waits for a seat.
const OTHER_FILES: usize = 25;
/// How long a new client is not disconnected, because its first request may be on its way.
const WELCOME: Duration = Duration::from_millis(100);

/// Returns the number of seats: `wanted`, or fewer if the limit on open files is too low; `taken` files are for other connections.
pub fn affordable(wanted: usize, taken: usize) -> usize {
    let files = getrlimit(Resource::RLIMIT_NOFILE).map_or(1024, |(soft, hard)| {
        let raised = setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok();
        if raised { hard } else { soft }
    });
    let files = usize::try_from(files).unwrap_or(usize::MAX);
    wanted.min(files.saturating_sub(taken + OTHER_FILES)).max(1)
}

/// A client's seat.
#[derive(Debug)]
struct Seat {
    /// The number of requests that are being processed.
    busy: AtomicUsize,
    idle_since: Mutex<Instant>,
    /// Tells the connection to end.
    taken_back: AtomicBool,
    gone: Notify,
}

impl Seat {
    fn new() -> Self {
        Self {
            busy: AtomicUsize::new(0),
            idle_since: Mutex::new(Instant::now()),
            taken_back: AtomicBool::new(false),
            gone: Notify::new(),
        }
    }

    fn idle_since(&self) -> Instant {
        *self.idle_since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_back(&self) {
        self.taken_back.store(true, SeqCst);
        self.gone.notify_one();
    }
}

/// A request in progress: while it exists, its client's seat is not taken back.
struct Busy(Arc<Seat>);

impl Busy {
    fn new(seat: Arc<Seat>) -> Self {
        seat.busy.fetch_add(1, SeqCst);
        Self(seat)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        *self.0.idle_since.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.0.busy.fetch_sub(1, SeqCst);
    }
}

/// All seats.
#[derive(Debug)]
struct Room {
    free: Arc<Semaphore>,
    seats: Mutex<HashMap<u64, Arc<Seat>>>,
}

impl Room {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Arc<Seat>>> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Disconnects the client that has been idle for longest. Returns false if no client is idle.
    fn make_way(&self) -> bool {
        let seats = self.lock();
        let idle = seats
            .values()
            .filter(|seat| seat.busy.load(SeqCst) == 0 && !seat.taken_back.load(SeqCst))
            .map(|seat| (seat.idle_since(), seat))
            .filter(|(since, _)| since.elapsed() >= WELCOME);
        let longest = idle.min_by_key(|(since, _)| *since);
        longest.inspect(|(_, seat)| seat.take_back()).is_some()
    }

    async fn seat(&self) -> io::Result<OwnedSemaphorePermit> {
        const PAUSE: Duration = Duration::from_millis(20);
        loop {
            if let Ok(permit) = Arc::clone(&self.free).try_acquire_owned() {
                return Ok(permit);
            }
            self.make_way();
            let freed = tokio::time::timeout(PAUSE, Arc::clone(&self.free).acquire_owned()).await;
            if let Ok(permit) = freed {
                return permit.map_err(io::Error::other);
            }
        }
    }
}

/// A listener that gives each client a seat. While none is free, one accepted client waits, and the others stay in the kernel's queue.
#[derive(Debug)]
pub struct Door {
    listener: TcpListener,
    room: Arc<Room>,
    next: std::sync::atomic::AtomicU64,
}

impl Door {
    pub fn open(listener: std::net::TcpListener, seats: usize) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self {
            listener: TcpListener::from_std(listener)?,
            room: Arc::new(Room {
                free: Arc::new(Semaphore::new(seats)),
                seats: Mutex::default(),
            }),
            next: std::sync::atomic::AtomicU64::new(0),
        })
    }
}

/// The client of a connection.
#[derive(Clone, Debug)]
pub struct Client {
    address: SocketAddr,
    seat: Option<Arc<Seat>>,
}

impl Address for Client {
    type Stream = Seated;
    type Listener = Door;
}

impl Connected<Client> for Client {
    fn connect_info(client: Client) -> Self {
        client
    }
}

impl AddrListener<Seated, Client> for Door {
    async fn bind_to(client: Client) -> io::Result<Self> {
        Self::open(std::net::TcpListener::bind(client.address)?, usize::MAX >> 4)
    }

    async fn accept_stream(&self) -> io::Result<(Seated, Client)> {
        let (stream, address) = self.listener.accept().await?;
        let permit = self.room.seat().await?;
        let seat = Arc::new(Seat::new());
        let number = self.next.fetch_add(1, SeqCst);
        self.room.lock().insert(number, Arc::clone(&seat));
        let place = Place {
            number,
            room: Arc::clone(&self.room),
            _permit: permit,
        };
        let going = {
            let seat = Arc::clone(&seat);
            Box::pin(async move { seat.gone.notified().await })
        };
        let seated = Seated {
            stream,
            going,
            _place: place,
        };
        Ok((
            seated,
            Client {
                address,
                seat: Some(seat),
            },
        ))
    }

    fn get_local_addr(&self) -> io::Result<Client> {
        Ok(Client {
            address: self.listener.local_addr()?,
            seat: None,
        })
    }
}

/// Frees the seat when the connection ends.
struct Place {
    number: u64,
    room: Arc<Room>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.room.lock().remove(&self.number);
    }
}

/// A connection that ends when its seat is taken back.
pub struct Seated {
    // Declared before the seat, so that the file is closed before another client gets the seat.
    stream: TcpStream,
    going: Pin<Box<dyn Future<Output = ()> + Send>>,
    _place: Place,
}

impl AsyncRead for Seated {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.going.as_mut().poll(cx).is_ready() {
            self.going = Box::pin(std::future::ready(()));
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Seated {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// Middleware: keeps the connection until the response is complete, and passes only the client's address to the handlers.
pub async fn keep(ConnectInfo(client): ConnectInfo<Client>, mut request: Request, next: Next) -> Response {
    request.extensions_mut().insert(ConnectInfo(client.address));
    let _busy = client.seat.map(Busy::new);
    next.run(request).await
}
