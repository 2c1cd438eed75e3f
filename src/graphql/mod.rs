//! The GraphQL API: one file a noun, with its object, its inputs, its queries and its mutations.
//!
//! A resolver parses, calls one service function and converts. What it reads beside its own object comes through
//! [`loaders`], in batches; what goes wrong becomes the client's error in [`error`], and nowhere else.

mod api_token;
mod catalogue;
mod crm_user;
pub mod document;
pub mod error;
mod executor;
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

use apollo_compiler::executable::OperationType;
use async_graphql::{
    Context, MergedObject, MergedSubscription, Request, Response, SDLExportOptions, ServerError, ValidationMode,
};
use futures::{StreamExt, stream::BoxStream};

use self::{
    document::{Document, Documents, Limits, Prepared},
    error::{Failure, Result},
    loaders::Loaders,
    order::Shape,
    pace::Pace,
    watch::Watches,
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

type Schema = async_graphql::Schema<Query, Mutation, Subscription>;

/// What a client gets: documents are read, and the operations in them carried out.
pub struct Api {
    schema: Schema,
    documents: Documents,
}

impl Api {
    /// # Errors
    /// A schema that does not hold together.
    pub fn new(limits: Limits, introspection: bool) -> Result<Self, String> {
        let schema = schema();
        let documents = Documents::new(&text(&schema), limits, introspection)?;
        Ok(Self { schema, documents })
    }

    /// Reads a document, to know whether it can be carried out.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(&self, document: &str) -> Result<Arc<Document>, Vec<ServerError>> {
        self.documents.read(document).map_err(completed)
    }

    /// Prepares the operation that a request asks for.
    ///
    /// # Errors
    /// What is wrong with its document, its name or its variables, or that it asks too much.
    pub fn prepare(&self, request: Request) -> Result<Prepared, Vec<ServerError>> {
        self.documents.prepare(request).map_err(completed)
    }

    /// Answers a query or a mutation.
    pub async fn execute(&self, session: Session, prepared: Prepared) -> Response {
        let session = if prepared.kind == OperationType::Query { session.only_reading().await } else { session };
        let Ready { request, pace, shape } = Ready::of(session, prepared);
        // In a box: it is large, and would be moved with each future around it.
        let executed = Box::pin(self.schema.execute(request));
        let mut response = complete(pace.run(executed).await);
        shape.arrange(&mut response.data);
        response
    }

    /// Answers a subscription, with a response for each event.
    pub fn subscribe(&self, session: Session, prepared: Prepared) -> BoxStream<'static, Response> {
        let Ready { request, pace, shape } = Ready::of(session, prepared);
        pace.follow(self.schema.execute_stream(request))
            .map(move |response| {
                let mut response = complete(response);
                shape.arrange(&mut response.data);
                response
            })
            .boxed()
    }
}

fn complete(mut response: Response) -> Response {
    response.errors.iter_mut().for_each(error::complete);
    response
}

fn schema() -> Schema {
    // Documents have been validated when they come here, by stricter rules.
    Schema::build(Query::default(), Mutation::default(), Subscription::default())
        .data(Watches::default())
        .validation_mode(ValidationMode::Fast)
        .limit_recursive_depth(document::NESTING)
        .finish()
}

/// The schema as text: `schema.graphql`.
pub fn sdl() -> String {
    text(&schema())
}

fn text(schema: &Schema) -> String {
    schema.sdl_with_options(SDLExportOptions::new().include_specified_by())
}

/// A request with all that the resolvers need.
struct Ready {
    request: Request,
    pace: Arc<Pace>,
    shape: Shape,
}

impl Ready {
    fn of(session: Session, Prepared { request, shape, .. }: Prepared) -> Self {
        let session = Arc::new(session);
        let pace = Arc::new(Pace::default());
        let loaders = Arc::new(Loaders::new(&session, &pace));
        Self { request: request.data(session).data(loaders), pace, shape }
    }
}

fn completed(mut errors: Vec<ServerError>) -> Vec<ServerError> {
    errors.iter_mut().for_each(error::complete);
    errors
}

/// Who asks.
fn session<'a>(ctx: &Context<'a>) -> Result<&'a Arc<Session>> {
    ctx.data_opt().ok_or_else(|| Failure::internal("a request was executed without its session"))
}

/// What subscriptions follow.
fn watches<'a>(ctx: &Context<'a>) -> Result<&'a Watches> {
    ctx.data_opt().ok_or_else(|| Failure::internal("the schema was built without what is followed"))
}

/// What the request loads in batches.
fn loaders<'a>(ctx: &Context<'a>) -> Result<&'a Arc<Loaders>> {
    ctx.data_opt().ok_or_else(|| Failure::internal("a request was executed without its loaders"))
}
