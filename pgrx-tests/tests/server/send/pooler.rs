//! Poolers between a sender and its database.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::thread;

use anyhow::{Context, Result};
use zentry_e2e::emulator::Kind;

use super::calls::{Calls, take_soon};
use super::sender::scene;
use crate::support::connecting;

/// Answers each query of a connection as a pooler in transaction mode that has one session: all are of the same process.
fn answer(mut client: TcpStream) -> Option<()> {
    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        [&[kind], length.as_slice(), body].concat()
    }
    fn body(client: &mut TcpStream) -> Option<Vec<u8>> {
        let mut length = [0; 4];
        client.read_exact(&mut length).ok()?;
        let mut body = vec![0; (u32::from_be_bytes(length) as usize).checked_sub(4)?];
        client.read_exact(&mut body).ok()?;
        Some(body)
    }
    body(&mut client)?;
    let ready = message(b'Z', b"I");
    client
        .write_all(&[message(b'R', &[0; 4]), ready.clone()].concat())
        .ok()?;
    let column = [
        b"\0\x01pid\0".as_slice(),
        &[0; 6],
        &[0, 0, 0, 23, 0, 4, 255, 255, 255, 255, 0, 0],
    ]
    .concat();
    let row = [[0, 1, 0, 0, 0, 4].as_slice(), b"4242"].concat();
    loop {
        let mut kind = [0];
        client.read_exact(&mut kind).ok()?;
        body(&mut client)?;
        if kind == *b"Q" {
            let answer = [
                message(b'T', &column),
                message(b'D', &row),
                message(b'C', b"SELECT 1\0"),
                ready.clone(),
            ];
            client.write_all(&answer.concat()).ok()?;
        }
    }
}

#[test]
fn a_pooler_in_transaction_mode_is_found_out() -> Result<()> {
    let pooler = TcpListener::bind("127.0.0.1:0")?;
    let port = pooler.local_addr()?.port();
    thread::spawn(move || {
        for client in pooler.incoming().map_while(Result::ok) {
            thread::spawn(move || answer(client));
        }
    });
    let mut child = connecting("127.0.0.1".as_ref(), port, "pooled", "sender")?
        .env("PGSSLMODE", "disable")
        .arg("send")
        .stderr(Stdio::piped())
        .spawn()?;
    let lines = BufReader::new(child.stderr.take().context("no standard error")?).lines();
    let mut said = String::new();
    for line in lines.map_while(Result::ok) {
        said += &line;
        if said.contains("pool_mode") {
            break;
        }
    }
    child.kill()?;
    child.wait()?;
    assert!(
        said.contains(
            "pooled: the connection goes through a pooler that gives each transaction another session"
        ) && said.contains("hint: "),
        "{said}"
    );
    Ok(())
}

#[test]
fn a_session_that_a_pooler_gives_to_somebody_else_holds_nothing() -> Result<()> {
    let (mut scene, login) = scene("remote")?;
    let channel = scene.channel_for(Kind::Discord, None, Some(&["task_completed"]))?;
    let mut first = Calls::begin(&scene, &login)?;
    assert_eq!(take_soon(&mut first)?.0, channel.id);
    // As PgBouncer does in session mode when its client has gone. The session itself goes on.
    first.client.batch_execute("DISCARD ALL")?;
    let mut other = Calls::begin(&scene, &login)?;
    assert_eq!(take_soon(&mut other)?.0, channel.id);
    assert!(first.take().is_err());
    Ok(())
}
