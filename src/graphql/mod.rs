//! The API's schema.

use std::sync::Arc;

use async_graphql::{Context, EmptyMutation, EmptySubscription, Object, Request, Response, SimpleObject};
use futures::stream::BoxStream;

use crate::service::{Services, Session};

pub type Schema = async_graphql::Schema<Query, EmptyMutation, EmptySubscription>;

/// The queries.
pub struct Query;

#[Object]
impl Query {
    /// The signed-in user.
    async fn viewer(&self, ctx: &Context<'_>) -> async_graphql::Result<User> {
        Ok(User { id: ctx.data::<Session>()?.viewer.user_id.0.to_string().into() })
    }
}

/// A user.
#[derive(SimpleObject)]
pub struct User {
    /// The id.
    id: async_graphql::ID,
}

pub fn schema(services: Arc<Services>) -> Schema {
    Schema::build(Query, EmptyMutation, EmptySubscription).data(services).finish()
}

/// Carries out a query or a mutation.
pub async fn execute(schema: &Schema, session: Option<Session>, mut request: Request) -> Response {
    if let Some(session) = session {
        request = request.data(session);
    }
    schema.execute(request).await
}

/// Carries out a subscription.
pub fn subscribe(schema: &Schema, session: Session, request: Request) -> BoxStream<'static, Response> {
    schema.execute_stream(request.data(session))
}

pub fn sdl() -> String {
    Schema::build(Query, EmptyMutation, EmptySubscription).finish().sdl()
}
