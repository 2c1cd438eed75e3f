//! The file of an import on its way into the store: read once, then kept where every worker finds it.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
};

use entity::{ImportJobId, OrganizationId};
use object_store::{MultipartUpload, ObjectStoreExt, path::Path};
use sha2::{Digest, Sha256};

use super::create::blocking;
use crate::service::{
    Services,
    csv::{self, FileFault, Scanned},
    error::{Error, Result},
};

/// A text as a file, so that there is one path for both.
pub(super) async fn spool(text: String) -> Result<File> {
    blocking(move || {
        let mut file = tempfile::tempfile()?;
        file.write_all(text.as_bytes())?;
        Ok(file)
    })
    .await
}

/// What one pass over a file found out.
pub(super) struct Seen {
    pub file: File,
    pub scanned: Result<Scanned, FileFault>,
    /// The digest that the file's bytes were added to; of a file that is refused, not all of them.
    pub digest: Option<Sha256>,
}

/// Reads a file from its first byte to its last, and adds it to the digest on the way.
pub(super) async fn scan(
    mut file: File,
    table: csv::Kind,
    mode: csv::HeaderMode,
    limits: csv::Limits,
    digest: Option<Sha256>,
) -> Result<Seen> {
    blocking(move || {
        file.seek(SeekFrom::Start(0))?;
        let mut reading = Digesting { file: &file, digest };
        let scanned = csv::scan(&mut reading, table, mode, limits)?;
        let digest = reading.digest;
        Ok(Seen { file, scanned, digest })
    })
    .await
}

/// Adds what is read to a digest.
struct Digesting<'a> {
    file: &'a File,
    digest: Option<Sha256>,
}

impl Read for Digesting<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read(buffer)?;
        if let Some(digest) = &mut self.digest {
            digest.update(buffer.get(..n).unwrap_or_default());
        }
        Ok(n)
    }
}

/// Where the file of an import lies in the store.
pub(super) fn key(organization_id: OrganizationId, id: ImportJobId) -> String {
    format!("imports/{}/{}.csv", organization_id.0, id.0)
}

/// Puts the file into the object store, a piece at a time; of a file that can't be stored whole nothing stays.
pub(super) async fn store(services: &Services, mut file: File, key: &str) -> Result<()> {
    file = blocking(move || {
        file.seek(SeekFrom::Start(0))?;
        Ok(file)
    })
    .await?;
    let mut upload = services.files.put_multipart(&Path::from(key)).await?;
    let stored = send(upload.as_mut(), file).await;
    if stored.is_err()
        && let Err(error) = upload.abort().await
    {
        tracing::warn!(%error, key, "what was stored of a file can't be removed");
    }
    stored
}

/// A part at a time: more at once would only take memory, and the disk that the file comes from is one.
async fn send(upload: &mut dyn MultipartUpload, mut file: File) -> Result<()> {
    // The least that S3 takes for a part that is not the last.
    const PART: usize = 5 * 1024 * 1024;
    loop {
        let (back, part) = blocking(move || {
            let mut part = Vec::new();
            (&file).take(PART as u64).read_to_end(&mut part)?;
            Ok((file, part))
        })
        .await?;
        file = back;
        if part.is_empty() {
            break;
        }
        upload.put_part(part.into()).await?;
    }
    upload.complete().await?;
    Ok(())
}

/// Takes a file out of the store again; one that is not there is no fault.
pub(super) async fn discard(services: &Services, key: &str) -> Result<()> {
    match services.files.delete(&Path::from(key)).await {
        Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
        Err(error) => Err(Error::from(error)),
    }
}
