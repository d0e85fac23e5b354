//! The network between a client and a cluster, which can be cut.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use crate::cluster::Cluster;

/// Passes on what comes by TCP to a cluster's socket, until it is cut: then nothing goes either way, and nobody is told. What was sent meanwhile arrives
/// when it is mended.
#[derive(Debug)]
pub struct Cable {
    port: u16,
    is_cut: Arc<AtomicBool>,
}

impl Cable {
    /// On a free port of 127.0.0.1.
    pub fn to(cluster: &Cluster) -> io::Result<Self> {
        let socket = cluster.dir().join(format!(".s.PGSQL.{}", cluster.port()));
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let cable = Self {
            port: listener.local_addr()?.port(),
            is_cut: Arc::default(),
        };
        let is_cut = cable.is_cut.clone();
        thread::spawn(move || lead(&listener, &socket, &is_cut));
        Ok(cable)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn cut(&self) {
        self.is_cut.store(true, SeqCst);
    }

    pub fn mend(&self) {
        self.is_cut.store(false, SeqCst);
    }
}

fn lead(listener: &TcpListener, socket: &Path, is_cut: &Arc<AtomicBool>) {
    for client in listener.incoming().map_while(Result::ok) {
        let (socket, is_cut) = (socket.to_owned(), is_cut.clone());
        thread::spawn(move || connect(client, socket, is_cut));
    }
}

/// A server that is not there closes the connection, and so does one that ends.
fn connect(client: TcpStream, socket: PathBuf, is_cut: Arc<AtomicBool>) -> Option<()> {
    wait_until_whole(&is_cut);
    let server = UnixStream::connect(socket).ok()?;
    let (from_client, to_server) = (client.try_clone().ok()?, server.try_clone().ok()?);
    let cut = is_cut.clone();
    thread::spawn(move || {
        pass(from_client, &to_server, &cut);
        to_server.shutdown(Shutdown::Write)
    });
    pass(&server, &client, &is_cut);
    client.shutdown(Shutdown::Both).ok()
}

fn pass(mut from: impl Read, mut to: impl Write, is_cut: &AtomicBool) {
    let mut buffer = [0; 8192];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        wait_until_whole(is_cut);
        if to.write_all(&buffer[..length]).is_err() {
            return;
        }
    }
    // That a connection has ended is nothing that passes either.
    wait_until_whole(is_cut);
}

fn wait_until_whole(is_cut: &AtomicBool) {
    while is_cut.load(SeqCst) {
        thread::sleep(Duration::from_millis(10));
    }
}
