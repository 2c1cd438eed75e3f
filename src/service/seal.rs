//! Credentials sealed at rest: ChaCha20-Poly1305 under a key that is derived from the secret key, bound to the place
//! where they are kept, so that what is copied to another row or organisation can't be opened there.
//!
//! Older secret keys still open what they sealed; [`Seal::is_current`] says what is to be sealed anew.

use ring::{
    aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf::{HKDF_SHA256, Salt},
};
use sha2::{Digest, Sha256};

use super::error::{Error, Result};

/// The form of what is sealed: this byte, the key's name, the nonce, the ciphertext and its tag.
const VERSION: u8 = 1;
const NAME: usize = 8;
const HEADER: usize = 1 + NAME + NONCE_LEN;

struct Key {
    /// Names the key without giving it away.
    name: [u8; NAME],
    key: LessSafeKey,
}

/// Seals and opens.
pub struct Seal {
    /// The one that seals, then those that still open.
    keys: Vec<Key>,
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal")
    }
}

impl Seal {
    /// With the secret key, and those that were in use before it.
    ///
    /// # Errors
    /// None that a key could cause.
    pub fn new(secret: &[u8], before: &[Vec<u8>]) -> Result<Self> {
        let secrets = std::iter::once(secret).chain(before.iter().map(Vec::as_slice));
        Ok(Self { keys: secrets.map(derive).collect::<Result<_>>()? })
    }

    /// Seals `text` for `place`, which must be given again to open it.
    pub fn seal(&self, place: &[u8], text: &[u8]) -> Result<Vec<u8>> {
        let key = self.keys.first().ok_or_else(|| Error::internal("there is no key to seal with"))?;
        // Random: the messages under one key are far fewer than the 2^32 that 96 random bits allow.
        let nonce: [u8; NONCE_LEN] = rand::random();
        let mut sealed = vec![VERSION];
        sealed.extend_from_slice(&key.name);
        sealed.extend_from_slice(&nonce);
        let mut body = text.to_vec();
        key.key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(place), &mut body)
            .map_err(|_| Error::internal("the credentials can't be sealed"))?;
        sealed.append(&mut body);
        Ok(sealed)
    }

    /// What was sealed for `place`; `None` where no key opens it.
    pub fn open(&self, place: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (header, body) = sealed.split_at_checked(HEADER)?;
        let (name, nonce) = header.strip_prefix(&[VERSION])?.split_at(NAME);
        let key = self.keys.iter().find(|key| key.name == name)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut body = body.to_vec();
        Some(key.key.open_in_place(nonce, Aad::from(place), &mut body).ok()?.to_vec())
    }

    /// Whether the key that seals now has sealed this.
    pub fn is_current(&self, sealed: &[u8]) -> bool {
        let name = sealed.get(1..=NAME);
        self.keys.first().is_some_and(|key| name == Some(&key.name[..]))
    }
}

fn derive(secret: &[u8]) -> Result<Key> {
    let failed = |_| Error::internal("a key can't be derived from the secret key");
    let expand = Salt::new(HKDF_SHA256, b"counterpart").extract(secret);
    let key: UnboundKey = expand.expand(&[b"credentials"], &CHACHA20_POLY1305).map_err(failed)?.into();
    let digest = Sha256::digest([b"counterpart key name ".as_slice(), secret].concat());
    let mut name = [0; NAME];
    name.copy_from_slice(&digest[..NAME]);
    Ok(Key { name, key: LessSafeKey::new(key) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_in_its_place_only() {
        let seal = Seal::new(b"0123456789abcdef0123456789abcdef", &[]).unwrap();
        let sealed = seal.seal(b"here", b"a secret").unwrap();
        assert!(!sealed.windows(8).any(|part| part == b"a secret"));
        assert_ne!(seal.seal(b"here", b"a secret").unwrap(), sealed, "a nonce is never used twice");
        assert_eq!(seal.open(b"here", &sealed).unwrap(), b"a secret");
        assert_eq!(seal.open(b"there", &sealed), None);
        for at in 0..sealed.len() {
            let mut broken = sealed.clone();
            broken[at] ^= 1;
            assert_eq!(seal.open(b"here", &broken), None, "byte {at}");
            assert_eq!(seal.open(b"here", &sealed[..at]), None, "{at} bytes");
        }
    }

    #[test]
    fn an_older_key_still_opens() {
        let old = Seal::new(b"the old key", &[]).unwrap();
        let sealed = old.seal(b"here", b"a secret").unwrap();
        let new = Seal::new(b"the new key", &[b"the old key".to_vec()]).unwrap();
        assert_eq!(new.open(b"here", &sealed).unwrap(), b"a secret");
        assert!(old.is_current(&sealed) && !new.is_current(&sealed));
        let without = Seal::new(b"the new key", &[]).unwrap();
        assert_eq!(without.open(b"here", &sealed), None);
    }
}
