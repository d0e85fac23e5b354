//! Whom a client trusts.

use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::ClientError;

/// TLS 1.2 or 1.3, the system's authorities and those of `ca_pem`, names and expiry checked.
pub(super) fn config(ca_pem: Option<&[u8]>) -> Result<ClientConfig, ClientError> {
    let mut roots = RootCertStore::empty();
    // A system without any is no error here: connections then fail with their reason, and plain HTTP works.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    for certificate in ca_pem.map(certificates).transpose()?.unwrap_or_default() {
        roots
            .add(certificate)
            .map_err(|error| ClientError::CaPem(error.to_string()))?;
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| ClientError::Build(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, ClientError> {
    let certificates = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| ClientError::CaPem(error.to_string()))?;
    if certificates.is_empty() {
        return Err(ClientError::CaPem("there is no certificate in it".into()));
    }
    Ok(certificates)
}
