//! HubSpot's `owners`.

use std::sync::Arc;

use axum::{
    Extension, Json,
    body::Body,
    extract::{Query, State},
    http::{HeaderMap, Response, header::HOST},
    response::IntoResponse,
};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use super::{
    Fake, FakeUser,
    fault::{cursor_expired, refusal},
    server::Flaw,
    state::Kind,
    table::Record,
};

const KIND: Kind = Kind::HubSpot;
/// More are not given at once.
const LIMIT: usize = 500;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    limit: usize,
    archived: bool,
    /// `ERA~ID`: those after this one.
    after: Option<String>,
}

#[derive(Serialize)]
struct Answer<'a> {
    results: Vec<Owner<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    paging: Option<Paging>,
}

#[derive(Serialize)]
struct Paging {
    next: Next,
}

#[derive(Serialize)]
struct Next {
    after: String,
    link: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Owner<'a> {
    id: &'a str,
    email: Option<&'a str>,
    #[serde(rename = "type")]
    kind: &'static str,
    first_name: Option<&'a str>,
    last_name: Option<&'a str>,
    user_id: u64,
    archived: bool,
    created_at: Option<String>,
    updated_at: Option<String>,
}

/// `GET /crm/v3/owners/`
pub async fn owners(
    State(fake): State<Fake>,
    Extension(flaw): Extension<Flaw>,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Response<Body> {
    let (rows, mut size, era) = match fake.crm(KIND) {
        Some(mut crm) => (crm.users.rows(None), crm.page_size(asked.limit.clamp(1, LIMIT)), crm.era),
        None => return refusal(KIND, 404, "OBJECT_NOT_FOUND", "There is no such CRM."),
    };
    let (start, last) = match asked.after.as_deref().map(|after| after.split_once('~')) {
        None => (0, String::new()),
        Some(Some((of, id))) if of == era.to_string() => (rows.partition_point(|row| row.id() <= id), id.to_owned()),
        Some(_) => return cursor_expired(KIND),
    };
    // One more than the page has, to see whether there is a next one.
    let of_kind = rows.iter().skip(start).filter(|user| user.is_active != asked.archived);
    let mut page: Vec<&Arc<FakeUser>> = of_kind.take(size.saturating_add(1)).collect();
    let has_more = page.len() > size;
    if flaw.is_truncated() {
        size = page.len().min(size) / 2;
    }
    page.truncate(size);
    let paging = (has_more && !flaw.is_truncated()).then(|| {
        let after = format!("{era}~{}", page.last().map_or(last.as_str(), |user| user.id()));
        let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("127.0.0.1");
        let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("after", &after).finish();
        Paging { next: Next { after, link: flaw.next(format!("http://{host}/crm/v3/owners/?{query}")) } }
    });
    Json(Answer { results: page.into_iter().map(|user| owner(user)).collect(), paging }).into_response()
}

fn owner(user: &FakeUser) -> Owner<'_> {
    Owner {
        id: &user.id,
        email: user.email.as_deref(),
        kind: if user.is_person { "PERSON" } else { "QUEUE" },
        first_name: user.first_name.as_deref(),
        last_name: user.last_name.as_deref(),
        user_id: user.id.parse().unwrap_or(1),
        archived: !user.is_active,
        created_at: user.created_at.map(time),
        // It does not move when the user changes, only when the owner does.
        updated_at: user.created_at.map(time),
    }
}

fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}
