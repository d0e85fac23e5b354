//! A receiver of traces by OTLP over HTTP that reads them as a collector does.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as AnyValue;
use opentelemetry_proto::tonic::common::v1::{AnyValue as Wrapped, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use zentry_e2e::scene::SOON;
use zentry_e2e::wait::eventually;

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Export {
    pub head: String,
    pub body: Vec<u8>,
}

/// A receiver of traces. It answers as it is told, and 0 is to close the connection without a word.
pub struct Receiver {
    pub url: String,
    status: Arc<AtomicU16>,
    /// Those that were taken.
    taken: Arc<Mutex<Vec<Export>>>,
    refused: Arc<Mutex<usize>>,
}

impl Receiver {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let receiver = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            status: Arc::new(AtomicU16::new(200)),
            taken: Arc::default(),
            refused: Arc::default(),
        };
        let (status, taken) = (receiver.status.clone(), receiver.taken.clone());
        let refused = receiver.refused.clone();
        // It ends with the test's process.
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (status, taken, refused) = (status.clone(), taken.clone(), refused.clone());
                thread::spawn(move || serve(stream, &status, &taken, &refused));
            }
        });
        receiver
    }

    pub fn answers(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    pub fn exports(&self) -> Vec<Export> {
        self.taken.lock().unwrap().clone()
    }

    pub fn refused(&self) -> usize {
        *self.refused.lock().unwrap()
    }

    pub fn spans(&self) -> Vec<Span> {
        let requests = self.exports().into_iter().map(|export| read(&export));
        requests
            .flat_map(|request| request.resource_spans)
            .flat_map(|resource| resource.scope_spans)
            .flat_map(|scope| scope.spans)
            .collect()
    }

    pub fn wait_for_spans(&self, count: usize) -> Vec<Span> {
        eventually(SOON, format!("{count} spans"), || {
            (self.spans().len() >= count).then_some(())
        })
        .unwrap();
        self.spans()
    }
}

/// Answers the requests of a connection until it ends.
fn serve(
    mut stream: TcpStream,
    status: &AtomicU16,
    taken: &Mutex<Vec<Export>>,
    refused: &Mutex<usize>,
) -> Option<()> {
    loop {
        let mut bytes = Vec::new();
        let mut buffer = [0; 4096];
        let end = loop {
            if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            match stream.read(&mut buffer).ok()? {
                0 => return None,
                count => bytes.extend_from_slice(&buffer[..count]),
            }
        };
        let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
        let (_, length) = head.split_once("content-length: ")?;
        let length: usize = length.lines().next()?.trim().parse().ok()?;
        let mut body = bytes.split_off(end);
        while body.len() < length {
            match stream.read(&mut buffer).ok()? {
                0 => return None,
                count => body.extend_from_slice(&buffer[..count]),
            }
        }
        let status = status.load(Ordering::SeqCst);
        if status == 200 {
            taken.lock().unwrap().push(Export { head, body });
        } else {
            *refused.lock().unwrap() += 1;
        }
        if status == 0 {
            return None;
        }
        write!(
            stream,
            "HTTP/1.1 {status} Said\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n"
        )
        .ok()?;
    }
}

/// What an export says.
pub fn read(export: &Export) -> ExportTraceServiceRequest {
    ExportTraceServiceRequest::decode(&*export.body).unwrap()
}

/// The value of an attribute, as text.
pub fn said(attributes: &[KeyValue], key: &str) -> Option<String> {
    let found = attributes.iter().find(|pair| pair.key == key)?;
    let Some(Wrapped { value: Some(value) }) = &found.value else {
        return None;
    };
    Some(match value {
        AnyValue::StringValue(text) => text.clone(),
        AnyValue::IntValue(number) => number.to_string(),
        other => format!("{other:?}"),
    })
}

/// An id as traceparent has it.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
