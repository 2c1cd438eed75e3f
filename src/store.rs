//! Opening the store of uploaded files at the start: a folder, or a bucket of an S3-compatible store.

use std::{
    error::Error,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use object_store::{
    ObjectStore, ObjectStoreExt, RetryConfig, aws::AmazonS3Builder, local::LocalFileSystem, path::Path as Key,
    prefix::PrefixStore,
};
use url::Url;

/// How long a store may take to answer at the start.
const PATIENCE: Duration = Duration::from_secs(10);

/// A file that is being written is touched more often than this.
const ABANDONED: Duration = Duration::from_secs(24 * 60 * 60);

/// Opens the store at `place`, or else in the data folder, and sees that it can be written to and read from.
///
/// # Errors
/// One line for the person who starts the program: what is wrong with the setting, and what to do.
pub async fn open(place: Option<&str>, data: &Path) -> Result<Arc<dyn ObjectStore>, String> {
    let Some(place) = place else {
        return folder(&data.join("files")).map_err(|why| format!("COUNTERPART_DATA_DIR (--data-dir): {why}"));
    };
    let opened = match place.split_once("://") {
        None if place.is_empty() => Err("this is empty: give a folder, or s3://BUCKET/PREFIX".to_owned()),
        None => folder(Path::new(place)),
        Some(("s3", _)) => bucket(place).await,
        Some((scheme, _)) => {
            Err(format!("{scheme}:// is not a store that this server knows: give a folder, or s3://BUCKET/PREFIX"))
        }
    };
    opened.map_err(|why| format!("COUNTERPART_STORE (--store): {why}"))
}

fn folder(folder: &Path) -> Result<Arc<dyn ObjectStore>, String> {
    let failed =
        |error: &dyn Error| format!("{} can't be written to ({error}): give a folder that can", folder.display());
    fs::create_dir_all(folder).and_then(|()| tempfile::tempfile_in(folder).map(drop)).map_err(|e| failed(&e))?;
    remove_abandoned(folder).map_err(|e| failed(&e))?;
    // An import that was acknowledged has its file, even after a power cut.
    let store = LocalFileSystem::new_with_prefix(folder).map_err(|e| failed(&e))?.with_fsync(true);
    Ok(Arc::new(store))
}

/// Removes what a process that was killed in the middle of an upload has left: the store writes `NAME#NUMBER`, which
/// it never lists, and renames it at the end.
fn remove_abandoned(folder: &Path) -> io::Result<()> {
    let files = |folder: PathBuf| match fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<PathBuf>>>(),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(Vec::new()),
        Err(error) => Err(error),
    };
    for file in files(folder.join("imports"))?.into_iter().map(files).collect::<io::Result<Vec<_>>>()?.concat() {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_part = name
            .rsplit_once(".csv#")
            .is_some_and(|(_, number)| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()));
        // Of a file that another server has just renamed or removed there is nothing to say.
        let Some(modified) = fs::metadata(&file).and_then(|found| found.modified()).ok().filter(|_| is_part) else {
            continue;
        };
        if SystemTime::now().duration_since(modified).is_ok_and(|age| age > ABANDONED) {
            fs::remove_file(&file)?;
        }
    }
    Ok(())
}

/// A bucket, or what lies below a prefix in it. The keys, the region and the address come from the `AWS_` variables.
async fn bucket(place: &str) -> Result<Arc<dyn ObjectStore>, String> {
    let unreadable = |why: &str| format!("{place} can't be read ({why}): give s3://BUCKET or s3://BUCKET/PREFIX");
    let url = Url::parse(place).map_err(|error| unreadable(&error.to_string()))?;
    if url.host_str().is_none_or(str::is_empty) || url.query().is_some() || url.fragment().is_some() {
        return Err(unreadable("it is not a bucket and a prefix"));
    }
    let prefix = Key::from_url_path(url.path()).map_err(|error| unreadable(&error.to_string()))?;
    // The same TLS library as the database's connections use; another provider may have been chosen before.
    let _ = rustls::crypto::ring::default_provider().install_default();

    let failed = |error: &dyn Error| {
        format!(
            "{place} can't be used ({}): check the bucket, and the AWS_ variables that say how to reach it",
            short(error)
        )
    };
    let builder = AmazonS3Builder::from_env().with_url(place);
    // Who waits for the start is told at once; later, a store that is away for a while is waited for.
    let hasty = RetryConfig { max_retries: 1, retry_timeout: PATIENCE / 2, ..RetryConfig::default() };
    let probe = builder.clone().with_retry(hasty).build().map_err(|e| failed(&e))?;
    match tokio::time::timeout(PATIENCE, check(&PrefixStore::new(probe, prefix.clone()))).await {
        Ok(checked) => checked.map_err(|e| failed(&e))?,
        Err(_) => return Err(failed(&io::Error::other(format!("no answer within {} s", PATIENCE.as_secs())))),
    }
    let store = builder.build().map_err(|e| failed(&e))?;
    Ok(Arc::new(PrefixStore::new(store, prefix)))
}

/// What an import does with the store, with a small object: write, read, remove.
async fn check(store: &impl ObjectStore) -> object_store::Result<()> {
    let key = Key::from(format!("checks/{:016x}", rand::random::<u64>()));
    store.put(&key, "counterpart".into()).await?;
    let read = async { store.get(&key).await?.bytes().await }.await;
    store.delete(&key).await?;
    read.map(drop)
}

/// The innermost cause; of the page that a server may have sent along, only its code.
fn short(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let text = cause.to_string();
    let (said, page) = text.split_once('<').unwrap_or((&text, ""));
    let code = page.split_once("<Code>").and_then(|(_, code)| code.split_once("</Code>")).map(|(code, _)| code);
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("{said} {}", code.unwrap_or_default()).trim_end_matches([' ', ':']).to_owned()
}
