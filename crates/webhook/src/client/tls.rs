//! The TLS configuration of a client.

use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier};

use super::error::ClientError;

/// The configuration for HTTP: TLS 1.2 or 1.3, with names and expiry checked.
pub(super) fn config(trusted: &Arc<RootCertStore>) -> Result<ClientConfig, ClientError> {
    let mut config = builder()?
        .with_root_certificates(Arc::clone(trusted))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// The configuration for streams, without ALPN.
pub(super) fn config_of_streams(trusted: &Arc<RootCertStore>) -> Result<ClientConfig, ClientError> {
    Ok(builder()?
        .with_root_certificates(Arc::clone(trusted))
        .with_no_client_auth())
}

fn builder() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, ClientError> {
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| ClientError::Build(error.to_string()))
}

/// Reads the system's authorities and those of `ca_pem`.
pub(super) fn trusted(ca_pem: Option<&[u8]>) -> Result<Arc<RootCertStore>, ClientError> {
    let mut roots = match ca_pem {
        Some(pem) => authorities(pem).map_err(ClientError::CaPem)?,
        None => RootCertStore::empty(),
    };
    // It is not an error if the system has none: connections by TLS fail with that reason, and unencrypted ones work.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    Ok(Arc::new(roots))
}

/// Checks that `pem` contains certificates of authorities, each of which can be used.
///
/// # Errors
/// A description of what is wrong with it.
pub fn check_authorities(pem: &[u8]) -> Result<(), String> {
    authorities(pem).map(drop)
}

fn authorities(pem: &[u8]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for (index, certificate) in CertificateDer::pem_slice_iter(pem).enumerate() {
        let number = index + 1;
        let certificate = certificate.map_err(|error| match error {
            pem::Error::MissingSectionEnd { .. } => format!("certificate {number} is cut off"),
            _ => format!("certificate {number} is not in PEM format"),
        })?;
        roots
            .add(certificate)
            .map_err(|_| format!("certificate {number} is not a certificate of an authority"))?;
    }
    if roots.is_empty() {
        return Err("there is no certificate in it".into());
    }
    Ok(roots)
}
