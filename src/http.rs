//! The HTTP thread of a process of PostgreSQL, configured by the settings, and the socket by which it wakes the main thread.

use std::io::Read;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;

use webhook::client::{Client, ClientConfig, SetBy};
use webhook::http_thread::{HttpThread, Incoming, Outgoing, Stopped};

use crate::settings;

/// The thread that sends requests for one process.
pub struct Http {
    thread: HttpThread,
    /// The end of the socket pair that can be read when there are answers.
    answered: UnixStream,
}

impl Http {
    /// Starts the thread. `idle` is the number of idle connections that are kept for each host.
    ///
    /// # Errors
    /// Why it cannot start, for people: a setting, or the system.
    pub fn start(idle: usize) -> Result<Http, String> {
        let (answered, wake) = UnixStream::pair().map_err(|error| error.to_string())?;
        answered
            .set_nonblocking(true)
            .map_err(|error| error.to_string())?;
        let thread = HttpThread::start(client(idle)?, wake).map_err(|error| error.to_string())?;
        Ok(Http { thread, answered })
    }

    /// Makes a new client with the present settings, for the requests to come.
    ///
    /// # Errors
    /// As for [`Http::start`]; the old client stays.
    pub fn reconfigure(&self, idle: usize) -> Result<(), String> {
        self.thread
            .reconfigure(client(idle)?)
            .map_err(|error| error.to_string())
    }

    /// Returns the socket that can be read when there are answers.
    pub fn socket(&self) -> RawFd {
        self.answered.as_raw_fd()
    }

    /// Sends a request.
    ///
    /// # Errors
    /// The thread has ended.
    pub fn send(&self, request: Outgoing) -> Result<(), Stopped> {
        self.thread.send(request)
    }

    /// Returns all answers that have come, without waiting.
    pub fn answers(&mut self) -> Vec<Incoming> {
        let mut bytes = [0; 64];
        // If the buffer was filled, there may be more.
        while matches!(self.answered.read(&mut bytes), Ok(n) if n == bytes.len()) {}
        std::iter::from_fn(|| self.thread.try_recv()).collect()
    }
}

fn client(max_idle_per_host: usize) -> Result<Client, String> {
    let ca_pem = settings::ca_file()
        .map(|path| {
            settings::read_ca_file(&path).map_err(|reason| {
                format!(
                    "zentry_notify.ca_file \"{}\" cannot be used: {reason}",
                    path.display()
                )
            })
        })
        .transpose()?;
    let config = ClientConfig {
        request_timeout: settings::request_timeout(),
        connect_timeout: settings::connect_timeout(),
        ca_pem,
        allow_private_addresses: settings::allow_private_addresses(),
        ways: settings::ways(),
        source_address: None,
        max_idle_per_host,
        set_by: SetBy::default(),
    };
    Client::new(&config).map_err(|error| error.to_string())
}
