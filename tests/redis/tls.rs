//! Addresses with `rediss://`, over a server with certificates of the test's own.

use std::fs;

use cacheable_runtime::{Error, Runtime};
use cacheable_tests::{RedisServer, free_port};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::service::{PATIENCE, Service, level_two};

const PASSWORD: &str = "hunter2";

/// Who vouches for servers.
struct Ca(CertifiedIssuer<'static, KeyPair>);

impl Ca {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    fn pem(&self) -> String {
        self.0.as_ref().pem()
    }
}

/// A server that speaks TLS, too.
struct Secured {
    server: RedisServer,
    port: u16,
    _certificate: TempDir,
}

impl Secured {
    /// One whose certificate is for this name.
    fn start(ca: &Ca, name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &ca.0).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str, text: String| {
            let path = directory.path().join(name);
            fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let certificate = file("server.crt", certificate.pem());
        let key = file("server.key", key.serialize_pem());
        let trusted = file("ca.crt", ca.pem());
        let port = free_port();
        let server = RedisServer::start_with(&[
            "--tls-port",
            &port.to_string(),
            "--tls-cert-file",
            &certificate,
            "--tls-key-file",
            &key,
            "--tls-ca-cert-file",
            &trusted,
            "--tls-auth-clients",
            "no",
        ]);
        let user = [
            "ACL", "SETUSER", "me", "on", ">hunter2", "~*", "&*", "+@all",
        ];
        server.command::<()>(&user);
        Self {
            server,
            port,
            _certificate: directory,
        }
    }

    fn url(&self) -> String {
        url(self.port)
    }
}

fn url(port: u16) -> String {
    format!("rediss://me:{PASSWORD}@localhost:{port}")
}

async fn refused(url: &str, ca: &Ca) -> String {
    let builder = Runtime::builder().redis(url).redis_ca(ca.pem());
    let built = builder.require_connection().build().await;
    said(&built.expect_err("it is not connected to"))
}

/// All that the error says, and no secret in it.
#[track_caller]
fn said(error: &Error) -> String {
    let source = std::error::Error::source(error).map(ToString::to_string);
    let said = format!("{error} {} {error:?}", source.unwrap_or_default());
    assert!(!said.contains(PASSWORD), "{said}");
    said
}

#[tokio::test]
async fn values_go_by_tls_to_who_is_trusted_under_its_name() {
    let ca = Ca::new();
    let secured = Secured::start(&ca, "localhost");
    let builder = || level_two().budget(PATIENCE).redis(secured.url());
    let writer = Service::with(builder().redis_ca(ca.pem()).require_connection()).await;
    writer.loaded(1).await;
    let there: u64 = secured.server.command(&["EXISTS", &Service::entry(1)]);
    assert_eq!(there, 1);
    // Another process reads the same by it.
    let reader = Service::with(builder().redis_ca(ca.pem()).require_connection()).await;
    assert_eq!(reader.read(1).await.unwrap(), 1);
    assert_eq!(reader.loads(), 0);
    // Large values, in several records.
    let large = "7".repeat(900_000);
    let cache = writer.runtime.cache();
    cache.set("large", &large, PATIENCE).await.unwrap();
    let read: Option<String> = reader.runtime.cache().get("large").await.unwrap();
    assert_eq!(read, Some(large));
}

#[tokio::test]
async fn a_server_that_nobody_trusted_vouches_for_is_refused() {
    let secured = Secured::start(&Ca::new(), "localhost");
    let said = refused(&secured.url(), &Ca::new()).await;
    assert!(said.contains("nobody who is trusted here"), "{said}");
    assert!(said.contains("REDIS_CA_FILE"), "{said}");
}

#[tokio::test]
async fn a_server_of_another_name_is_refused() {
    let ca = Ca::new();
    let secured = Secured::start(&ca, "elsewhere.test");
    let said = refused(&secured.url(), &ca).await;
    assert!(said.contains("for another name"), "{said}");
}

#[tokio::test]
async fn a_server_that_does_not_speak_it_is_refused() {
    // What servers say to a greeting that they do not understand.
    let plain = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = plain.local_addr().unwrap().port();
    let answers = tokio::spawn(async move {
        loop {
            let (mut stream, _) = plain.accept().await.unwrap();
            stream.write_all(b"-ERR Protocol error\r\n").await.unwrap();
            // Until the other side has heard it.
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
    });
    let said = refused(&url(port), &Ca::new()).await;
    assert!(said.contains("does not speak TLS"), "{said}");
    answers.abort();
}

#[tokio::test]
async fn certificates_that_cannot_be_used_end_the_start() {
    for (url, pem, expected) in [
        ("rediss://localhost", "nothing", "there is none"),
        (
            "rediss://localhost",
            "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n",
            "cannot be read",
        ),
        ("redis://localhost", "nothing", "write rediss://"),
    ] {
        let built = Runtime::builder().redis(url).redis_ca(pem).build().await;
        let error = built.expect_err("the certificates are of no use");
        assert!(error.is_configuration());
        let said = said(&error);
        assert!(said.contains(expected), "{said}");
    }
}
