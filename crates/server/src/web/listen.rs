//! Listening: addresses, TLS, time limits, the end.

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

use super::admin;
use super::app::App;
use super::seats::{self, Client, Door};
use super::uri::Secure;
use crate::process::told_to_end;

/// How long requests that are under way may go on when the server is told to end.
const GRACE: Duration = Duration::from_secs(10);

/// Where to listen.
#[derive(Clone, Debug)]
pub struct Listen {
    /// `host:port`; of the addresses that a name has, the first that can be listened on.
    pub address: String,
    /// PEM files: the certificate with its chain, and its key.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// How long a request's head may take to come, so that slow clients do not hold connections.
    pub head_timeout: Duration,
    /// Clients that may be connected at a time.
    pub seats: usize,
}

/// A server that has its place: clients can connect, and wait until it serves.
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
    /// Inside of a runtime.
    ///
    /// # Errors
    /// When the place can't be had, or a file can't be read.
    pub fn new(apps: Vec<App>, listen: Listen) -> Result<Self> {
        let secure = Secure(listen.tls.is_some());
        let protected = apps.iter().all(|app| admin::is_secure(app, secure));
        let router = match &apps[..] {
            [app] if app.options().name.is_none() => super::router(app.clone(), secure)?,
            _ => super::many::router(apps, secure)?,
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

    /// Where it is, with a port even if 0 was asked for.
    pub fn url(&self) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Whether tokens come over a network as plain text, as far as can be seen from here: a proxy's clients may have TLS.
    pub fn is_open_to_others(&self) -> bool {
        !self.secure && !self.protected && !self.address.ip().to_canonical().is_loopback()
    }

    /// Serve until SIGTERM or SIGINT.
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
        .context("certificate and key do not fit")?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
