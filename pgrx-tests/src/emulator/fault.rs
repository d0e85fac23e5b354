//! Faults below HTTP, played on the bare connection.

use std::io;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;

use super::hook::Flight;
use super::reply::{Reply, reason};
use super::script::Behaviour;
use super::wire::Wire;

/// What is written where the same piece is repeated without an end.
const PIECE: usize = 16 * 1024;

#[derive(Debug)]
pub(crate) enum Break {
    Close,
    Reset,
    /// Half of the answer, then the end.
    Cut(Reply),
    Trickle(Reply, Duration),
    Garbage,
    EndlessBody,
    HeaderBomb,
}

#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) kind: Break,
    /// The request is in flight until the fault is over.
    pub(crate) flight: Option<Flight>,
}

/// Either an answer, or how the connection breaks; none is a connection that hangs.
pub(crate) fn of(behaviour: Behaviour, reply: Reply) -> Result<Reply, Option<Break>> {
    Err(Some(match behaviour {
        Behaviour::Hang => return Err(None),
        Behaviour::DropBeforeBody | Behaviour::DropBeforeAnswer | Behaviour::LoseAnswer => Break::Close,
        Behaviour::Reset => Break::Reset,
        Behaviour::CutAnswer => Break::Cut(reply),
        Behaviour::Trickle(every) => Break::Trickle(reply, every),
        Behaviour::Garbage => Break::Garbage,
        Behaviour::EndlessBody => Break::EndlessBody,
        Behaviour::HeaderBomb => Break::HeaderBomb,
        _ => return Ok(reply),
    }))
}

impl Fault {
    pub(crate) async fn play<W: Wire>(self, mut wire: W) {
        // An error means that the client has hung up, as it should.
        let _ = match &self.kind {
            Break::Close => Ok(()),
            Break::Reset => wire.socket().set_zero_linger(),
            Break::Cut(reply) => cut(&mut wire, reply).await,
            Break::Trickle(reply, every) => trickle(&mut wire, reply, *every).await,
            Break::Garbage => wire.write_all(b"\x00\xff\x16\x03 this is not HTTP\r\n\r\n").await,
            Break::EndlessBody => endless_body(&mut wire).await,
            Break::HeaderBomb => header_bomb(&mut wire).await,
        };
        if !matches!(self.kind, Break::Reset | Break::Close) {
            let _ = wire.shutdown().await;
        }
        drop(self.flight);
    }
}

async fn cut<W: Wire>(wire: &mut W, reply: &Reply) -> io::Result<()> {
    let bytes = on_the_wire(reply);
    wire.write_all(&bytes[..bytes.len() / 2]).await
}

async fn trickle<W: Wire>(wire: &mut W, reply: &Reply, every: Duration) -> io::Result<()> {
    for byte in on_the_wire(reply) {
        wire.write_all(&[byte]).await?;
        wire.flush().await?;
        tokio::time::sleep(every).await;
    }
    Ok(())
}

async fn endless_body<W: Wire>(wire: &mut W) -> io::Result<()> {
    wire.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n")
        .await?;
    let piece = format!("{PIECE:x}\r\n{}\r\n", "1".repeat(PIECE));
    loop {
        wire.write_all(piece.as_bytes()).await?;
    }
}

async fn header_bomb<W: Wire>(wire: &mut W) -> io::Result<()> {
    wire.write_all(b"HTTP/1.1 200 OK\r\n").await?;
    for number in 0_u64.. {
        wire.write_all(format!("x-bomb-{number}: {}\r\n", "b".repeat(1000)).as_bytes())
            .await?;
    }
    Ok(())
}

fn on_the_wire(reply: &Reply) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {} {}\r\n", reply.status, reason(reply.status));
    let given = reply.given();
    for (name, value) in &given.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("content-length: {}\r\n\r\n", reply.body.len()));
    [head.as_bytes(), &reply.body].concat()
}
