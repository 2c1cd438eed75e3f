//! What a mutation answers: the object, or the expected failures.

use async_graphql::{Context, ID, SimpleObject};

use super::{
    error::{Failure, Result, UserError, outcome},
    id::{self, Global},
    loader::{Batch, Loader},
    loaders,
    loaders::Loaders,
};
use crate::service;

/// What deleting something answers.
#[derive(SimpleObject)]
pub struct DeletePayload {
    /// The id of what is gone.
    deleted_id: Option<ID>,
    /// Why nothing was deleted.
    user_errors: Vec<UserError>,
}

impl DeletePayload {
    pub fn of<T: Global>(result: service::Result<T>) -> Result<Self> {
        let (deleted, user_errors) = outcome(result)?;
        Ok(Self { deleted_id: deleted.map(id::show), user_errors })
    }
}

/// The object that a service changed, as it is now, and the expected failures.
pub async fn changed<B: Batch>(
    ctx: &Context<'_>,
    result: service::Result<B::Key>,
    loader: impl Fn(&Loaders) -> &Loader<B>,
) -> Result<(Option<B::Value>, Vec<UserError>)> {
    let (id, user_errors) = outcome(result)?;
    let object = match id {
        Some(id) => {
            let found = loader(loaders(ctx)?).load(id).await?;
            Some(found.ok_or_else(|| Failure::internal("what a mutation changed can't be found"))?)
        }
        None => None,
    };
    Ok((object, user_errors))
}

/// Declares payloads of one object and the expected failures.
macro_rules! payloads {
    ($($(#[$doc:meta])* $name:ident { $(#[$field_doc:meta])* $field:ident: $object:ty })*) => {$(
        $(#[$doc])*
        #[derive(async_graphql::SimpleObject)]
        pub struct $name {
            $(#[$field_doc])*
            $field: Option<$object>,
            /// What is wrong with the input, or with the state it met; empty when all went well.
            user_errors: Vec<$crate::graphql::error::UserError>,
        }

        impl $name {
            /// What a service did to the object that `loader` loads.
            pub async fn of<B>(
                ctx: &async_graphql::Context<'_>,
                result: $crate::service::Result<B::Key>,
                loader: impl Fn(&$crate::graphql::loaders::Loaders) -> &$crate::graphql::loader::Loader<B>,
            ) -> $crate::graphql::error::Result<Self>
            where
                B: $crate::graphql::loader::Batch<Value = $object>,
            {
                let ($field, user_errors) = $crate::graphql::payload::changed(ctx, result, loader).await?;
                Ok(Self { $field, user_errors })
            }
        }
    )*};
}
pub(crate) use payloads;

/// Declares the input that names one thing.
macro_rules! inputs {
    ($($(#[$doc:meta])* $name:ident { $(#[$field_doc:meta])* $field:ident: $type:ty })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, async_graphql::InputObject)]
        pub struct $name {
            $(#[$field_doc])*
            pub $field: $type,
        }
    )*};
}
pub(crate) use inputs;

inputs! {
    /// Names one thing by its id.
    IdInput {
        /// The global id.
        id: ID
    }
}
