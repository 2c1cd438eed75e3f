//! What an operation gives, step by step, for connections that stay open: a query or a mutation has one result, a
//! subscription one an event.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use apollo_compiler::executable::OperationType;
use async_graphql::Response as Outcome;
use futures::{
    StreamExt,
    future::FutureExt,
    stream::{self, BoxStream},
};
use serde_json::{Value as Json, json, value::RawValue};

use super::{App, deadline::Deadline, front::RequestId, graphql, refusal::Refusal};
use crate::{
    graphql::document::Prepared,
    service::{
        Error, Services, Session,
        session::{self, Viewer},
    },
};

/// How often it is asked whether who follows something, and hears nothing, still may.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// One step. Any but a result is the last one.
pub enum Step {
    /// A result, as JSON.
    Result(Box<RawValue>),
    /// The errors of an operation that was refused as a whole, or could not be gone on with.
    Refused(Json),
    /// The token works no longer, or that can't be said.
    SignedOut(Error),
}

impl Step {
    fn of(outcome: &Outcome, id: &RequestId) -> Self {
        if graphql::is_refused(outcome) && !outcome.errors.is_empty() {
            return Self::Refused(json!(outcome.errors));
        }
        match graphql::body(outcome, id).and_then(|body| serde_json::from_slice(&body)) {
            Ok(body) => Self::Result(body),
            Err(error) => {
                tracing::error!(%error, "an answer can't be written as JSON");
                Self::Refused(json!([Refusal::internal(&id.0).error()]))
            }
        }
    }
}

/// An operation that somebody has signed in for.
pub struct Asked {
    pub session: Session,
    pub token: String,
    pub id: RequestId,
    pub prepared: Prepared,
    /// Of a query or a mutation.
    pub deadline: Deadline,
}

/// Carries an operation out, as far as its steps are asked for.
pub fn steps(app: &App, asked: Asked) -> BoxStream<'static, Step> {
    let Asked { session, token, id, prepared, mut deadline } = asked;
    let viewer = session.viewer.clone();
    let is_subscription = prepared.kind == OperationType::Subscription;
    let written = {
        let id = id.clone();
        move |outcome| Step::of(&outcome, &id)
    };
    let written = if is_subscription {
        app.api.subscribe(session, prepared).map(written).map(Ok).boxed()
    } else {
        let app = app.clone();
        async move { graphql::execute(&app, session, prepared, &mut deadline, written).await }.into_stream().boxed()
    };
    let at = Steps { written, services: Arc::clone(&app.services), token, viewer, id, is_subscription };
    let steps = stream::unfold(Some(at), |at| async move {
        let mut at = at?;
        let step = at.next().await?;
        let at = matches!(step, Step::Result(_)).then_some(at);
        Some((step, at))
    });
    steps.boxed()
}

struct Steps {
    written: BoxStream<'static, Result<Step, Refusal>>,
    services: Arc<Services>,
    token: String,
    viewer: Viewer,
    id: RequestId,
    is_subscription: bool,
}

impl Steps {
    async fn next(&mut self) -> Option<Step> {
        // The panic itself is logged where it happens.
        let step = loop {
            match tokio::time::timeout(LOOK_AGAIN, AssertUnwindSafe(self.written.next()).catch_unwind()).await {
                Ok(Ok(step)) => break step?,
                Ok(Err(_)) => break Err(Refusal::internal(&self.id.0)),
                // A query has a time limit of its own.
                Err(_) if !self.is_subscription => {}
                Err(_) => match look_again(&self.services, &self.token, &self.viewer).await {
                    // A database that is away for a while is no reason: the next event will tell.
                    Ok(()) | Err(Error::Internal(_)) => {}
                    Err(error) => return Some(Step::SignedOut(error)),
                },
            }
        };
        let step = step.unwrap_or_else(|refusal| Step::Refused(json!([refusal.error()])));
        // What a subscription gives, it gives to somebody who may still have it.
        if self.is_subscription
            && matches!(step, Step::Result(_))
            && let Err(error) = look_again(&self.services, &self.token, &self.viewer).await
        {
            return Some(Step::SignedOut(error));
        }
        Some(step)
    }
}

/// Whether the token still works, and gives what it gave when the operation began.
async fn look_again(services: &Arc<Services>, token: &str, viewer: &Viewer) -> Result<(), Error> {
    let session = session::sign_in(services, token).await?;
    if session.viewer == *viewer { Ok(()) } else { Err(Error::Unauthenticated) }
}
