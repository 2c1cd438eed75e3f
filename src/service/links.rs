//! Signed, expiring addresses: whoever holds one may download what it names until it expires.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::Duration;
use entity::{ImportJobId, OrganizationId};
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use url::Url;

use super::{
    clock::Time,
    error::{Error, Result},
};

/// How long a link can be used.
pub const LIFETIME: Duration = Duration::minutes(15);

/// Makes and checks addresses under the process's secret key.
#[derive(Clone)]
pub struct Links {
    key: Vec<u8>,
    base: Url,
}

impl std::fmt::Debug for Links {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Links").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}

/// What an address gives.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Download {
    /// The failed rows of an import.
    Log(ImportJobId),
    /// The users that a filter finds; the filter as JSON.
    Users(serde_json::Value),
    /// The mappings that a filter finds; the filter as JSON.
    Mappings(serde_json::Value),
}

#[derive(Serialize, Deserialize)]
struct Claim {
    organization_id: OrganizationId,
    download: Download,
    expires_at: Time,
}

impl Links {
    /// `base` is the public address of the server; it is never taken from a request.
    pub fn new(key: Vec<u8>, base: Url) -> Self {
        Self { key, base }
    }

    pub fn base(&self) -> &Url {
        &self.base
    }

    fn mac(&self, claim: &[u8]) -> Result<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).map_err(|e| Error::internal(e.to_string()))?;
        mac.update(b"counterpart download\0");
        mac.update(claim);
        Ok(mac)
    }

    /// An address for `download`, and when it expires.
    pub fn sign(&self, organization_id: OrganizationId, download: Download, now: Time) -> Result<(Url, Time)> {
        let name = match &download {
            Download::Log(_) => "log.csv",
            Download::Users(_) => "users.csv",
            Download::Mappings(_) => "mappings.csv",
        };
        let expires_at = now + LIFETIME;
        let claim = serde_json::to_vec(&Claim { organization_id, download, expires_at })?;
        let signature = self.mac(&claim)?.finalize().into_bytes();
        let path = format!(
            "downloads/{}.{}/{name}",
            BASE64_URL_SAFE_NO_PAD.encode(&claim),
            BASE64_URL_SAFE_NO_PAD.encode(signature)
        );
        let url = self.base.join(&path).map_err(|e| Error::internal(format!("no address for a download: {e}")))?;
        Ok((url, expires_at))
    }

    /// What the signed part of an address gives; `None` when it was not signed here or has expired.
    pub fn open(&self, signed: &str, now: Time) -> Option<(OrganizationId, Download)> {
        let (claim, signature) = signed.split_once('.')?;
        let claim = BASE64_URL_SAFE_NO_PAD.decode(claim).ok()?;
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?;
        self.mac(&claim).ok()?.verify_slice(&signature).ok()?;
        let claim: Claim = serde_json::from_slice(&claim).ok()?;
        (claim.expires_at > now).then_some((claim.organization_id, claim.download))
    }
}
