//! Whose certificates are accepted, and what is said of the others.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use tokio::io::AsyncWriteExt;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, crypto::ring};
use webhook::client::ClientError;

use super::server::{Server, ok, read_request};
use super::*;

pub(crate) type Authority = CertifiedIssuer<'static, KeyPair>;

pub(crate) fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

pub(crate) fn params(name: &str) -> CertificateParams {
    CertificateParams::new([name.to_owned()]).unwrap()
}

/// A server with a certificate of `authority`, or of its own.
pub(crate) async fn server(params: CertificateParams, authority: Option<&Authority>) -> Server {
    let key = KeyPair::generate().unwrap();
    let certificate = match authority {
        Some(authority) => params.signed_by(&key, authority).unwrap(),
        None => params.self_signed(&key).unwrap(),
    };
    serve(certificate.der().clone(), key).await
}

async fn serve(certificate: CertificateDer<'static>, key: KeyPair) -> Server {
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    Server::start(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                return;
            };
            while read_request(&mut stream).await.is_some() {
                stream.write_all(ok("1").as_bytes()).await.unwrap();
            }
        }
    })
    .await
}

fn client_trusting(authority: &Authority) -> Client {
    let ca_pem = Some(authority.pem().into_bytes());
    Client::new(&ClientConfig {
        ca_pem,
        ..local_config()
    })
    .unwrap()
}

fn https(server: &Server, host: &str) -> SecretUrl {
    url(&format!("https://{host}:{}{PATH}", server.address.port()))
}

#[tokio::test]
async fn a_certificate_of_ca_file_is_accepted_for_its_names() {
    let authority = authority("One");
    let client = client_trusting(&authority);
    for name in ["localhost", "127.0.0.1"] {
        let server = server(params(name), Some(&authority)).await;
        for _ in 0..2 {
            assert_eq!(post(&client, &https(&server, name)).await.unwrap().body, b"1");
        }
        assert_eq!(server.connections(), 1, "the connection is kept");
    }
}

#[tokio::test]
async fn other_certificates_fail_with_the_reason() {
    let authority = authority("One");
    let client = client_trusting(&authority);
    let mut expired = params("localhost");
    expired.not_before = date_time_ymd(2020, 1, 1);
    expired.not_after = date_time_ymd(2021, 1, 1);
    let mut early = params("localhost");
    early.not_before = date_time_ymd(3020, 1, 1);
    early.not_after = date_time_ymd(3021, 1, 1);
    let other = self::authority("Another");
    for (params, authority, reason) in [
        (expired, Some(&authority), "has expired"),
        (early, Some(&authority), "is not valid yet"),
        (params("other.example"), Some(&authority), "is for another name"),
        (params("localhost"), Some(&other), "unknown issuer"),
        (params("localhost"), None, "self-signed"),
    ] {
        let server = server(params, authority).await;
        let error = post(&client, &https(&server, "localhost")).await.unwrap_err();
        assert!(
            matches!(&error, TransportError::Tls(why) if why.contains(reason)),
            "{reason}: {error:?}"
        );
    }
}

#[tokio::test]
async fn an_authority_is_not_trusted_unless_it_is_given() {
    let server = server(params("localhost"), Some(&authority("One"))).await;
    let error = post(&local_client(), &https(&server, "localhost"))
        .await
        .unwrap_err();
    assert!(
        matches!(&error, TransportError::Tls(why) if why.contains("unknown issuer")),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_server_without_tls_is_named() {
    let server = Server::start(|mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        read_request(&mut stream).await;
    })
    .await;
    let error = post(&local_client(), &https(&server, "localhost"))
        .await
        .unwrap_err();
    assert!(matches!(&error, TransportError::Tls(_)), "{error:?}");
}

#[tokio::test]
async fn a_handshake_that_hangs_ends_with_the_connections_time() {
    let connect_timeout = Duration::from_millis(200);
    let client = Client::new(&ClientConfig {
        connect_timeout,
        ..local_config()
    })
    .unwrap();
    let server = Server::start(|mut stream| async move {
        read_request(&mut stream).await;
    })
    .await;
    let error = post(&client, &https(&server, "localhost")).await.unwrap_err();
    assert_eq!(error, TransportError::ConnectTimeout(connect_timeout));
}

#[test]
fn a_ca_file_without_certificates_is_an_error() {
    let broken = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
    for pem in ["", "no certificate", "-----BEGIN CERTIFICATE-----\n!!!", broken] {
        let config = ClientConfig {
            ca_pem: Some(pem.into()),
            ..local_config()
        };
        let error = Client::new(&config).unwrap_err();
        assert!(matches!(error, ClientError::CaPem(_)), "{pem}: {error}");
    }
}
