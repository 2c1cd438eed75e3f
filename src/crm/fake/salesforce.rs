//! Salesforce's token endpoint, and its `query` for the queries that the connector sends.

use std::collections::HashMap;

use axum::{
    Extension, Form, Json,
    body::Body,
    extract::{Path, Query, State},
    http::{HeaderMap, Response, header::HOST},
    response::IntoResponse,
};
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    AUDIENCE, CLIENT_ID, CLIENT_SECRET, FAKE_PUBLIC_KEY, Fake, FakeRole, FakeUser, USERNAME,
    fault::{cursor_expired, refusal},
    server::{Flaw, no_token},
    state::{Answered, Kind},
    table::{Record, Rows},
};

const USERS: &str = "SELECT Id,Username,Email,FirstName,LastName,Name,Title,IsActive,UserType,UserRoleId,ManagerId,FederationIdentifier,CreatedDate,SystemModstamp FROM User";
const ROLES: &str = "SELECT Id,Name,DeveloperName,ParentRoleId,SystemModstamp FROM UserRole";
const KIND: Kind = Kind::Salesforce;

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    exp: i64,
}

/// `POST /services/oauth2/token`
pub async fn token(
    State(fake): State<Fake>,
    Extension(flaw): Extension<Flaw>,
    headers: HeaderMap,
    Form(form): Form<HashMap<String, String>>,
) -> Response<Body> {
    let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    match field("grant_type") {
        "client_credentials" => {
            if field("client_id") != CLIENT_ID {
                return no_token(400, "invalid_client_id", "client identifier invalid");
            }
            if field("client_secret") != CLIENT_SECRET {
                return no_token(400, "invalid_client", "invalid client credentials");
            }
        }
        "urn:ietf:params:oauth:grant-type:jwt-bearer" => {
            if let Err(why) = check(field("assertion"), fake.now()) {
                return no_token(400, "invalid_grant", why);
            }
        }
        _ => return no_token(400, "unsupported_grant_type", "grant type not supported"),
    }
    let Some(token) = fake.crm(KIND).map(|mut crm| crm.token()) else {
        return no_token(400, "server_error", "there is no such CRM");
    };
    // Where it was reached is where it is.
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("127.0.0.1");
    let instance_url = flaw.next(format!("http://{host}"));
    let issued_at = fake.now().timestamp_millis().to_string();
    let body = json!({
        "access_token": token, "instance_url": instance_url, "token_type": "Bearer", "issued_at": issued_at,
        "id": format!("{AUDIENCE}/id/00D000000000001AAA/005000000000001AAA"), "signature": "fake",
    });
    Json(body).into_response()
}

