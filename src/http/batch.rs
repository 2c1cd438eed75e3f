//! Several operations in one request, as a JSON array.

use apollo_compiler::executable::OperationType;
use async_graphql::{Request as Operation, Response as Outcome};
use axum::{
    http::header,
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::{
    App,
    accept::MediaType,
    deadline::Deadline,
    front::RequestId,
    graphql::{Caller, Denied, body, execute, first_code, prepare, unwritten},
    refusal::Refusal,
};
use crate::{service::Session, telemetry::access::Told};

/// Carries operations out one after the other, and answers with their results in their order.
pub async fn answer(app: &App, caller: Caller, operations: Vec<Result<Operation, Refusal>>) -> Response {
    let Caller { mut session, token, id, mut deadline } = caller;
    let mut told = Told::several(&session);
    let mut bodies = Vec::with_capacity(operations.len());
    for operation in operations {
        let outcome = match operation {
            Ok(operation) => in_batch(app, &mut session, &token, &id, &mut deadline, operation).await,
            Err(refusal) => Err(refusal),
        };
        let (code, written) =
            outcome.unwrap_or_else(|refusal| (None, serde_json::to_vec(&json!({ "errors": [refusal.error()] }))));
        told.code = told.code.or(code);
        match written {
            Ok(body) => bodies.push(body),
            Err(error) => return unwritten(&error, &id).into_response(),
        }
    }
    let body = [b"[".as_slice(), &bodies.join(b",".as_slice()), b"]"].concat();
    let mut response = ([(header::CONTENT_TYPE, MediaType::Json.as_str())], body).into_response();
    response.extensions_mut().insert(told);
    response
}

/// The first error's code, and the JSON of a result.
type Written = (Option<String>, serde_json::Result<Vec<u8>>);

async fn in_batch(
    app: &App,
    session: &mut Session,
    token: &str,
    id: &RequestId,
    deadline: &mut Deadline,
    operation: Operation,
) -> Result<Written, Refusal> {
    let id = id.clone();
    let written = move |outcome: Outcome| (first_code(&outcome), body(&outcome, &id));
    let prepared = match prepare(app, token, operation).await {
        Ok(prepared) => prepared,
        Err(Denied::Errors(errors)) => return Ok(written(Outcome::from_errors(errors))),
        Err(Denied::Refusal(refusal)) => return Err(refusal),
    };
    if prepared.kind == OperationType::Subscription {
        return Err(Refusal::bad_request("A subscription can't come in an array with others."));
    }
    if prepared.kind == OperationType::Mutation {
        session.having_written();
    }
    execute(app, session.clone(), prepared, deadline, written).await
}
