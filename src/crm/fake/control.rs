//! `/control`: what a test does by calling [`Fake`], for other programs.

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::StatusCode,
    routing::{get, post, put},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Fake, FakeRole, FakeUser, Fault,
    state::{Crm, Kind},
    table::{Record, Table},
};

type Answer = Result<Json<Value>, (StatusCode, Json<Value>)>;

pub(super) fn router() -> Router<Fake> {
    Router::new()
        .route("/control/{crm}/users", get(list::<FakeUser>))
        .route("/control/{crm}/users/{id}", get(one::<FakeUser>).put(replace::<FakeUser>).patch(change::<FakeUser>))
        .route("/control/{crm}/roles", get(list::<FakeRole>))
        .route("/control/{crm}/roles/{id}", get(one::<FakeRole>).put(replace::<FakeRole>).patch(change::<FakeRole>))
        .route("/control/{crm}/page-sizes", put(page_sizes))
        .route("/control/{crm}/faults", post(add_fault).delete(clear_faults))
        .route("/control/{crm}/sign-outs", post(sign_out))
        .route("/control/{crm}/cursors", post(forget_cursors))
}

/// What a CRM holds of a kind of records.
trait Held: Record {
    fn table(crm: &mut Crm) -> &mut Table<Self>;
}

impl Held for FakeUser {
    fn table(crm: &mut Crm) -> &mut Table<Self> {
        &mut crm.users
    }
}

impl Held for FakeRole {
    fn table(crm: &mut Crm) -> &mut Table<Self> {
        &mut crm.roles
    }
}

fn refused(status: StatusCode, error: impl Into<String>) -> (StatusCode, Json<Value>) {
    (status, Json(json!({ "error": error.into() })))
}

fn shown(value: impl Serialize) -> Answer {
    serde_json::to_value(value).map(Json).map_err(|error| refused(StatusCode::BAD_REQUEST, error.to_string()))
}

/// Does something with the CRM that a path names.
fn with(fake: &Fake, path: &str, work: impl FnOnce(&mut Crm) -> Answer) -> Answer {
    let kind = Kind::ALL.into_iter().find(|kind| kind.path() == path);
    match kind.and_then(|kind| fake.crm(kind)) {
        Some(mut crm) => work(&mut crm),
        None => {
            let known = Kind::ALL.map(Kind::path).join(", ");
            Err(refused(StatusCode::NOT_FOUND, format!("{path} is not a CRM: give one of {known}")))
        }
    }
}

fn missing(id: &str) -> (StatusCode, Json<Value>) {
    refused(StatusCode::NOT_FOUND, format!("there is nothing with the id {id}"))
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default = "hundred")]
    limit: usize,
    #[serde(default)]
    after: String,
}

fn hundred() -> usize {
    100
}

async fn list<T: Held>(State(fake): State<Fake>, Path(crm): Path<String>, Query(asked): Query<Asked>) -> Answer {
    with(&fake, &crm, |crm| {
        let rows = T::table(crm).rows(None);
        let start = rows.partition_point(|row| row.id() <= asked.after.as_str());
        let page: Vec<&T> = rows.iter().skip(start).take(asked.limit).map(|row| &**row).collect();
        shown(json!({ "total": rows.len(), "rows": shown(page)?.0 }))
    })
}

async fn one<T: Held>(State(fake): State<Fake>, Path((crm, id)): Path<(String, String)>) -> Answer {
    with(&fake, &crm, |crm| shown(T::table(crm).get(&id).as_deref().ok_or_else(|| missing(&id))?))
}

async fn replace<T: Held>(
    State(fake): State<Fake>,
    Path((crm, id)): Path<(String, String)>,
    Json(row): Json<Value>,
) -> Answer {
    let row: T =
        serde_json::from_value(row).map_err(|error| refused(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()))?;
    let now = fake.now();
    with(&fake, &crm, |crm| {
        let table = T::table(crm);
        table.put(row.with_id(id.clone()), now);
        shown(table.get(&id).as_deref())
    })
}

async fn change<T: Held>(
    State(fake): State<Fake>,
    Path((crm, id)): Path<(String, String)>,
    Json(patch): Json<Value>,
) -> Answer {
    let now = fake.now();
    with(&fake, &crm, |crm| {
        let table = T::table(crm);
        table.get(&id).ok_or_else(|| missing(&id))?;
        let changed = table.patch(&id, &patch, now);
        shown(&*changed.map_err(|error| refused(StatusCode::UNPROCESSABLE_ENTITY, error))?)
    })
}

async fn page_sizes(State(fake): State<Fake>, Path(crm): Path<String>, Json(sizes): Json<Vec<usize>>) -> Answer {
    with(&fake, &crm, |crm| {
        crm.set_page_sizes(sizes);
        shown(json!({}))
    })
}

/// The most requests that one call says something of.
const REQUESTS: usize = 10_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wanted {
    #[serde(flatten)]
    fault: Fault,
    #[serde(default)]
    skip: usize,
    #[serde(default = "once")]
    times: usize,
    #[serde(default)]
    sign_in: bool,
}

fn once() -> usize {
    1
}

async fn add_fault(State(fake): State<Fake>, Path(crm): Path<String>, Json(wanted): Json<Value>) -> Answer {
    let wanted: Wanted =
        serde_json::from_value(wanted).map_err(|error| refused(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()))?;
    let Wanted { fault, skip, times, sign_in } = wanted;
    with(&fake, &crm, |crm| {
        crm.add_fault(&fault, skip.min(REQUESTS), times.min(REQUESTS), sign_in);
        shown(json!({}))
    })
}

async fn clear_faults(State(fake): State<Fake>, Path(crm): Path<String>) -> Answer {
    with(&fake, &crm, |crm| {
        crm.clear_faults();
        shown(json!({}))
    })
}

async fn sign_out(State(fake): State<Fake>, Path(crm): Path<String>) -> Answer {
    with(&fake, &crm, |crm| {
        crm.tokens.clear();
        shown(json!({}))
    })
}

async fn forget_cursors(State(fake): State<Fake>, Path(crm): Path<String>) -> Answer {
    with(&fake, &crm, |crm| {
        crm.forget_cursors();
        shown(json!({}))
    })
}
