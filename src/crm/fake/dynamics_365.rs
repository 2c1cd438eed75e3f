//! Dynamics 365's `systemusers`, and the tenant's token endpoint.

use std::collections::HashMap;

use axum::{
    Extension, Form, Json,
    body::Body,
    extract::{Path, Query, State},
    http::{HeaderMap, Response, header::HOST},
    response::IntoResponse,
};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    CLIENT_ID, CLIENT_SECRET, Fake, FakeUser, TENANT,
    fault::{cursor_expired, refusal},
    server::{Flaw, no_token},
    state::Kind,
    table::Record,
};

const KIND: Kind = Kind::Dynamics365;
const SELECT: &str =
    "systemuserid,fullname,firstname,lastname,internalemailaddress,domainname,isdisabled,accessmode,title,modifiedon";
/// More are not given at once.
const LIMIT: usize = 5_000;

fn host(headers: &HeaderMap) -> &str {
    headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("127.0.0.1")
}

/// `POST /{tenant}/oauth2/v2.0/token`
pub async fn token(
    State(fake): State<Fake>,
    headers: HeaderMap,
    Path(tenant): Path<String>,
    Form(form): Form<HashMap<String, String>>,
) -> Response<Body> {
    let is = |name: &str, value: &str| form.get(name).map(String::as_str) == Some(value);
    if tenant != TENANT {
        return no_token(400, "invalid_request", "AADSTS90002: Tenant not found.");
    }
    if !is("grant_type", "client_credentials") {
        return no_token(400, "unsupported_grant_type", "AADSTS70003: The grant type is not supported.");
    }
    if !is("client_id", CLIENT_ID) {
        return no_token(400, "unauthorized_client", "AADSTS700016: Application not found in the directory.");
    }
    if !is("client_secret", CLIENT_SECRET) {
        return no_token(401, "invalid_client", "AADSTS7000215: Invalid client secret provided.");
    }
    if !is("scope", &format!("http://{}/.default", host(&headers))) {
        return no_token(400, "invalid_scope", "AADSTS70011: The provided scope is not valid.");
    }
    match fake.crm(KIND) {
        Some(mut crm) => {
            Json(json!({ "access_token": crm.token(), "token_type": "Bearer", "expires_in": 3_599 })).into_response()
        }
        None => no_token(400, "server_error", "there is no such CRM"),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    #[serde(rename = "$select")]
    select: String,
    #[serde(rename = "$filter")]
    filter: Option<String>,
    #[serde(rename = "$top")]
    top: Option<usize>,
    /// `ERA~ID`: those after this one.
    #[serde(rename = "$skiptoken")]
    skip_token: Option<String>,
}

#[derive(Serialize)]
struct Answer<'a> {
    value: Vec<SystemUser<'a>>,
    #[serde(rename = "@odata.nextLink", skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Serialize)]
struct SystemUser<'a> {
    systemuserid: &'a str,
    fullname: Option<String>,
    firstname: Option<&'a str>,
    lastname: Option<&'a str>,
    internalemailaddress: Option<&'a str>,
    domainname: Option<&'a str>,
    isdisabled: bool,
    accessmode: u8,
    title: Option<&'a str>,
    modifiedon: Option<String>,
}

/// `GET /api/data/v9.2/systemusers`
pub async fn system_users(
    State(fake): State<Fake>,
    Extension(flaw): Extension<Flaw>,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Response<Body> {
    let bad = |message: &str| refusal(KIND, 400, "0x80060888", message);
    if asked.select != SELECT || headers.get("OData-Version").is_none_or(|version| version != "4.0") {
        return bad("This fake knows the connector's $select, and OData-Version 4.0.");
    }
    let since = match &asked.filter {
        None => None,
        Some(filter) => match filter.strip_prefix("modifiedon ge ").map(DateTime::parse_from_rfc3339) {
            Some(Ok(time)) => Some(time.to_utc()),
            _ => return bad("This fake knows the filter modifiedon ge TIME."),
        },
    };
    let prefer = headers.get("Prefer").and_then(|value| value.to_str().ok());
    let wanted = prefer.and_then(|prefer| prefer.strip_prefix("odata.maxpagesize=")?.parse().ok());
    let wanted = asked.top.or(wanted).unwrap_or(LIMIT).clamp(1, LIMIT);
    let (rows, size, era) = match fake.crm(KIND) {
        Some(mut crm) => (crm.users.rows(since), crm.page_size(wanted), crm.era),
        None => return refusal(KIND, 404, "0x80060888", "There is no such CRM."),
    };
    let (start, last) = match asked.skip_token.as_deref().map(|token| token.split_once('~')) {
        None => (0, String::new()),
        Some(Some((of, id))) if of == era.to_string() => (rows.partition_point(|row| row.id() <= id), id.to_owned()),
        Some(_) => return cursor_expired(KIND),
    };
    let mut end = start.saturating_add(size).min(rows.len());
    let is_last = end >= rows.len() || asked.top.is_some() || flaw.is_truncated();
    if flaw.is_truncated() {
        end = start + (end - start) / 2;
    }
    let page = rows.get(start..end).unwrap_or_default();
    let next = (!is_last).then(|| {
        let last = page.last().map_or(last.as_str(), |row| row.id());
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("$select", SELECT);
        if let Some(filter) = &asked.filter {
            query.append_pair("$filter", filter);
        }
        query.append_pair("$skiptoken", &format!("{era}~{last}"));
        flaw.next(format!("http://{}/api/data/v9.2/systemusers?{}", host(&headers), query.finish()))
    });
    Json(Answer { value: page.iter().map(|user| system_user(user)).collect(), next }).into_response()
}

fn system_user(user: &FakeUser) -> SystemUser<'_> {
    SystemUser {
        systemuserid: &user.id,
        fullname: user.name(),
        firstname: user.first_name.as_deref(),
        lastname: user.last_name.as_deref(),
        internalemailaddress: user.email.as_deref(),
        domainname: user.username.as_deref().or(user.email.as_deref()),
        isdisabled: !user.is_active,
        accessmode: if user.is_person { 0 } else { 4 },
        title: user.title.as_deref(),
        modifiedon: user.modified_at.map(time),
    }
}

fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}
