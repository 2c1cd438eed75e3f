//! Where files go that come from the server.

use std::{
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;

use super::server::Download;

/// A place for a file.
pub enum Target {
    Standard,
    /// Something that is not a plain file, such as a pipe.
    Special(File, PathBuf),
    /// Beside the file, whose place it takes when it is complete.
    New(NamedTempFile, PathBuf),
}

impl Target {
    /// Sees to it that the file can be written before anything is asked for.
    pub fn open(path: Option<&Path>) -> Result<Self, String> {
        let Some(path) = path.filter(|path| *path != Path::new("-")) else { return Ok(Self::Standard) };
        let failed = |error| failed(path, &error);
        if path.metadata().is_ok_and(|found| !found.is_file()) {
            return Ok(Self::Special(File::options().write(true).open(path).map_err(failed)?, path.to_owned()));
        }
        // Through a link, to where the file is.
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut builder = tempfile::Builder::new();
        #[cfg(unix)]
        {
            use std::{fs::Permissions, os::unix::fs::PermissionsExt};
            // What files usually get, and not a temporary file's.
            builder.permissions(Permissions::from_mode(0o666));
        }
        let new = builder.prefix(".counterpart-").tempfile_in(folder).map_err(failed)?;
        Ok(Self::New(new, path))
    }

    /// Writes all that comes; `seen` is told of each piece's size.
    pub async fn save(self, mut download: Download, seen: impl Fn(u64)) -> Result<(), String> {
        match self {
            Self::Standard => {
                let out = io::stdout();
                while let Some(piece) = download.next().await? {
                    seen(piece.len() as u64);
                    out.lock().write_all(&piece).map_err(|error| format!("standard output: {error}"))?;
                }
                out.lock().flush().map_err(|error| format!("standard output: {error}"))
            }
            Self::Special(mut file, path) => copy(&mut download, &mut file, &path, seen).await,
            Self::New(mut new, path) => {
                copy(&mut download, new.as_file_mut(), &path, seen).await?;
                new.persist(&path).map(drop).map_err(|error| failed(&path, &error.error))
            }
        }
    }
}

async fn copy(download: &mut Download, file: &mut File, path: &Path, seen: impl Fn(u64)) -> Result<(), String> {
    while let Some(piece) = download.next().await? {
        seen(piece.len() as u64);
        file.write_all(&piece).map_err(|error| failed(path, &error))?;
    }
    Ok(())
}

fn failed(path: &Path, error: &io::Error) -> String {
    // A temporary file's name, where it stands behind the cause, says nothing to anybody.
    let why = error.to_string();
    let why = why.split_once(" at path ").map_or(why.as_str(), |(why, _)| why);
    format!("{} can't be written: {why}", path.display())
}
