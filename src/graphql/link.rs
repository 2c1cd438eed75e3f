//! How a user stands towards an integration, and whom the user could be mapped to.

use async_graphql::{Context, Enum, Object, SimpleObject};

use super::{
    crm_user::CrmUser,
    error::{Failure, Result},
    integration::Integration,
    loaders,
    mapping::Mapping,
    session,
    user::{LinkState, User},
};
use crate::service::{candidate, page::MAX_SIZE};

/// A user towards an integration.
pub struct Link {
    user: User,
    integration: Integration,
}

impl Link {
    pub fn new(user: User, integration: Integration) -> Self {
        Self { user, integration }
    }

    async fn current(&self, ctx: &Context<'_>) -> Result<Option<Mapping>> {
        let mappings = loaders(ctx)?.mappings_of.load(self.user.0.id).await?.unwrap_or_default();
        Ok(mappings.into_iter().find(|mapping| mapping.0.integration_id == self.integration.0.id))
    }
}

/// How a user stands towards an integration.
#[Object(crate = "crate::graphql::executor")]
impl Link {
    /// The state, as linking last found it.
    async fn state(&self, ctx: &Context<'_>) -> Result<LinkState> {
        let state = loaders(ctx)?.link_states.load((self.user.0.id, self.integration.0.id)).await?;
        Ok(state.unwrap_or(entity::LinkState::NoMatch).into())
    }

    /// One sentence for a person: why the user is, or is not, linked.
    async fn explanation(&self, ctx: &Context<'_>) -> Result<String> {
        let explanation = loaders(ctx)?.explanations.load((self.user.0.id, self.integration.0.id)).await?;
        explanation.ok_or_else(|| Failure::internal("a visible user's link has no explanation"))
    }

    /// The mapping that holds.
    async fn mapping(&self, ctx: &Context<'_>) -> Result<Option<Mapping>> {
        self.current(ctx).await
    }

    /// CRM users this user could be mapped to, best first: those that nobody else is mapped to; for administrators.
    async fn candidates(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "As many at most; 200 at most.", default_with = "Some(5)")] first: Option<i32>,
    ) -> Result<Vec<LinkCandidate>> {
        session(ctx)?.admin()?;
        let first = first.unwrap_or(5);
        match u64::try_from(first) {
            Err(_) => return Err(Failure::bad_request(format!("`first` is {first}; it takes a number from 0 up."))),
            Ok(first) if first > MAX_SIZE => {
                return Err(Failure::limit_exceeded(format!("`first` is {first}; it takes {MAX_SIZE} at most.")));
            }
            Ok(_) => {}
        }
        let ranked = loaders(ctx)?.candidates.load((self.user.0.id, self.integration.0.id)).await?;
        Ok(ranked
            .unwrap_or_default()
            .iter()
            .take(usize::try_from(first).unwrap_or_default())
            .map(|candidate| LinkCandidate {
                crm_user: CrmUser(candidate.crm_user.clone()),
                score: candidate.score,
                reasons: candidate.reasons.iter().map(|reason| (*reason).into()).collect(),
            })
            .collect())
    }
}

/// A CRM user that a user may be.
#[derive(SimpleObject)]
pub struct LinkCandidate {
    /// The CRM user.
    crm_user: CrmUser,
    /// From 0 to 1.
    score: f64,
    /// What speaks for it, the strongest first.
    reasons: Vec<MatchReason>,
}

/// What a user and a CRM user have in common.
#[derive(Enum, Copy, Clone, Debug, Eq, PartialEq)]
#[graphql(remote = "candidate::MatchReason")]
pub enum MatchReason {
    /// The email.
    SameEmail,
    /// The CRM user's email or username is the alias of an earlier mapping of the user.
    SameAlias,
    /// The CRM user's username is the user's email, or the part of it before the @.
    SameUsername,
    /// The part of the email before the @.
    SameLocalPart,
    /// The name, without regard to order, accents and case.
    SameName,
    /// A name that may be the same: nicknames, initials, spelling.
    SimilarName,
    /// The job title, beside another reason.
    SameTitle,
}
