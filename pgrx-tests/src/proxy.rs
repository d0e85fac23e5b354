//! An HTTP proxy that leads every host to one address: by it an emulator can pose as the vendors' own hosts.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};

/// Answers CONNECT only. It ends when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    asked_for: Tunnels,
    _runtime: Runtime,
}

/// What was asked for, as `host:port`, and when.
type Tunnels = Arc<Mutex<Vec<(String, Timestamp)>>>;

impl Proxy {
    /// On a free port of 127.0.0.1.
    pub fn to(target: SocketAddr) -> io::Result<Self> {
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
                tokio::spawn(connect(client, target, tunnels.clone()));
            }
        });
        Ok(Self {
            address,
            asked_for,
            _runtime: runtime,
        })
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

async fn connect(mut client: TcpStream, target: SocketAddr, tunnels: Tunnels) -> io::Result<()> {
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
    let mut server = TcpStream::connect(target).await?;
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
