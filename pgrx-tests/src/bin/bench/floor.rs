//! The floor of sending: the same requests by a client that does nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use anyhow::{Result, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::bed::Bed;

/// About what a message of one event has.
const BODY: usize = 600;

/// Posts over so many connections, one request in flight on each; requests a second.
pub fn post(bed: &mut Bed, connections: usize, requests: usize) -> Result<f64> {
    bed.receiver.reset(false)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    let left = Arc::new(AtomicUsize::new(requests));
    let port = bed.receiver.port;
    runtime.block_on(async {
        let posting: Vec<_> = (0..connections)
            .map(|number| {
                let url = bed.receiver.url(number);
                tokio::spawn(connection(port, request(&url), left.clone()))
            })
            .collect();
        for connection in posting {
            connection.await??;
        }
        anyhow::Ok(())
    })?;
    let count = bed.receiver.count()?;
    // One message of the part before may still be on its way.
    ensure!(
        count.requests >= requests as u64,
        "{} requests came",
        count.requests
    );
    Ok(count.rate())
}

fn request(url: &str) -> Vec<u8> {
    let (host, path) = url
        .strip_prefix("http://")
        .and_then(|rest| rest.split_once('/'))
        .unwrap_or_default();
    let mut request = format!(
        "POST /{path}?wait=true HTTP/1.1\r\ncontent-type: application/json\r\nuser-agent: bench\r\nhost: {host}\r\n\
         content-length: {BODY}\r\n\r\n"
    )
    .into_bytes();
    request.resize(request.len() + BODY, b'x');
    request
}

async fn connection(port: u16, request: Vec<u8>, left: Arc<AtomicUsize>) -> Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.set_nodelay(true)?;
    let mut answer = [0; 1024];
    while left
        .try_update(Relaxed, Relaxed, |left| left.checked_sub(1))
        .is_ok()
    {
        stream.write_all(&request).await?;
        // The answer is short and comes in one piece.
        ensure!(stream.read(&mut answer).await? > 0, "the receiver hung up");
    }
    Ok(())
}
