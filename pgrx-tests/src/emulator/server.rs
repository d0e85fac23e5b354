//! Listening, and connections: plain or TLS, proper or broken.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio_rustls::{TlsAcceptor, rustls};

use super::fault::Fault;
use super::lock::lock;
use super::request;
use super::shared::Shared;
use super::wire::Wire;

/// Connections that may wait to be accepted; benchmarks open thousands at once.
const BACKLOG: u32 = 4096;

/// Allows this process as many files as the system lets it have: each connection is one, and thousands may hang.
pub(crate) fn raise_limit_of_files() -> io::Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?)
}

/// A listening socket and all its connections. They end when it is closed or dropped.
#[derive(Debug)]
pub(crate) struct Listening {
    pub(crate) address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    stopped: Mutex<mpsc::Receiver<()>>,
}

impl Listening {
    /// On 127.0.0.1; port 0 takes a free one.
    pub(crate) fn open(
        runtime: &Handle,
        port: u16,
        tls: Option<Arc<rustls::ServerConfig>>,
        shared: Arc<Shared>,
    ) -> io::Result<Self> {
        let _entered = runtime.enter();
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind((Ipv4Addr::LOCALHOST, port).into())?;
        let listener = socket.listen(BACKLOG)?;
        let address = listener.local_addr()?;
        let (stop, stopping) = oneshot::channel();
        let (said, stopped) = mpsc::channel();
        runtime.spawn(async move {
            accept(listener, tls.map(TlsAcceptor::from), shared, stopping).await;
            drop(said);
        });
        Ok(Listening {
            address,
            stop: Some(stop),
            stopped: Mutex::new(stopped),
        })
    }

    /// Closes the socket and breaks every connection; returns when that is done.
    pub(crate) fn close(mut self) {
        drop(self.stop.take());
        // The task drops its end when it is through, which ends the wait with an error: nothing is ever sent.
        let _ = lock(&self.stopped).recv();
    }
}

async fn accept(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    shared: Arc<Shared>,
    mut stopping: oneshot::Receiver<()>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    let (tls, shared) = (tls.clone(), shared.clone());
                    connections.spawn(async move { welcome(stream, peer.ip(), tls, shared).await });
                }
                // Out of files: what is open has to close first.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            Some(_) = connections.join_next() => {}
            _ = &mut stopping => break,
        }
    }
    drop(listener);
    connections.shutdown().await;
}

/// What goes wrong on one connection is the client's to see; the emulator goes on.
async fn welcome(stream: TcpStream, from: IpAddr, tls: Option<TlsAcceptor>, shared: Arc<Shared>) {
    let _ = stream.set_nodelay(true);
    match tls {
        None => serve(stream, from, shared).await,
        Some(acceptor) => {
            if let Ok(stream) = acceptor.accept(stream).await {
                serve(stream, from, shared).await;
            }
        }
    }
}

async fn serve<W: Wire>(wire: W, from: IpAddr, shared: Arc<Shared>) {
    // Where a request leaves the fault that is to be played on the bare connection.
    let slot: Arc<Mutex<Option<Fault>>> = Arc::default();
    let in_service = slot.clone();
    let service = service_fn(move |request| {
        Box::pin(request::answer(shared.clone(), from, in_service.clone(), request))
    });
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(wire), service);
    let _ = std::future::poll_fn(|context| connection.poll_without_shutdown(context)).await;

    let mut wire = connection.into_parts().io.into_inner();
    let fault = lock(&slot).take();
    match fault {
        Some(fault) => fault.play(wire).await,
        None => drop(wire.shutdown().await),
    }
}
