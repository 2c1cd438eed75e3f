//! Operations that bring files: the GraphQL multipart request convention (`operations`, `map`, then the files).
//!
//! A file goes to a temporary file as it arrives; memory does not grow with it.

use std::{collections::HashMap, io, time::Duration};

use async_graphql::{Request as Operation, UploadValue};
use axum::body::BodyDataStream;
use futures::StreamExt;
use multer::{Constraints, Field, Multipart, SizeLimit};
use tempfile::NamedTempFile;
use tokio::io::AsyncWriteExt;

use super::{App, content, front::RequestId, refusal::Refusal, request};

const MAX_MAP_BYTES: u64 = 64 * 1024;
/// How many variables may hold a file.
const MAX_PLACES: usize = 20;
/// What a body may hold besides its files.
const SLACK_BYTES: u64 = 16 * 1024 * 1024;

/// Reads an operation and its files.
///
/// Of a file over `max_bytes` only so much is kept that whoever is given it sees that it is too large, and can say so
/// better than a status could; what is far larger ends the request.
pub async fn read(
    app: &App,
    body: &mut BodyDataStream,
    boundary: String,
    id: &RequestId,
) -> Result<Operation, Refusal> {
    let (max_bytes, silence) = (app.services.limits.upload_bytes, app.silence());
    let whole = max_bytes.saturating_mul(2).saturating_add(SLACK_BYTES);
    let limit = SizeLimit::new()
        .whole_stream(whole)
        .for_field("operations", app.settings.max_body_bytes as u64)
        .for_field("map", MAX_MAP_BYTES);
    let mut parts = Multipart::with_constraints(body.by_ref(), boundary, Constraints::new().size_limit(limit));

    let operations = part(&mut parts, "operations", silence).await?;
    let mut operation = request::read(&operations, &app.persisted)?;
    let map = part(&mut parts, "map", silence).await?;
    let mut map: HashMap<String, Vec<String>> = serde_json::from_slice(&map)
        .map_err(|error| bad(format!("The part `map` must be an object of lists of paths: {error}.")))?;
    if map.values().map(Vec::len).sum::<usize>() > MAX_PLACES {
        return Err(Refusal::too_large(format!("At most {MAX_PLACES} variables can hold a file.")));
    }
    while let Some(field) = waited(silence, parts.next_field()).await? {
        let name = field.name().unwrap_or_default().to_owned();
        let Some(places) = map.remove(&name) else {
            return Err(bad(format!("The part `{name}` is not named in `map`, or came twice.")));
        };
        let (file_name, content_type) =
            (field.file_name().unwrap_or_default().to_owned(), field.content_type().map(ToString::to_string));
        let file = keep(field, max_bytes, silence, id).await?;
        for place in places {
            // Each place reads the file from its beginning.
            let content = file.reopen().map_err(|error| disk(&error, id))?;
            let value = UploadValue { filename: file_name.clone(), content_type: content_type.clone(), content };
            let before = operation.uploads.len();
            operation.set_upload(&place, value);
            if operation.uploads.len() == before {
                return Err(bad(format!(
                    "`map` names {place}, which is no variable of the operation; send null there."
                )));
            }
        }
    }
    match map.keys().next() {
        None => Ok(operation),
        Some(name) => Err(bad(format!("The part `{name}` is named in `map`, but did not come."))),
    }
}

/// The next part, which must have this name.
async fn part(parts: &mut Multipart<'_>, name: &'static str, silence: Duration) -> Result<Vec<u8>, Refusal> {
    match waited(silence, parts.next_field()).await? {
        Some(field) if field.name() == Some(name) => Ok(waited(silence, field.bytes()).await?.to_vec()),
        _ => Err(bad("The parts must be `operations`, `map` and the files, in this order.")),
    }
}

/// Writes a file's bytes down, of a file that is too large the first that are too many.
async fn keep(
    mut field: Field<'_>,
    max_bytes: u64,
    silence: Duration,
    id: &RequestId,
) -> Result<NamedTempFile, Refusal> {
    let failed = |error: io::Error| disk(&error, id);
    let file = NamedTempFile::new().map_err(failed)?;
    let mut writer = tokio::fs::File::from_std(file.reopen().map_err(failed)?);
    let mut room = max_bytes.saturating_add(1);
    while let Some(chunk) = waited(silence, field.chunk()).await? {
        let kept = chunk.len().min(usize::try_from(room).unwrap_or(usize::MAX));
        writer.write_all(chunk.get(..kept).unwrap_or_default()).await.map_err(failed)?;
        room -= kept as u64;
    }
    writer.flush().await.map_err(failed)?;
    Ok(file)
}

async fn waited<T>(silence: Duration, reading: impl Future<Output = multer::Result<T>>) -> Result<T, Refusal> {
    match tokio::time::timeout(silence, reading).await {
        Ok(read) => read.map_err(|error| match error {
            multer::Error::FieldSizeExceeded { field_name, limit } => Refusal::too_large(format!(
                "The part `{}` is larger than {limit} bytes.",
                field_name.unwrap_or_default()
            )),
            multer::Error::StreamSizeExceeded { limit } => {
                Refusal::too_large(format!("The body is larger than {limit} bytes."))
            }
            error => bad(format!("The multipart body can't be read: {error}.")),
        }),
        Err(_) => Err(content::late()),
    }
}

fn bad(message: impl Into<std::borrow::Cow<'static, str>>) -> Refusal {
    Refusal::bad_request(message)
}

fn disk(error: &io::Error, id: &RequestId) -> Refusal {
    tracing::error!(%error, "an uploaded file can't be written to the temporary folder");
    Refusal::internal(&id.0)
}
