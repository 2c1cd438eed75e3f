//! Files that are no pages: the schema, the CSV templates, and downloads by signed address.

use std::sync::Arc;

use axum::{
    Extension,
    body::Body,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use entity::OrganizationId;
use futures::{StreamExt, stream};
use tokio::sync::mpsc;

use super::{App, front::RequestId, refusal::Refusal};
use crate::{
    graphql,
    service::{
        Result, Services,
        csv::{Kind, template as template_of},
        download,
        links::Download,
    },
};

const GONE: &str = "What this address gave is gone. The rows and the log of an import are kept for a time that the \
                    server sets; after it, only its counts are left.\n";

/// The schema, as `counterpart schema` prints it.
pub async fn schema() -> Response {
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], graphql::sdl()).into_response()
}

/// The header row of a kind of file, to start one from.
pub async fn template(Path(file): Path<String>) -> Response {
    let kind = match file.as_str() {
        "users.csv" => Kind::Users,
        "mappings.csv" => Kind::Mappings,
        "crm-users.csv" => Kind::CrmUsers,
        _ => return (StatusCode::NOT_FOUND, "There is nothing at this address.\n").into_response(),
    };
    csv(&file, Body::from(template_of(kind)))
}

/// What a signed address gives, while it is valid. The address is the permission: no token is needed.
pub async fn download(
    State(app): State<App>,
    Extension(RequestId(id)): Extension<RequestId>,
    Path((signed, name)): Path<(String, String)>,
) -> Response {
    let Some((organization_id, download)) = app.services.links.open(&signed, app.services.clock.now()) else {
        return (StatusCode::NOT_FOUND, "This address is not valid, or no longer: ask the API for a new one.\n")
            .into_response();
    };
    match open(&app.services, organization_id, download).await {
        Ok(Some(content)) => csv(&name, content),
        Ok(None) => (StatusCode::NOT_FOUND, GONE).into_response(),
        Err(error) => Refusal::of(&error, &id).into_response(),
    }
}

/// The content of a download, read while it is sent; `None` where it is gone.
async fn open(services: &Arc<Services>, organization_id: OrganizationId, download: Download) -> Result<Option<Body>> {
    let Some(mut file) = download::open(services, organization_id, download).await? else { return Ok(None) };
    let services = Arc::clone(services);
    // While one piece is sent, the next one is read; further ahead nobody reads, so that memory does not grow.
    let (pieces, mut sent) = mpsc::channel(1);
    tokio::spawn(async move {
        loop {
            let piece = file.next(&services).await;
            let is_last = !matches!(piece, Ok(Some(_)));
            // Nobody listens when the client is gone.
            if pieces.send(piece).await.is_err() || is_last {
                return;
            }
        }
    });
    let pieces = stream::poll_fn(move |cx| {
        sent.poll_recv(cx).map(|piece| match piece {
            Some(Ok(piece)) => piece.map(Ok),
            // The answer has begun: all that is left is to cut it off, so that nobody takes half a file for a whole one.
            Some(Err(error)) => {
                tracing::error!(%error, "a download was cut off");
                Some(Err(std::io::Error::other("the download was cut off")))
            }
            None => Some(Err(std::io::Error::other("the download was cut off"))),
        })
    });
    // Whoever compresses it may ask again after the end.
    Ok(Some(Body::from_stream(pieces.fuse())))
}

fn csv(name: &str, content: Body) -> Response {
    let name: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')).collect();
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    (headers, content).into_response()
}
