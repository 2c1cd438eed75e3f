//! The GraphQL API: one file a noun, with its object, its inputs, its queries and its mutations.
//!
//! A resolver parses, calls one service function and converts. What it reads beside its own object comes through
//! [`loaders`], in batches; what goes wrong becomes the client's error in [`error`], and nowhere else.

mod api_token;
mod catalogue;
mod crm_user;
pub mod error;
mod executor;
mod guard;
mod id;
mod import;
mod input;
mod integration;
mod link;
mod loader;
mod loaders;
mod mapping;
mod node;
mod order;
mod organization;
mod pace;
mod page;
mod payload;
mod scalar;
mod sync_run;
mod team;
mod user;
mod watch;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_graphql::{Context, MergedObject, MergedSubscription, Request, Response, ServerError};
use futures::{
    StreamExt,
    stream::{self, BoxStream},
};

use self::{
    error::{Failure, Result},
    loaders::Loaders,
    order::Shape,
    pace::Pace,
};
use crate::service::Session;

/// What can be read.
#[derive(MergedObject, Default)]
pub struct Query(
    node::NodeQuery,
    organization::OrganizationQuery,
    user::UserQuery,
    team::TeamQuery,
    integration::IntegrationQuery,
    mapping::MappingQuery,
    import::ImportQuery,
);

/// What can be changed. Each takes one `input`, and answers expected failures as `userErrors`.
#[derive(MergedObject, Default)]
pub struct Mutation(
    organization::OrganizationMutation,
    catalogue::CatalogueMutation,
    user::UserMutation,
    team::TeamMutation,
    integration::IntegrationMutation,
    mapping::MappingMutation,
    import::ImportMutation,
    api_token::ApiTokenMutation,
);

/// What can be followed.
#[derive(MergedSubscription, Default)]
pub struct Subscription(import::ImportSubscription, sync_run::SyncRunSubscription);

pub type Schema = async_graphql::Schema<Query, Mutation, Subscription>;

/// What a request may cost at most, by its page sizes: a field of an object costs 1.
const MAX_COMPLEXITY: usize = 500_000;

/// The schema.
pub fn schema() -> Schema {
    Schema::build(Query::default(), Mutation::default(), Subscription::default())
        .limit_complexity(MAX_COMPLEXITY)
        .limit_recursive_depth(guard::MAX_DEPTH + 1)
        .finish()
}

/// The schema as text: `schema.graphql`.
pub fn sdl() -> String {
    schema().sdl()
}

/// A request that is fit to be validated, with all that the resolvers need.
struct Prepared {
    request: Request,
    pace: Arc<Pace>,
    shape: Shape,
}

fn prepare(session: Option<Session>, mut request: Request) -> Result<Prepared, Vec<ServerError>> {
    let session = Arc::new(session.ok_or_else(Failure::unauthenticated).map_err(ServerError::from)?);
    guard::check(&mut request)?;
    let name = request.operation_name.clone();
    let document = request.parsed_query()?;
    let operation = guard::operation(document, name.as_deref());
    let shape = operation.map(|operation| Shape::of(document, operation)).unwrap_or_default();
    let pace = Arc::new(Pace::default());
    let loaders = Arc::new(Loaders::new(&session, &pace));
    Ok(Prepared { request: request.data(session).data(loaders), pace, shape })
}

fn complete(mut response: Response) -> Response {
    response.errors.iter_mut().for_each(error::complete);
    response
}

/// Answers a query or a mutation.
pub async fn execute(schema: &Schema, session: Option<Session>, mut request: Request) -> Response {
    let session = match session {
        Some(session) if guard::only_reads(&mut request) => Some(session.only_reading().await),
        session => session,
    };
    match prepare(session, request) {
        Ok(Prepared { request, pace, shape }) => {
            let mut response = complete(pace.run(schema.execute(request)).await);
            shape.arrange(&mut response.data);
            response
        }
        Err(errors) => complete(Response::from_errors(errors)),
    }
}

/// Answers a subscription, with a response for each event.
pub fn subscribe(schema: &Schema, session: Session, request: Request) -> BoxStream<'static, Response> {
    match prepare(Some(session), request) {
        Ok(Prepared { request, pace, shape }) => pace
            .follow(schema.execute_stream(request))
            .map(move |response| {
                let mut response = complete(response);
                shape.arrange(&mut response.data);
                response
            })
            .boxed(),
        Err(errors) => stream::once(std::future::ready(complete(Response::from_errors(errors)))).boxed(),
    }
}

/// Who asks.
fn session<'a>(ctx: &Context<'a>) -> Result<&'a Arc<Session>> {
    ctx.data_opt().ok_or_else(|| Failure::internal("a request was executed without its session"))
}

/// What the request loads in batches.
fn loaders<'a>(ctx: &Context<'a>) -> Result<&'a Arc<Loaders>> {
    ctx.data_opt().ok_or_else(|| Failure::internal("a request was executed without its loaders"))
}
