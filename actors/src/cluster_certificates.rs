//! Certificates for the TLS between nodes: a private authority and one certificate a node. Whoever
//! holds a certificate of the authority is a node of the cluster, so all keys are readable by
//! their owner alone.
//!
//! ```text
//! ca.pem          the authority's certificate: every node has it
//! ca.key          the authority's key: makes more certificates, and belongs on no node
//! node-<id>.pem   a node's certificate, for the name node-<id> and its hosts
//! node-<id>.key   a node's key
//! ```
//!
//! Both sides of a connection show their certificate, so each is good for a server and a client.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use protocol::BrokerId;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use thiserror::Error;

/// The authority's certificate.
pub const AUTHORITY_CERTIFICATE: &str = "ca.pem";
/// The authority's key.
pub const AUTHORITY_KEY: &str = "ca.key";

const AUTHORITY_NAME: &str = "Callboard cluster authority";
/// Clocks of nodes may be behind.
const VALID_BEFORE: Duration = Duration::from_hours(24);
/// Ten years: nobody renews the certificates of a private cluster in time.
const VALID_FOR: Duration = Duration::from_hours(24 * 3653);
const OWNER_ONLY: u32 = 0o600;
const EVERYBODY_READS: u32 = 0o644;

/// The file of a node's certificate.
#[must_use]
pub fn certificate_file(node: BrokerId) -> String {
    format!("{}.pem", node_name(node))
}

/// The file of a node's key.
#[must_use]
pub fn key_file(node: BrokerId) -> String {
    format!("{}.key", node_name(node))
}

/// What a node is called in its certificate, whatever host it is on.
#[must_use]
pub fn node_name(node: BrokerId) -> String {
    format!("node-{node}")
}

/// A node that gets a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeToCertify {
    /// Its number.
    pub node: BrokerId,
    /// Host names and addresses that the certificate is good for besides the node's name.
    pub hosts: Vec<String>,
}

/// Why certificates were not made.
#[derive(Debug, Error)]
pub enum CertificateError {
    /// Something is there already; a certificate in use would be lost.
    #[error("{path} exists already, and is not overwritten")]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The authority cannot make more certificates without its key.
    #[error("{certificate} is there, but not {key} that belongs to it")]
    KeyMissing {
        /// The authority's certificate.
        certificate: PathBuf,
        /// Where its key was looked for.
        key: PathBuf,
    },
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A host name is none, or a key cannot be read.
    #[error("no certificate can be made for {name}: {source}")]
    Make {
        /// Whose certificate.
        name: String,
        /// What is wrong.
        source: rcgen::Error,
    },
}

impl CertificateError {
    /// Whether doing the same again may help: never, somebody has to look.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Exists { .. }
            | Self::KeyMissing { .. }
            | Self::File { .. }
            | Self::Make { .. } => false,
        }
    }
}

/// Makes certificates in a directory, which it makes too if need be, and gives the files written.
/// The authority is made with the first certificates; further nodes get theirs from the same one.
///
/// # Errors
/// See [`CertificateError`]; nothing is written where a file exists already.
pub fn make_certificates(
    directory: &Path,
    nodes: &[NodeToCertify],
    now: SystemTime,
) -> Result<Vec<PathBuf>, CertificateError> {
    let files = |node: &NodeToCertify| [certificate_file(node.node), key_file(node.node)];
    for name in nodes.iter().flat_map(files) {
        refuse_existing(&directory.join(name))?;
    }
    fs::create_dir_all(directory).map_err(|source| file_error(directory, source))?;
    let mut written = Vec::new();
    let authority = authority(directory, now, &mut written)?;
    for node in nodes {
        let name = node_name(node.node);
        let made = node_certificate(node, &authority, now);
        let (certificate, key) = made.map_err(|source| CertificateError::Make { name, source })?;
        let [certificate_file, key_file] = files(node).map(|file| directory.join(file));
        write(&key_file, &key, OWNER_ONLY)?;
        write(&certificate_file, &certificate, EVERYBODY_READS)?;
        written.extend([certificate_file, key_file]);
    }
    Ok(written)
}

fn refuse_existing(path: &Path) -> Result<(), CertificateError> {
    match path.exists() {
        true => Err(CertificateError::Exists { path: path.to_owned() }),
        false => Ok(()),
    }
}

/// The authority of the directory; a new one where there is none.
fn authority(
    directory: &Path,
    now: SystemTime,
    written: &mut Vec<PathBuf>,
) -> Result<Issuer<'static, KeyPair>, CertificateError> {
    let (certificate, key) = (directory.join(AUTHORITY_CERTIFICATE), directory.join(AUTHORITY_KEY));
    let name = AUTHORITY_NAME.to_owned();
    let make_error = |source| CertificateError::Make { name, source };
    if !certificate.exists() {
        refuse_existing(&key)?;
        let (pair, pem) = new_authority(now).map_err(make_error)?;
        write(&key, &pair.serialize_pem(), OWNER_ONLY)?;
        write(&certificate, &pem, EVERYBODY_READS)?;
        written.extend([certificate, key]);
        return Ok(Issuer::new(authority_parameters(now), pair));
    }
    if !key.exists() {
        return Err(CertificateError::KeyMissing { certificate, key });
    }
    let text = fs::read_to_string(&key).map_err(|source| file_error(&key, source))?;
    let pair = KeyPair::from_pem(&text).map_err(make_error)?;
    Ok(Issuer::new(authority_parameters(now), pair))
}

