//! The fakes' addresses, and what all of them do with a request first: count it, fail it where that was asked for, see who
//! sends it.

use std::{io, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, Response, header::AUTHORIZATION},
    middleware::{self, Next},
    response::IntoResponse,
    routing::{get, post},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{
    ACCESS_TOKEN, CLIENT_ID, CLIENT_SECRET, Fake, Fault, USERNAME, control, dynamics_365, fault::refusal, hubspot,
    oracle_sales, salesforce, state::Kind,
};

/// How long requests in flight may take after the signal to stop; one that hangs would take for ever.
const GRACE: Duration = Duration::from_secs(1);

/// The fault that lies in an answer which is otherwise as it should be.
#[derive(Clone, Default)]
pub(super) struct Flaw(pub Option<Fault>);

impl Flaw {
    pub fn is_truncated(&self) -> bool {
        self.0 == Some(Fault::Truncated)
    }

    /// Where the answer says that the next records are.
    pub fn next(&self, own: String) -> String {
        match &self.0 {
            Some(Fault::NextElsewhere { to }) => to.clone(),
            _ => own,
        }
    }
}

impl Fake {
    /// Every address that is answered.
    pub fn router(&self) -> Router {
        let records = |kind, routes: Router<Self>| {
            routes.route_layer(middleware::from_fn_with_state((self.clone(), kind, false), meet))
        };
        let sign_in = |kind, routes: Router<Self>| {
            routes.route_layer(middleware::from_fn_with_state((self.clone(), kind, true), meet))
        };
        Router::new()
            .merge(sign_in(Kind::Salesforce, Router::new().route("/services/oauth2/token", post(salesforce::token))))
            .merge(records(
                Kind::Salesforce,
                Router::new()
                    .route("/services/data/v66.0/query", get(salesforce::query))
                    .route("/services/data/v66.0/query/{locator}", get(salesforce::more)),
            ))
            .merge(sign_in(Kind::OracleSales, Router::new().route("/oauth2/v1/token", post(oracle_sales::token))))
            .merge(records(
                Kind::OracleSales,
                Router::new()
                    .route("/crmRestApi/resources/11.13.18.05/resourceUsers", get(oracle_sales::resource_users)),
            ))
            .merge(sign_in(
                Kind::Dynamics365,
                Router::new().route("/{tenant}/oauth2/v2.0/token", post(dynamics_365::token)),
            ))
            .merge(records(
                Kind::Dynamics365,
                Router::new().route("/api/data/v9.2/systemusers", get(dynamics_365::system_users)),
            ))
            .merge(records(Kind::HubSpot, Router::new().route("/crm/v3/owners/", get(hubspot::owners))))
            .merge(control::router())
            .with_state(self.clone())
    }
}

async fn meet(
    State((fake, kind, is_sign_in)): State<(Fake, Kind, bool)>,
    mut request: Request,
    next: Next,
) -> Response<Body> {
    let fault = {
        let Some(mut crm) = fake.crm(kind) else { return refusal(kind, 404, "NOT_FOUND", "There is no such CRM.") };
        if is_sign_in {
            crm.sign_ins += 1;
        } else {
            crm.requests += 1;
        }
        // A fault waits for who is let in.
        if !is_sign_in && !is_let_in(kind, &crm.tokens, request.headers()) {
            return refusal(kind, 401, "INVALID_SESSION_ID", "Session expired or invalid");
        }
        crm.fault(is_sign_in)
    };
    if fault == Some(Fault::Hang) {
        return std::future::pending().await;
    }
    if let Some(answer) = fault.as_ref().and_then(|fault| fault.answer(kind)) {
        return answer;
    }
    request.extensions_mut().insert(Flaw(fault));
    next.run(request).await
}

fn is_let_in(kind: Kind, tokens: &std::collections::BTreeSet<String>, headers: &HeaderMap) -> bool {
    let Some(given) = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()) else { return false };
    match given.split_once(' ') {
        Some(("Bearer", token)) if kind == Kind::HubSpot => token == ACCESS_TOKEN,
        Some(("Bearer", token)) => tokens.contains(token),
        Some(("Basic", text)) if kind == Kind::OracleSales => is_basic(text, USERNAME, CLIENT_SECRET),
        _ => false,
    }
}

fn is_basic(text: &str, name: &str, password: &str) -> bool {
    BASE64_STANDARD.decode(text).is_ok_and(|given| given == format!("{name}:{password}").into_bytes())
}

/// Whether a sign-in has the client's id and secret in its header.
pub(super) fn is_client(headers: &HeaderMap) -> bool {
    let given = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|text| text.split_once(' '));
    given.is_some_and(|(scheme, text)| scheme == "Basic" && is_basic(text, CLIENT_ID, CLIENT_SECRET))
}

/// A refusal by a token endpoint (RFC 6749, 5.2).
pub(super) fn no_token(status: u16, error: &str, description: &str) -> Response<Body> {
    let status = axum::http::StatusCode::from_u16(status).unwrap_or(axum::http::StatusCode::BAD_REQUEST);
    let body = serde_json::json!({ "error": error, "error_description": description });
    (status, axum::Json(body)).into_response()
}

/// Answers requests until `stop` is cancelled.
///
/// # Errors
/// The listener's.
pub async fn serve(listener: TcpListener, fake: Fake, stop: CancellationToken) -> io::Result<()> {
    let server = axum::serve(listener, fake.router()).with_graceful_shutdown(stop.clone().cancelled_owned());
    tokio::select! {
        ended = async { server.await } => ended,
        () = async {
            stop.cancelled().await;
            tokio::time::sleep(GRACE).await;
        } => Ok(()),
    }
}
