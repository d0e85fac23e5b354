//! An HTTP proxy that leads every host to one address: by it an emulator can pose as the vendors' own hosts. Several with addresses of their
//! own are to the emulator what several ways out are to a vendor.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::{Builder, Runtime};

/// Answers CONNECT only. It ends when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    asked_for: Tunnels,
    /// None: it has died.
    runtime: Option<Runtime>,
}

/// What was asked for, as `host:port`, and when.
type Tunnels = Arc<Mutex<Vec<(String, Timestamp)>>>;

impl Proxy {
    /// On a free port of 127.0.0.1.
    pub fn to(target: SocketAddr) -> io::Result<Self> {
        Self::from_address(Ipv4Addr::LOCALHOST, target)
    }

    /// The same, whose connections come from this address, one of 127.0.0.0/8.
    pub fn from_address(source: Ipv4Addr, target: SocketAddr) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("proxy")
            .enable_io()
            .build()?;
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let address = listener.local_addr()?;
        let asked_for = Tunnels::default();
        let tunnels = asked_for.clone();
        runtime.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(connect(client, source, target, tunnels.clone()));
            }
        });
        Ok(Self {
            address,
            asked_for,
            runtime: Some(runtime),
        })
    }

    /// Breaks every connection, and takes none any more.
    pub fn die(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(60));
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What was asked for, as `host:port`, each once.
    pub fn hosts(&self) -> Vec<String> {
        let mut hosts: Vec<String> = self.tunnels().into_iter().map(|(host, _)| host).collect();
        hosts.sort();
        hosts.dedup();
        hosts
    }

    /// When each tunnel was asked for.
    pub fn asked_at(&self) -> Vec<Timestamp> {
        self.tunnels().into_iter().map(|(_, at)| at).collect()
    }

    fn tunnels(&self) -> Vec<(String, Timestamp)> {
        self.asked_for
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

async fn connect(
    mut client: TcpStream,
    source: Ipv4Addr,
    target: SocketAddr,
    tunnels: Tunnels,
) -> io::Result<()> {
    let head = head(&mut client).await?;
    let Some(host) = head
        .strip_prefix("CONNECT ")
        .and_then(|rest| rest.split(' ').next())
    else {
        return client
            .write_all(b"HTTP/1.1 405 Method Not Allowed\r\ncontent-length: 0\r\n\r\n")
            .await;
    };
    tunnels
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push((host.to_owned(), Timestamp::now()));
    let socket = TcpSocket::new_v4()?;
    socket.bind((source, 0).into())?;
    let mut server = socket.connect(target).await?;
    client
        .write_all(b"HTTP/1.1 200 Connection Established\r\n\r\n")
        .await?;
    copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}

/// Up to the empty line, and not a byte further.
async fn head(client: &mut TcpStream) -> io::Result<String> {
    const LONGEST: usize = 8 * 1024;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && head.len() < LONGEST {
        head.push(client.read_u8().await?);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}
