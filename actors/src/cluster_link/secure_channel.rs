//! How the bytes between nodes are protected: mutual TLS 1.3 with a private authority, or not at
//! all, which is for one machine and for whoever says so.
//!
//! Both ends show a certificate that the authority signed for the name `node-<id>`. The chain is
//! checked in the handshake, the name after the hello, when the other end has said who it is: a
//! caller that discovers does not know beforehand whom it reaches.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use protocol::BrokerId;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::version::TLS13;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig,
    SignatureScheme,
};
use socket2::{Socket, TcpKeepalive};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::cluster_certificates::{AUTHORITY_CERTIFICATE, certificate_file, key_file, node_name};

/// A packet that is not confirmed for so long ends the connection (the system's own patience is a
/// quarter of an hour).
const UNCONFIRMED_MAX: Duration = Duration::from_secs(3);
/// Bytes that the system takes before they are on the wire: what it holds, nothing overtakes.
const UNSENT_BYTES: u32 = 128 * 1024;

/// Why the certificates of a cluster cannot be used. No later attempt helps until they are mended.
#[derive(Debug, Error)]
pub enum CertificateFileError {
    /// A file cannot be read.
    #[error("{}: {source}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What was wrong.
        source: rustls::pki_types::pem::Error,
    },
    /// The files do not belong together.
    #[error("the certificates in {}: {source}", directory.display())]
    Tls {
        /// The directory.
        directory: PathBuf,
        /// What was wrong.
        source: rustls::Error,
    },
    /// The authority cannot be used to check the others' certificates.
    #[error("the authority in {}: {source}", directory.display())]
    Authority {
        /// The directory.
        directory: PathBuf,
        /// What was wrong.
        source: rustls::server::VerifierBuilderError,
    },
}

/// A connection both ways.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A connection as protected as it will be.
pub(crate) struct Secured {
    pub stream: Box<dyn Duplex>,
    /// The same socket, to shut it down whatever the stream is doing.
    pub socket: Socket,
    certificate: Option<CertificateDer<'static>>,
    is_tls: bool,
}

impl Secured {
    /// Whether the other end may call itself so.
    pub fn belongs_to(&self, node: BrokerId) -> bool {
        let Some(certificate) = &self.certificate else { return !self.is_tls };
        let Ok(name) = ServerName::try_from(node_name(node)) else { return false };
        let parsed = ParsedCertificate::try_from(certificate);
        parsed.is_ok_and(|parsed| verify_server_name(&parsed, &name).is_ok())
    }
}

/// How connections are protected. See the head of this file.
#[derive(Clone)]
pub(crate) enum SecureChannel {
    /// Not at all; to other machines only if that was said.
    Plaintext { is_allowed_anywhere: bool },
    /// By mutual TLS.
    Tls { acceptor: TlsAcceptor, connector: TlsConnector },
}