fn new_authority(now: SystemTime) -> Result<(KeyPair, String), rcgen::Error> {
    let pair = KeyPair::generate()?;
    let pem = authority_parameters(now).self_signed(&pair)?.pem();
    Ok((pair, pem))
}

/// The same for every run, so that the key alone stands for the authority.
fn authority_parameters(now: SystemTime) -> CertificateParams {
    let mut parameters = dated(CertificateParams::default(), now);
    parameters.distinguished_name.push(DnType::CommonName, AUTHORITY_NAME);
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    parameters
}

/// A node's certificate and key.
fn node_certificate(
    node: &NodeToCertify,
    authority: &Issuer<'_, KeyPair>,
    now: SystemTime,
) -> Result<(String, String), rcgen::Error> {
    let name = node_name(node.node);
    let names = std::iter::once(name.clone()).chain(node.hosts.iter().cloned());
    let mut parameters = dated(CertificateParams::new(names.collect::<Vec<_>>())?, now);
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    parameters.use_authority_key_identifier_extension = true;
    let pair = KeyPair::generate()?;
    Ok((parameters.signed_by(&pair, authority)?.pem(), pair.serialize_pem()))
}

fn dated(mut parameters: CertificateParams, now: SystemTime) -> CertificateParams {
    parameters.not_before = (now - VALID_BEFORE).into();
    parameters.not_after = (now + VALID_FOR).into();
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    parameters
}

fn file_error(path: &Path, source: io::Error) -> CertificateError {
    CertificateError::File { path: path.to_owned(), source }
}

/// Writes a file that must not exist, with these permissions from its first byte on.
fn write(path: &Path, text: &str, mode: u32) -> Result<(), CertificateError> {
    let mut options = OpenOptions::new();
    let opened = options.write(true).create_new(true).mode(mode).open(path);
    let written = opened.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => CertificateError::Exists { path: path.to_owned() },
        _ => file_error(path, source),
    })
}

#[cfg(test)]
mod tests {
    use super::{CertificateError, NodeToCertify, make_certificates};
    use protocol::BrokerId;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;
    use std::time::SystemTime;

    fn node(number: i32) -> NodeToCertify {
        let hosts = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
        NodeToCertify { node: BrokerId(number), hosts }
    }

    fn make(directory: &Path, nodes: &[i32]) -> Result<usize, CertificateError> {
        let nodes: Vec<_> = nodes.iter().copied().map(node).collect();
        Ok(make_certificates(directory, &nodes, SystemTime::now())?.len())
    }

    #[test]
    fn keys_are_readable_by_their_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(make(directory.path(), &[1, 2]).unwrap(), 6);
        for (file, mode) in [
            ("ca.key", 0o600),
            ("node-1.key", 0o600),
            ("node-2.key", 0o600),
            ("ca.pem", 0o644),
            ("node-1.pem", 0o644),
        ] {
            let metadata = fs::metadata(directory.path().join(file)).unwrap();
            // the process may mask more
            assert_eq!(metadata.permissions().mode() & 0o777 & !mode, 0, "{file}");
        }
    }

    #[test]
    fn nothing_is_overwritten_and_the_authority_makes_more() {
        let directory = tempfile::tempdir().unwrap();
        make(directory.path(), &[1]).unwrap();
        let before = fs::read(directory.path().join("ca.pem")).unwrap();
        let refused = make(directory.path(), &[2, 1]).unwrap_err();
        assert!(matches!(refused, CertificateError::Exists { .. }), "{refused}");
        assert!(!directory.path().join("node-2.pem").exists(), "all or nothing");
        assert_eq!(make(directory.path(), &[2]).unwrap(), 2);
        assert_eq!(fs::read(directory.path().join("ca.pem")).unwrap(), before);
        fs::remove_file(directory.path().join("ca.key")).unwrap();
        let refused = make(directory.path(), &[3]).unwrap_err();
        assert!(matches!(refused, CertificateError::KeyMissing { .. }), "{refused}");
    }

    #[test]
    fn a_host_that_is_no_name_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let nodes = [NodeToCertify { node: BrokerId(1), hosts: vec!["büro".to_owned()] }];
        let refused = make_certificates(directory.path(), &nodes, SystemTime::now());
        assert!(matches!(refused, Err(CertificateError::Make { .. })));
    }
}
