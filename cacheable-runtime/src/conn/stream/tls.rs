//! TLS under a connection: whom to believe, and what it means when that fails.
//!
//! The server's name is checked in any case. The library for the cryptography
//! is named here, so that no default of the process counts, or is missing.

use std::io;
use std::sync::Arc;

use redis::{ErrorKind as RedisKind, RedisError};
use rustls_native_certs::load_native_certs;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{CertificateError, ClientConfig, Error as Fault, RootCertStore};

use crate::error::{Error, ErrorKind};

/// How servers are asked to prove who they are.
#[derive(Clone)]
pub(in crate::conn) struct Tls(TlsConnector);

impl Tls {
    /// `ca`: certificates as PEM, of which one has to vouch for the server.
    /// `None`: those that the system trusts do.
    pub(in crate::conn) fn new(ca: Option<&[u8]>) -> Result<Self, Error> {
        let trusted = match ca {
            Some(pem) => of_pem(pem)?,
            None => of_the_system()?,
        };
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the library knows its own versions of TLS")
            .with_root_certificates(trusted)
            .with_no_client_auth();
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    pub(super) async fn connect(
        &self,
        host: &str,
        stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>, RedisError> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| refused("no certificate can be for a host of this name"))?;
        self.0.connect(name, stream).await.map_err(explain)
    }
}

fn of_pem(pem: &[u8]) -> Result<RootCertStore, Error> {
    let mut trusted = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let added = certificate.map(|certificate| trusted.add(certificate));
        if !matches!(added, Ok(Ok(()))) {
            return Err(unusable("one of them cannot be read"));
        }
    }
    if trusted.is_empty() {
        return Err(unusable("there is none"));
    }
    Ok(trusted)
}

fn unusable(why: &str) -> Error {
    Error::new(
        ErrorKind::Configuration,
        format!(
            "the certificates for TLS cannot be used: {why}; they are PEM, \
             `-----BEGIN CERTIFICATE-----` and so on"
        ),
    )
}

fn of_the_system() -> Result<RootCertStore, Error> {
    let mut trusted = RootCertStore::empty();
    // Some that cannot be read do not make the others worse.
    trusted.add_parsable_certificates(load_native_certs().certs);
    if trusted.is_empty() {
        return Err(Error::new(
            ErrorKind::Configuration,
            "this system trusts no certificates for TLS: install `ca-certificates`, or name the \
             server's own in REDIS_CA_FILE or with `redis_ca(…)`",
        ));
    }
    Ok(trusted)
}

/// What [`sentence`] finds again.
const OURS: &str = "TLS";

fn refused(sentence: &'static str) -> RedisError {
    (RedisKind::InvalidClientConfig, OURS, sentence.to_owned()).into()
}

fn explain(error: io::Error) -> RedisError {
    let fault = error.get_ref().and_then(|inner| inner.downcast_ref());
    match fault {
        Some(Fault::InvalidCertificate(why)) => refused(untrusted(why)),
        Some(Fault::InvalidMessage(_)) => {
            refused("what answers does not speak TLS: write redis:// for a server without it")
        }
        Some(_) => refused("the server and this client agree on no TLS connection"),
        None => error.into(),
    }
}

fn untrusted(why: &CertificateError) -> &'static str {
    match why {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "the server's certificate comes from nobody who is trusted here: name its CA in \
             REDIS_CA_FILE or with `redis_ca(…)`"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "the server's certificate is for another name than the address has"
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the server's certificate has expired"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the server's certificate is not valid yet: check the clocks"
        }
        _ => "the server's certificate is not one that can be trusted",
    }
}

/// Why there is no connection, if TLS is the reason.
pub(in crate::conn) fn sentence(error: &RedisError) -> Option<&str> {
    let ours =
        error.kind() == RedisKind::InvalidClientConfig && error.to_string().starts_with(OURS);
    error.detail().filter(|_| ours)
}
