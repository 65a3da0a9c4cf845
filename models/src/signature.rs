//! Signatures of bundles (ed25519, RFC 8032), so that a robot takes models from those only whose keys it was given.
//!
//! `manifest.sig` is a line `ed25519 PUBLIC-KEY SIGNATURE` in hexadecimal digits. What is signed are the bytes of
//! `manifest.toml`, which has the sums of all other files.

use std::fmt;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::str::FromStr;

use ed25519_compact::{KeyPair, Seed, Signature};
use serde::{Deserialize, Serialize};

use crate::error::BundleError;
use crate::file::read_file;
use crate::manifest::MANIFEST_FILE;
use crate::manifest_file::{ManifestFile, SIGNATURE_FILE, read_beside};
use crate::seal;
use crate::sum::{hex, unhex};

/// What a signature begins with.
const ALGORITHM: &str = "ed25519";

/// Whose signature is meant: 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicKey([u8; 32]);

/// Keys whose signatures are accepted; none where signatures are not asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TrustedKeys(pub Vec<PublicKey>);

/// What signs: the seed of an ed25519 key pair. It is written to a file and nowhere else.
pub struct SecretKey(KeyPair);

impl FromStr for PublicKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        unhex(text).map(Self).ok_or_else(|| {
            format!("expected a public key of 64 hexadecimal digits, as `latco model keygen` prints it, found {text:?}")
        })
    }
}

impl TryFrom<String> for PublicKey {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<PublicKey> for String {
    fn from(key: PublicKey) -> Self {
        key.to_string()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl SecretKey {
    /// Makes a key from the system's random numbers and writes it into a new file that only its owner may read.
    ///
    /// # Errors
    /// The system's error, for example that the file exists.
    pub fn generate(file: &Path) -> std::io::Result<Self> {
        let mut seed = [0; 32];
        std::fs::File::open("/dev/urandom")?.read_exact(&mut seed)?;
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(file)?;
        writeln!(file, "{ALGORITHM} secret {}", hex(&seed))?;
        file.sync_all()?;
        Ok(Self::of(seed))
    }

    /// Reads the key that [`SecretKey::generate`] wrote.
    ///
    /// # Errors
    /// The system's error, or that the file holds no key.
    pub fn read(file: &Path) -> std::io::Result<Self> {
        let text = String::from_utf8(read_file(file, 4096)?).unwrap_or_default();
        let words: Vec<&str> = text.split_whitespace().collect();
        let seed = match words[..] {
            [ALGORITHM, "secret", digits] => unhex(digits),
            _ => None,
        };
        seed.map(Self::of).ok_or_else(|| {
            std::io::Error::other(
                "expected a secret key, as `latco model keygen` writes it, found something else",
            )
        })
    }

    fn of(seed: [u8; 32]) -> Self {
        Self(KeyPair::from_seed(Seed::new(seed)))
    }

    /// The key by which its signatures are known.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(*self.0.pk)
    }
}

/// Signs the bundle in `dir`, whose seal has to be right.
///
/// # Errors
/// [`BundleError::Refused`] when the manifest was changed and not sealed, [`BundleError::Manifest`] when it cannot be read, or
/// the signature not be written.
pub fn sign(dir: &Path, key: &SecretKey) -> Result<(), BundleError> {
    let failed = |e: std::io::Error| BundleError::Manifest {
        dir: dir.to_path_buf(),
        reason: format!("cannot be signed: {e}"),
    };
    let text = ManifestFile::read(dir)?.bytes;
    if let Some(mismatch) = seal::mismatch(dir, &text) {
        return Err(BundleError::Refused {
            dir: dir.to_path_buf(),
            mismatches: vec![mismatch],
        });
    }
    let line = format!(
        "{ALGORITHM} {} {}\n",
        key.public(),
        hex(&*key.0.sk.sign(&text, None))
    );
    std::fs::write(dir.join(SIGNATURE_FILE), line).map_err(failed)
}

/// Who signed the bundle in `dir`, whose manifest has this content; a wrong signature, or one of nobody who is trusted, is
/// added to `found`.
pub(crate) fn signer(
    dir: &Path,
    manifest: &[u8],
    trusted: &TrustedKeys,
    found: &mut Vec<String>,
) -> Option<PublicKey> {
    let text = match read_beside(dir, SIGNATURE_FILE) {
        Ok(text) => text,
        Err(reason) => {
            found.push(reason);
            return None;
        }
    };
    let keys: Vec<String> = trusted.0.iter().map(PublicKey::to_string).collect();
    let Some(text) = text else {
        if !keys.is_empty() {
            found.push(format!(
                "the bundle is not signed, expected a signature by {}: `latco model sign` makes one",
                keys.join(" or ")
            ));
        }
        return None;
    };
    let words: Vec<&str> = text.split_whitespace().collect();
    let parts = match words[..] {
        [ALGORITHM, key, signature] => unhex(key).zip(unhex(signature)),
        _ => None,
    };
    let Some((key, signature)) = parts else {
        found.push(format!(
            "{SIGNATURE_FILE} is damaged: expected `{ALGORITHM} PUBLIC-KEY SIGNATURE`"
        ));
        return None;
    };
    let is_right = ed25519_compact::PublicKey::new(key)
        .verify(manifest, &Signature::new(signature))
        .is_ok();
    let key = PublicKey(key);
    if !is_right {
        found.push(format!(
            "{SIGNATURE_FILE} is not the signature of {MANIFEST_FILE} by the key {key}: one of them was changed"
        ));
        return None;
    }
    if !keys.is_empty() && !trusted.0.contains(&key) {
        found.push(format!(
            "the bundle is signed by {key}, expected a signature by {}",
            keys.join(" or ")
        ));
    }
    Some(key)
}
