//! Whom a client trusts.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, ConfigBuilder, DigitallySignedStruct, RootCertStore, SignatureScheme,
    WantsVerifier,
};

use super::ClientError;

/// TLS 1.2 or 1.3, the system's authorities and those of `ca_pem`, names and expiry checked.
pub(super) fn config(trusted: &Arc<RootCertStore>) -> Result<ClientConfig, ClientError> {
    let mut config = builder()?
        .with_root_certificates(Arc::clone(trusted))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// The same without HTTP, for servers that are connected to by their addresses: each must have a certificate for one of its names.
pub(super) fn config_by_address(
    trusted: &Arc<RootCertStore>,
    names: HashMap<IpAddr, Vec<ServerName<'static>>>,
) -> Result<ClientConfig, ClientError> {
    let build = |error: &dyn std::fmt::Display| ClientError::Build(error.to_string());
    let provider = Arc::new(ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::clone(trusted), provider)
        .build()
        .map_err(|error| build(&error))?;
    let verifier = ByAddress { verifier, names };
    Ok(builder()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth())
}

fn builder() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, ClientError> {
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| ClientError::Build(error.to_string()))
}

/// The system's authorities and those of `ca_pem`.
pub(super) fn trusted(ca_pem: Option<&[u8]>) -> Result<Arc<RootCertStore>, ClientError> {
    let mut roots = match ca_pem {
        Some(pem) => authorities(pem).map_err(ClientError::CaPem)?,
        None => RootCertStore::empty(),
    };
    // A system without any is no error here: connections then fail with their reason, and what is not encrypted works.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    Ok(Arc::new(roots))
}

/// Checks certificates as ever, by the names that were resolved to an address.
#[derive(Debug)]
struct ByAddress {
    verifier: Arc<WebPkiServerVerifier>,
    names: HashMap<IpAddr, Vec<ServerName<'static>>>,
}

impl ServerCertVerifier for ByAddress {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let names = match server_name {
            ServerName::IpAddress(address) => self.names.get(&IpAddr::from(*address)),
            _ => None,
        };
        let mut outcome = Err(CertificateError::NotValidForName.into());
        for name in names.into_iter().flatten() {
            outcome = self
                .verifier
                .verify_server_cert(end_entity, intermediates, name, ocsp_response, now);
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

/// Checks that `pem` holds certificates of authorities, each of which can be used.
///
/// # Errors
/// Says what is wrong with it, in words for people.
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
