//! Listening: addresses, TLS, time limits, shutdown.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::{Router, middleware};
use axum_server::tls_rustls::RustlsConfig;
use axum_server::{Handle, Server};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::app::App;
use super::seats::{self, Client, Door};
use super::uri::Secure;
use super::{admin, many, routes};
use crate::process::told_to_end;

/// How long running requests may take after SIGTERM or SIGINT.
const GRACE: Duration = Duration::from_secs(10);

/// Where to listen.
#[derive(Clone, Debug)]
pub struct Listen {
    /// `host:port`; if a name has several addresses, the first that works.
    pub address: String,
    /// PEM files of the certificate with its chain, and of its key.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// The time limit for receiving a request's head, so that slow clients do not hold connections.
    pub head_timeout: Duration,
    /// The maximum number of connected clients.
    pub seats: usize,
}

/// A server that listens: clients can connect, and wait until it serves.
pub struct Bound {
    address: SocketAddr,
    router: Router,
    secure: bool,
    protected: bool,
    tls: Option<Arc<ServerConfig>>,
    head_timeout: Duration,
    door: Door,
}

impl Bound {
    /// Binds the address. It must be called within a Tokio runtime.
    ///
    /// # Errors
    /// An error if the address cannot be bound or a file cannot be read.
    pub fn new(apps: Vec<App>, listen: Listen) -> Result<Self> {
        let secure = Secure(listen.tls.is_some());
        let protected = apps.iter().all(|app| admin::is_secure(app, secure));
        let router = match &apps[..] {
            [app] if app.options().name.is_none() => routes::router(app.clone(), secure)?,
            _ => many::router(apps, secure)?,
        };
        let tls = listen
            .tls
            .map(|(certificate, key)| tls(&certificate, &key))
            .transpose()?;
        let listener = TcpListener::bind(&*listen.address)
            .with_context(|| format!("cannot listen on {}", listen.address))?;
        Ok(Self {
            address: listener.local_addr()?,
            router,
            secure: secure.0,
            protected,
            tls,
            head_timeout: listen.head_timeout,
            door: Door::open(listener, listen.seats)?,
        })
    }

    /// Returns the address with the actual port, also if 0 was given.
    pub fn url(&self) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Returns whether clients on the network send tokens unencrypted, as far as the server knows: a proxy in front of it may use TLS.
    pub fn is_open_to_others(&self) -> bool {
        !self.secure && !self.protected && !self.address.ip().to_canonical().is_loopback()
    }

    /// Serves until SIGTERM or SIGINT.
    pub async fn serve(self) -> Result<()> {
        let service = self
            .router
            .layer(middleware::from_fn(seats::keep))
            .into_make_service_with_connect_info::<Client>();
        let handle = Handle::<Client>::new();
        let (told, ending) = (told_to_end()?, handle.clone());
        tokio::spawn(async move {
            told.await;
            ending.graceful_shutdown(Some(GRACE));
        });
        let mut server = Server::from_listener(self.door)
            .handle(handle)
            .http1_only()
            .first_request_timeout(self.head_timeout);
        server
            .http_builder()
            .http1()
            .header_read_timeout(self.head_timeout);
        match self.tls {
            None => server.serve(service).await?,
            Some(tls) => {
                let acceptor = axum_server::tls_rustls::RustlsAcceptor::new(RustlsConfig::from_config(tls));
                server.acceptor(acceptor).serve(service).await?;
            }
        }
        Ok(())
    }
}

fn tls(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>> {
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .with_context(|| format!("cannot read the certificate {}", certificate.display()))?;
    let key = PrivateKeyDer::from_pem_file(key)
        .with_context(|| format!("cannot read the key {}", key.display()))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .context("the certificate and the key do not match")?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
