//! Stores of uploaded files that do as a test tells them, and a real S3 server.

use std::{
    fmt, io,
    net::SocketAddr,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use axum::{Router, body::Bytes, error_handling::HandleError, http::StatusCode};
use futures::{TryStreamExt, stream::BoxStream};
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart, path::Path,
};
use s3s::{auth::SimpleAuth, service::S3ServiceBuilder};
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::Barrier};

/// The keys of all files in a store.
pub async fn keys(store: &dyn ObjectStore) -> Vec<String> {
    let mut keys: Vec<String> = store.list(None).map_ok(|file| file.location.to_string()).try_collect().await.unwrap();
    keys.sort_unstable();
    keys
}

/// Where writing a file fails, as it does on a disk that is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    AtTheStart,
    /// With this part; the first is 0.
    InPart(usize),
    AtTheEnd,
}

/// A store that may be full, and that can let nobody begin to write before all are there.
#[derive(Debug)]
pub struct Watched {
    inner: Arc<dyn ObjectStore>,
    full: Option<Full>,
    gate: Option<Barrier>,
    /// How many files somebody began to write.
    pub begun: AtomicUsize,
    /// Whether nothing can be deleted.
    pub keeps: AtomicBool,
}

impl Watched {
    pub fn new(inner: Arc<dyn ObjectStore>) -> Self {
        Self { inner, full: None, gate: None, begun: AtomicUsize::new(0), keeps: AtomicBool::new(false) }
    }

    pub fn full(self, full: Full) -> Self {
        Self { full: Some(full), ..self }
    }

    /// Writing begins when so many are about to.
    pub fn together(self, n: usize) -> Self {
        Self { gate: Some(Barrier::new(n)), ..self }
    }
}

fn no_space() -> Error {
    let source = io::Error::from(io::ErrorKind::StorageFull).into();
    Error::Generic { store: "Watched", source }
}

impl fmt::Display for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Watched({})", self.inner)
    }
}

#[async_trait]
impl ObjectStore for Watched {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.begun.fetch_add(1, Ordering::Relaxed);
        if let Some(gate) = &self.gate {
            gate.wait().await;
        }
        if self.full == Some(Full::AtTheStart) {
            return Err(no_space());
        }
        let inner = self.inner.put_multipart_opts(location, options).await?;
        Ok(Box::new(Upload { inner, full: self.full, parts: 0 }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        if self.keeps.load(Ordering::Relaxed) {
            return Box::pin(locations.and_then(|_| async { Err(no_space()) }));
        }
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

#[derive(Debug)]
struct Upload {
    inner: Box<dyn MultipartUpload>,
    full: Option<Full>,
    parts: usize,
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.parts += 1;
        if self.full == Some(Full::InPart(self.parts - 1)) {
            return Box::pin(async { Err(no_space()) });
        }
        self.inner.put_part(data)
    }

    async fn complete(&mut self) -> Result<PutResult> {
        if self.full == Some(Full::AtTheEnd) {
            return Err(no_space());
        }
        self.inner.complete().await
    }

    async fn abort(&mut self) -> Result<()> {
        self.inner.abort().await
    }
}

/// An S3 server on a free port, with the one bucket `uploads`; it lives as long as the runtime that it is started in.
pub struct S3 {
    pub address: SocketAddr,
    folder: TempDir,
}

impl S3 {
    pub const KEY: &str = "a-key-id";
    pub const SECRET: &str = "a-secret-key";

    pub async fn start() -> Self {
        let folder = TempDir::new().unwrap();
        std::fs::create_dir(folder.path().join("uploads")).unwrap();
        let mut service = S3ServiceBuilder::new(s3s_fs::FileSystem::new(folder.path()).unwrap());
        service.set_auth(SimpleAuth::from_single(Self::KEY, Self::SECRET));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let failed = async |error: s3s::HttpError| (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:?}"));
        let app = Router::new().fallback_service(HandleError::new(service.build(), failed));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { address, folder }
    }

    /// What is in the bucket, and how large; parts of uploads that are under way, too.
    pub fn files(&self) -> Vec<(String, u64)> {
        let mut files = Vec::new();
        let mut folders = vec![self.folder.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(self.folder.path()).unwrap().display().to_string();
                    files.push((name, path.metadata().unwrap().len()));
                }
            }
        }
        files.sort_unstable();
        files
    }
}
