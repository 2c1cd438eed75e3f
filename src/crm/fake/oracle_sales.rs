//! Oracle Sales' `resourceUsers`, and the identity domain that gives tokens for it.

use std::collections::HashMap;

use axum::{
    Extension, Form, Json,
    body::Body,
    extract::{Query, State},
    http::{HeaderMap, Response},
    response::IntoResponse,
};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Fake, FakeUser,
    fault::refusal,
    server::{Flaw, is_client, no_token},
    state::Kind,
};

const KIND: Kind = Kind::OracleSales;
const FIELDS: &str = "ResourceProfileId,ResourcePartyId,ResourcePartyNumber,FirstName,LastName,JobTitle,LastUpdateDate,\
                      DeleteFlag,ResourceEmail";
/// More are not given at once.
const LIMIT: usize = 500;

/// `POST /oauth2/v1/token`
pub async fn token(
    State(fake): State<Fake>,
    headers: HeaderMap,
    Form(form): Form<HashMap<String, String>>,
) -> Response<Body> {
    if form.get("grant_type").map(String::as_str) != Some("client_credentials") || !form.contains_key("scope") {
        return no_token(400, "invalid_request", "give the grant type client_credentials, and a scope");
    }
    if !is_client(&headers) {
        return no_token(401, "invalid_client", "Client authentication failed.");
    }
    match fake.crm(KIND) {
        Some(mut crm) => {
            Json(json!({ "access_token": crm.token(), "token_type": "Bearer", "expires_in": 3_600 })).into_response()
        }
        None => no_token(400, "server_error", "there is no such CRM"),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Asked {
    only_data: bool,
    fields: String,
    limit: usize,
    offset: usize,
    order_by: String,
    q: Option<String>,
}

/// `GET /crmRestApi/resources/11.13.18.05/resourceUsers`
pub async fn resource_users(
    State(fake): State<Fake>,
    Extension(flaw): Extension<Flaw>,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Response<Body> {
    let bad = |message: &str| refusal(KIND, 400, "Bad Request", message);
    if !asked.only_data || asked.fields != FIELDS || asked.order_by != "ResourceProfileId:asc" {
        return bad("This fake knows onlyData=true, the connector's fields, and their order by ResourceProfileId.");
    }
    let since = match &asked.q {
        None => None,
        Some(q) => {
            let time = q.strip_prefix("LastUpdateDate >= '").and_then(|text| text.strip_suffix('\''));
            let time = time.and_then(|time| DateTime::parse_from_rfc3339(time).ok());
            // The first version of the framework reads other expressions.
            match time.filter(|_| headers.get("REST-Framework-Version").is_some_and(|version| version == "2")) {
                Some(time) => Some(time.to_utc()),
                None => return bad("URL request parameter q is not valid."),
            }
        }
    };
    let (rows, size) = match fake.crm(KIND) {
        Some(mut crm) => (crm.users.rows(since), crm.page_size(asked.limit.clamp(1, LIMIT))),
        None => return refusal(KIND, 404, "Not Found", "There is no such CRM."),
    };
    let start = asked.offset.min(rows.len());
    let mut end = start.saturating_add(size).min(rows.len());
    let has_more = end < rows.len() && !flaw.is_truncated();
    if flaw.is_truncated() {
        end = start + (end - start) / 2;
    }
    let items: Vec<Value> = rows.get(start..end).unwrap_or_default().iter().map(|user| item(user)).collect();
    let body = json!({
        "count": items.len(), "hasMore": has_more, "limit": asked.limit, "offset": asked.offset, "links": [],
        "items": items,
    });
    Json(body).into_response()
}

fn item(user: &FakeUser) -> Value {
    // Its ids are numbers.
    let id = user.id.parse::<u64>().map_or_else(|_| json!(user.id), |number| json!(number));
    json!({
        "ResourceProfileId": id, "ResourcePartyId": id, "ResourcePartyNumber": user.id,
        "FirstName": user.first_name, "LastName": user.last_name, "JobTitle": user.title,
        "LastUpdateDate": user.modified_at.map(time), "DeleteFlag": !user.is_active, "ResourceEmail": user.email,
    })
}

fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, false)
}
