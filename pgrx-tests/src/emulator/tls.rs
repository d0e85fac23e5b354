//! A certificate authority made at start, and certificates of every kind that a client must accept or refuse.

use std::error::Error;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// What a port presents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Certificate {
    /// Of the emulator's authority, for 127.0.0.1 and localhost.
    Good,
    /// Of the emulator's authority, for hosts of Discord and Teams.
    Vendors,
    /// Ran out yesterday.
    Expired,
    /// Valid from tomorrow.
    NotYetValid,
    /// Signed by itself.
    SelfSigned,
    /// Of an authority that nobody trusts, of the same name as the emulator's.
    UnknownAuthority,
    /// Of the emulator's authority, for another host.
    WrongName,
}

#[derive(Debug)]
pub(crate) struct Authority {
    pub(crate) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Result<Self, rcgen::Error> {
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, "Webhook emulator authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?;
        Ok(Authority {
            pem: certificate.pem(),
            issuer: Issuer::new(params, key),
        })
    }

    /// What a port needs to present this `certificate`.
    pub(crate) fn config(
        &self,
        certificate: Certificate,
    ) -> Result<Arc<ServerConfig>, Box<dyn Error + Send + Sync>> {
        let (chain, key) = self.issue(certificate)?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![chain], key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    fn issue(
        &self,
        certificate: Certificate,
    ) -> Result<(CertificateDer<'static>, PrivateKeyDer<'static>), rcgen::Error> {
        let (signed, key) = self.sign(certificate)?;
        Ok((
            signed.der().clone(),
            PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        ))
    }

    /// The certificate and its key, as servers read them from files.
    pub(crate) fn issue_pem(&self, certificate: Certificate) -> Result<(String, String), rcgen::Error> {
        let (signed, key) = self.sign(certificate)?;
        Ok((signed.pem(), key.serialize_pem()))
    }

    fn sign(&self, certificate: Certificate) -> Result<(rcgen::Certificate, KeyPair), rcgen::Error> {
        let names: &[&str] = match certificate {
            Certificate::Vendors => &["discord.com", "*.01.environment.api.powerplatform.com"],
            Certificate::WrongName => &["elsewhere.example"],
            _ => &["127.0.0.1", "localhost"],
        };
        let mut params =
            CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())?;
        params.distinguished_name.push(DnType::CommonName, names[0]);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let now = OffsetDateTime::now_utc();
        let (from, until) = match certificate {
            Certificate::Expired => (now - Duration::days(30), now - Duration::days(1)),
            Certificate::NotYetValid => (now + Duration::days(1), now + Duration::days(30)),
            _ => (now - Duration::days(1), now + Duration::days(30)),
        };
        (params.not_before, params.not_after) = (from, until);
        let key = KeyPair::generate()?;
        let signed = match certificate {
            Certificate::SelfSigned => params.self_signed(&key)?,
            Certificate::UnknownAuthority => params.signed_by(&key, &Authority::new()?.issuer)?,
            _ => params.signed_by(&key, &self.issuer)?,
        };
        Ok((signed, key))
    }
}
