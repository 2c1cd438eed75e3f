//! What an operation gives, step by step, for connections that stay open: a query or a mutation has one result, a
//! subscription one an event.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use async_graphql::{Request as Operation, Response as Outcome};
use futures::{
    StreamExt,
    future::FutureExt,
    stream::{self, BoxStream},
};
use serde_json::{Value as Json, json, value::RawValue};

use super::{App, front::RequestId, graphql, refusal::Refusal};
use crate::service::{Error, Services, Session, session};

/// One step. Any but a result is the last one.
pub enum Step {
    /// A result, as JSON.
    Result(Box<RawValue>),
    /// The errors of an operation that was refused as a whole, or could not be gone on with.
    Refused(Json),
    /// The token works no longer, or that can't be said.
    SignedOut(Error),
}

/// An operation that somebody has signed in for.
pub struct Asked {
    pub session: Session,
    pub token: String,
    pub id: RequestId,
    pub operation: Operation,
    pub is_subscription: bool,
    /// How long a query or a mutation may take.
    pub patience: Duration,
}

/// Carries an operation out, as far as its steps are asked for.
pub fn steps(app: &App, asked: Asked) -> BoxStream<'static, Step> {
    let Asked { session, token, id, operation, is_subscription, patience } = asked;
    let operation = operation.data(id.clone());
    let outcomes = if is_subscription {
        crate::graphql::subscribe(&app.schema, session, operation).map(Ok).boxed()
    } else {
        let schema = app.schema.clone();
        let executed = async move { crate::graphql::execute(&schema, Some(session), operation).await };
        let executed = tokio::time::timeout(patience, executed);
        executed.map(move |executed| executed.map_err(|_| Refusal::given_up(patience))).into_stream().boxed()
    };
    let at = Steps { outcomes, services: Arc::clone(&app.services), token, id, is_subscription };
    let steps = stream::unfold(Some(at), |at| async move {
        let mut at = at?;
        let step = at.next().await?;
        let at = matches!(step, Step::Result(_)).then_some(at);
        Some((step, at))
    });
    steps.boxed()
}

struct Steps {
    outcomes: BoxStream<'static, Result<Outcome, Refusal>>,
    services: Arc<Services>,
    token: String,
    id: RequestId,
    is_subscription: bool,
}

impl Steps {
    async fn next(&mut self) -> Option<Step> {
        // The panic itself is logged where it happens.
        let outcome = match AssertUnwindSafe(self.outcomes.next()).catch_unwind().await {
            Ok(outcome) => outcome?,
            Err(_) => Err(Refusal::internal(&self.id.0)),
        };
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(refusal) => return Some(Step::Refused(json!([refusal.error()]))),
        };
        if graphql::is_refused(&outcome) && !outcome.errors.is_empty() {
            return Some(Step::Refused(json!(outcome.errors)));
        }
        // What a subscription gives, it gives to somebody who may still come in.
        if self.is_subscription
            && let Err(error) = session::sign_in(&self.services, &self.token).await
        {
            return Some(Step::SignedOut(error));
        }
        let body = graphql::body(&outcome, &self.id).and_then(|body| serde_json::from_slice(&body));
        Some(match body {
            Ok(body) => Step::Result(body),
            Err(error) => {
                tracing::error!(%error, "an answer can't be written as JSON");
                Step::Refused(json!([Refusal::internal(&self.id.0).error()]))
            }
        })
    }
}