impl SecureChannel {
    /// Reads `ca.pem`, `node-<id>.pem` and `node-<id>.key`.
    pub fn from_directory(directory: &Path, node: BrokerId) -> Result<Self, CertificateFileError> {
        let certificates = read_certificates(&directory.join(certificate_file(node)))?;
        let file = directory.join(key_file(node));
        let key = PrivateKeyDer::from_pem_file(&file)
            .map_err(|source| CertificateFileError::File { file, source })?;
        let tls = |source| CertificateFileError::Tls { directory: directory.to_owned(), source };
        let mut authorities = RootCertStore::empty();
        for authority in read_certificates(&directory.join(AUTHORITY_CERTIFICATE))? {
            authorities.add(authority).map_err(tls)?;
        }
        let authorities = Arc::new(authorities);
        let provider = Arc::new(aws_lc_rs::default_provider());
        let callers =
            WebPkiClientVerifier::builder_with_provider(authorities.clone(), provider.clone())
                .build()
                .map_err(|source| CertificateFileError::Authority {
                    directory: directory.to_owned(),
                    source,
                })?;
        let server = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&TLS13])
            .map_err(tls)?
            .with_client_cert_verifier(callers)
            .with_single_cert(certificates.clone(), key.clone_key())
            .map_err(tls)?;
        let client = ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&TLS13])
            .map_err(tls)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(ChainOnly { authorities, provider }))
            .with_client_auth_cert(certificates, key)
            .map_err(tls)?;
        let acceptor = TlsAcceptor::from(Arc::new(server));
        Ok(Self::Tls { acceptor, connector: TlsConnector::from(Arc::new(client)) })
    }

    /// Protects a connection that came in.
    pub async fn accept(&self, tcp: TcpStream) -> io::Result<Secured> {
        let socket = prepare(&tcp)?;
        match self {
            Self::Plaintext { .. } => Ok(plaintext(tcp, socket)),
            Self::Tls { acceptor, .. } => {
                let stream = acceptor.accept(tcp).await?;
                let certificate = own_first(stream.get_ref().1.peer_certificates());
                Ok(Secured { stream: Box::new(stream), socket, certificate, is_tls: true })
            }
        }
    }

    /// Calls `address` and protects the connection.
    pub async fn connect(&self, address: SocketAddr) -> io::Result<Secured> {
        if let Self::Plaintext { is_allowed_anywhere: false } = self
            && !address.ip().is_loopback()
        {
            let reason = "plaintext between machines is not allowed";
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, reason));
        }
        let tcp = TcpStream::connect(address).await?;
        let socket = prepare(&tcp)?;
        match self {
            Self::Plaintext { .. } => Ok(plaintext(tcp, socket)),
            Self::Tls { connector, .. } => {
                let name = ServerName::IpAddress(address.ip().into());
                let stream = connector.connect(name, tcp).await?;
                let certificate = own_first(stream.get_ref().1.peer_certificates());
                Ok(Secured { stream: Box::new(stream), socket, certificate, is_tls: true })
            }
        }
    }
}

fn plaintext(tcp: TcpStream, socket: Socket) -> Secured {
    Secured { stream: Box::new(tcp), socket, certificate: None, is_tls: false }
}

fn own_first(certificates: Option<&[CertificateDer<'_>]>) -> Option<CertificateDer<'static>> {
    certificates?.first().map(|certificate| certificate.clone().into_owned())
}

fn read_certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateFileError> {
    let error = |source| CertificateFileError::File { file: file.to_owned(), source };
    CertificateDer::pem_file_iter(file).map_err(error)?.map(|read| read.map_err(error)).collect()
}

fn prepare(tcp: &TcpStream) -> io::Result<Socket> {
    let socket = socket2::SockRef::from(tcp);
    socket.set_tcp_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(2))
        .with_interval(Duration::from_secs(1))
        .with_retries(3);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    {
        socket.set_tcp_user_timeout(Some(UNCONFIRMED_MAX))?;
        socket.set_tcp_notsent_lowat(UNSENT_BYTES)?;
    }
    socket.try_clone()
}

/// Checks that the authority signed the called node's certificate; the name is checked after the
/// hello.
#[derive(Debug)]
struct ChainOnly {
    authorities: Arc<RootCertStore>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for ChainOnly {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        verify_server_cert_signed_by_trust_anchor(
            &ParsedCertificate::try_from(end_entity)?,
            &self.authorities,
            intermediates,
            now,
            self.provider.signature_verification_algorithms.all,
        )?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        // never offered
        Err(CertificateError::ApplicationVerificationFailure.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// For a listener that nobody may use: ractor_cluster opens one of its own and cannot be told not
/// to. It has no certificate, so that every handshake fails.
pub(crate) fn nobody() -> Result<TlsAcceptor, rustls::Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let server = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(NoCertificate));
    Ok(TlsAcceptor::from(Arc::new(server)))
}

#[derive(Debug)]
struct NoCertificate;

impl ResolvesServerCert for NoCertificate {
    fn resolve(&self, _client_hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        None
    }
}
