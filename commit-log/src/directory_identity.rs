//! `meta.properties`: whom a log directory belongs to, and which format it has. Kafka's file and
//! keys, with one key more.
//!
//! ```text
//! callboard.format=1
//! cluster.id=5L6g3nShT-eMCtK--X86sw
//! directory.id=Yq2Xb1JyQ7y1hFn7nT1b1w
//! node.id=1
//! version=1
//! ```

use protocol::BrokerId;
use thiserror::Error;

/// The format that this program writes, and the newest that it reads.
const FORMAT: i64 = 1;
/// Kafka's version of the file itself.
const VERSION: i64 = 1;

/// Whom a log directory belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryIdentity {
    /// The cluster, as Kafka's clients see it.
    pub cluster_id: String,
    /// The node.
    pub node_id: BrokerId,
    /// The directory's own id, another one for every directory ever made (KIP-858).
    pub directory_id: String,
}

/// Why `meta.properties` cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum IdentityDamage {
    /// A key is missing, or its value is none.
    #[error("it has no usable {key}")]
    Key {
        /// The key.
        key: &'static str,
    },
    /// A newer program wrote the directory.
    #[error("{key} is {found}, this program knows up to {known}: use a newer one")]
    Newer {
        /// The key.
        key: &'static str,
        /// Its value.
        found: i64,
        /// The newest value known.
        known: i64,
    },
}

impl DirectoryIdentity {
    /// The file's text.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!(
            "callboard.format={FORMAT}\ncluster.id={}\ndirectory.id={}\nnode.id={}\n\
             version={VERSION}\n",
            self.cluster_id, self.directory_id, self.node_id
        )
    }

    /// Reads the file's text.
    ///
    /// # Errors
    /// [`IdentityDamage`].
    pub fn parse(text: &[u8]) -> Result<Self, IdentityDamage> {
        let text = String::from_utf8_lossy(text);
        let value = |key: &'static str| {
            let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
            let mut pairs = lines.filter_map(|line| line.split_once('='));
            let value = pairs.find(|(found, _)| found.trim() == key);
            value.map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
        };
        let number = |key: &'static str| -> Result<i64, IdentityDamage> {
            let number = value(key).and_then(|value| value.parse().ok());
            number.ok_or(IdentityDamage::Key { key })
        };
        for (key, known) in [("callboard.format", FORMAT), ("version", VERSION)] {
            let found = number(key)?;
            if found > known {
                return Err(IdentityDamage::Newer { key, found, known });
            }
        }
        let text = |key| Ok(value(key).ok_or(IdentityDamage::Key { key })?.to_owned());
        let node_id = i32::try_from(number("node.id")?).ok().filter(|id| *id >= 0);
        Ok(Self {
            cluster_id: text("cluster.id")?,
            node_id: BrokerId(node_id.ok_or(IdentityDamage::Key { key: "node.id" })?),
            directory_id: text("directory.id")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_comes_back_as_written() {
        let identity = DirectoryIdentity {
            cluster_id: "5L6g3nShT-eMCtK--X86sw".to_owned(),
            node_id: BrokerId(3),
            directory_id: "Yq2Xb1JyQ7y1hFn7nT1b1w".to_owned(),
        };
        assert_eq!(DirectoryIdentity::parse(identity.to_text().as_bytes()), Ok(identity));
    }

    #[test]
    fn a_newer_format_and_a_missing_key_are_refused() {
        let newer = b"callboard.format=2\nversion=1\nnode.id=1\ncluster.id=a\ndirectory.id=b";
        let damage = IdentityDamage::Newer { key: "callboard.format", found: 2, known: 1 };
        assert_eq!(DirectoryIdentity::parse(newer), Err(damage));
        let without = b"callboard.format=1\nversion=1\nnode.id=1\ncluster.id=\ndirectory.id=b";
        let damage = IdentityDamage::Key { key: "cluster.id" };
        assert_eq!(DirectoryIdentity::parse(without), Err(damage));
    }
}