/// What is wrong with an assertion.
fn check(assertion: &str, now: DateTime<Utc>) -> Result<(), &'static str> {
    let key = DecodingKey::from_rsa_pem(FAKE_PUBLIC_KEY.as_bytes()).map_err(|_| "the fake has no key")?;
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_audience(&[AUDIENCE]);
    // Measured by the fake's own clock.
    validation.validate_exp = false;
    let claims = jsonwebtoken::decode::<Claims>(assertion, &key, &validation).map_err(|_| "invalid assertion")?.claims;
    let left = claims.exp - now.timestamp();
    if claims.iss != CLIENT_ID {
        Err("client identifier invalid")
    } else if claims.sub != USERNAME {
        Err("user hasn't approved this consumer")
    } else if !(1..=TimeDelta::minutes(3).num_seconds()).contains(&left) {
        Err("expired authorization code")
    } else {
        Ok(())
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Batch<T> {
    total_size: usize,
    done: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_records_url: Option<String>,
    records: Vec<T>,
}

#[derive(Serialize)]
struct Attributes {
    #[serde(rename = "type")]
    kind: &'static str,
    url: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct UserRecord<'a> {
    #[serde(rename = "attributes")]
    attributes: Attributes,
    id: &'a str,
    username: Option<&'a str>,
    email: Option<&'a str>,
    first_name: Option<&'a str>,
    last_name: Option<&'a str>,
    name: Option<String>,
    title: Option<&'a str>,
    is_active: bool,
    user_type: &'static str,
    user_role_id: Option<&'a str>,
    manager_id: Option<&'a str>,
    federation_identifier: Option<&'a str>,
    created_date: Option<String>,
    system_modstamp: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct RoleRecord<'a> {
    #[serde(rename = "attributes")]
    attributes: Attributes,
    id: &'a str,
    name: &'a str,
    developer_name: String,
    parent_role_id: Option<&'a str>,
    system_modstamp: Option<String>,
}

#[derive(Deserialize)]
pub struct Asked {
    q: String,
}

/// `GET /services/data/v66.0/query`
pub async fn query(
    State(fake): State<Fake>,
    Extension(flaw): Extension<Flaw>,
    headers: HeaderMap,
    Query(Asked { q }): Query<Asked>,
) -> Response<Body> {
    let Some(answered) = answer(&fake, &q) else {
        return refusal(KIND, 400, "MALFORMED_QUERY", "This fake does not understand the query.");
    };
    batch(&fake, answered, None, 0, &flaw, &headers)
}

/// What a query selects; `None` for one that the connector does not send.
fn answer(fake: &Fake, soql: &str) -> Option<Answered> {
    let mut crm = fake.crm(KIND)?;
    if soql == ROLES {
        return Some(Answered::Roles(crm.roles.rows(None)));
    }
    let clauses = soql.strip_prefix(USERS)?;
    if clauses.is_empty() {
        return Some(Answered::Users(crm.users.rows(None)));
    }
    if clauses == " LIMIT 1" {
        return Some(Answered::Users(crm.users.rows(None).iter().take(1).cloned().collect::<Vec<_>>().into()));
    }
    let since = clauses.strip_prefix(" WHERE SystemModstamp >= ")?.strip_suffix(" ORDER BY SystemModstamp, Id")?;
    let since = DateTime::parse_from_rfc3339(since).ok()?.to_utc();
    let mut rows: Vec<_> = crm.users.rows(Some(since)).to_vec();
    // Stable: they come by id.
    rows.sort_by_key(|row| row.modified_at());
    Some(Answered::Users(rows.into()))
}

/// `GET /services/data/v66.0/query/{locator}`, where a locator is `01g…-OFFSET`.
pub async fn more(
    State(fake): State<Fake>,
    Extension(flaw): Extension<Flaw>,
    headers: HeaderMap,
    Path(locator): Path<String>,
) -> Response<Body> {
    let place = locator.strip_prefix("01g").and_then(|text| text.split_once('-'));
    let place = place.and_then(|(number, at)| Some((number.parse().ok()?, at.parse().ok()?)));
    let kept = place.and_then(|(number, at)| Some((fake.crm(KIND)?.kept(number)?, number, at)));
    match kept {
        Some((answered, number, at)) => batch(&fake, answered, Some(number), at, &flaw, &headers),
        None => cursor_expired(KIND),
    }
}

fn batch(
    fake: &Fake,
    answered: Answered,
    number: Option<u64>,
    at: usize,
    flaw: &Flaw,
    headers: &HeaderMap,
) -> Response<Body> {
    let hint = headers.get("Sforce-Query-Options").and_then(|value| value.to_str().ok());
    let wanted = hint.and_then(|hint| hint.strip_prefix("batchSize=")?.parse().ok()).unwrap_or(2_000);
    let total = match &answered {
        Answered::Users(rows) => rows.len(),
        Answered::Roles(rows) => rows.len(),
    };
    let (mut size, next) = {
        let Some(mut crm) = fake.crm(KIND) else { return cursor_expired(KIND) };
        let size = crm.page_size(wanted.clamp(1, 2_000));
        let end = at.saturating_add(size);
        let next = (end < total && !flaw.is_truncated()).then(|| {
            let number = number.unwrap_or_else(|| crm.keep(answered.clone()));
            flaw.next(format!("/services/data/v66.0/query/01g{number:015}-{end}"))
        });
        (size, next)
    };
    if flaw.is_truncated() {
        size = size.min(total.saturating_sub(at)) / 2;
    }
    match answered {
        Answered::Users(rows) => send(total, next, page(&rows, at, size), user),
        Answered::Roles(rows) => send(total, next, page(&rows, at, size), role),
    }
}

fn page<T>(rows: &Rows<T>, at: usize, size: usize) -> &[std::sync::Arc<T>] {
    let start = at.min(rows.len());
    rows.get(start..at.saturating_add(size).min(rows.len())).unwrap_or_default()
}

fn send<'a, T, R: Serialize>(
    total_size: usize,
    next_records_url: Option<String>,
    rows: &'a [std::sync::Arc<T>],
    record: impl Fn(&'a T) -> R,
) -> Response<Body> {
    let records = rows.iter().map(|row| record(row)).collect();
    Json(Batch { total_size, done: next_records_url.is_none(), next_records_url, records }).into_response()
}

fn user(user: &FakeUser) -> UserRecord<'_> {
    UserRecord {
        attributes: attributes("User", &user.id),
        id: &user.id,
        username: user.username.as_deref().or(user.email.as_deref()),
        email: user.email.as_deref(),
        first_name: user.first_name.as_deref(),
        last_name: user.last_name.as_deref(),
        name: user.name(),
        title: user.title.as_deref(),
        is_active: user.is_active,
        user_type: if user.is_person { "Standard" } else { "AutomatedProcess" },
        user_role_id: user.role.as_deref(),
        manager_id: None,
        federation_identifier: None,
        created_date: user.created_at.map(time),
        system_modstamp: user.modified_at.map(time),
    }
}

fn role(role: &FakeRole) -> RoleRecord<'_> {
    RoleRecord {
        attributes: attributes("UserRole", &role.id),
        id: &role.id,
        name: &role.name,
        developer_name: role.name.replace(' ', "_"),
        parent_role_id: role.parent.as_deref(),
        system_modstamp: role.modified_at.map(time),
    }
}

fn attributes(kind: &'static str, id: &str) -> Attributes {
    Attributes { kind, url: format!("/services/data/v66.0/sobjects/{kind}/{id}") }
}

/// As Salesforce writes a time: without a colon in the offset.
fn time(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%dT%H:%M:%S%.3f+0000").to_string()
}
