//! CRM users.

use async_graphql::{Context, ID, InputObject, Object, OneofObject};
use entity::crm_user;

use super::{
    error::{Failure, Result},
    id, input,
    integration::Integration,
    loaders,
    mapping::Mapping,
    page::shown,
};
use crate::service::{
    Fault,
    clock::Time,
    crm_user::{CrmUserRef as Ref, query::OfIntegration},
};

shown! {
    /// A CRM user.
    CrmUser(crm_user::Model),
}

/// What a CRM last said of one of its users.
#[Object(crate = "crate::graphql::executor")]
impl CrmUser {
    /// The global id.
    pub async fn id(&self) -> ID {
        id::show(self.0.id)
    }

    /// The integration whose CRM it is.
    async fn integration(&self, ctx: &Context<'_>) -> Result<Integration> {
        let found = loaders(ctx)?.integrations.load(self.0.integration_id).await?;
        found.ok_or_else(|| Failure::internal("a CRM user's integration is gone"))
    }

    /// The id in the CRM; a Salesforce id in its 18-character form.
    async fn external_id(&self) -> &str {
        self.0.external_id.as_str()
    }

    /// The email in the CRM, normalised.
    async fn email(&self) -> Option<&str> {
        self.0.email.as_ref().map(entity::Email::as_str)
    }

    /// The full name in the CRM.
    async fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    /// The name to sign in to the CRM with.
    async fn username(&self) -> Option<&str> {
        self.0.username.as_deref()
    }

    /// The job title in the CRM.
    async fn title(&self) -> Option<&str> {
        self.0.title.as_deref()
    }

    /// Where the CRM's hierarchy places them, as a team path.
    async fn team(&self) -> Option<&str> {
        self.0.team.as_deref()
    }

    /// Whether the CRM lets them work there.
    async fn is_active(&self) -> bool {
        self.0.is_active
    }

    /// When the CRM says it was created there.
    async fn created_at(&self) -> Option<Time> {
        self.0.crm_created_at
    }

    /// When the CRM, a push or a file last named it.
    async fn last_seen_at(&self) -> Time {
        self.0.last_seen_at
    }

    /// The mapping that holds; null when there is none, or when the viewer may not see its user.
    async fn mapping(&self, ctx: &Context<'_>) -> Result<Option<Mapping>> {
        loaders(ctx)?.mapping_to.load((self.0.integration_id, self.0.id)).await
    }
}

/// A CRM user of the integration at hand. An email must belong to exactly one CRM user.
#[derive(Debug, Clone, OneofObject)]
pub enum CrmUserRef {
    /// The global id.
    Id(ID),
    /// The id in the CRM.
    ExternalId(String),
    /// The email, which must belong to one CRM user only.
    Email(String),
}

impl From<CrmUserRef> for Ref {
    fn from(by: CrmUserRef) -> Self {
        match by {
            CrmUserRef::Id(id) => Self::Id(id::read(&id)),
            CrmUserRef::ExternalId(external_id) => Self::ExternalId(external_id),
            CrmUserRef::Email(email) => Self::Email(email),
        }
    }
}

/// Which CRM users a list has; every condition must hold.
#[derive(Debug, Clone, Default, InputObject)]
pub struct CrmUserFilter {
    /// Matches an external id, an email or a name: what a type-ahead field sends.
    search: Option<String>,
    /// Only those who are, or are not, active in the CRM.
    is_active: Option<bool>,
    /// Only those who are, or are not, mapped to a user.
    is_mapped: Option<bool>,
}

impl CrmUserFilter {
    pub fn resolve(self) -> Result<OfIntegration, Fault> {
        let search = input::search(self.search)?;
        Ok(OfIntegration { search, is_active: self.is_active, is_mapped: self.is_mapped })
    }
}
