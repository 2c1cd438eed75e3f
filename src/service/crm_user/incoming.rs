//! A CRM user as it comes in, normalised once.

use entity::{Email, ExternalId, integration};

use super::{Incoming, id_kind};
use crate::service::{
    clock::{Time, storable},
    error::{ErrorCode, Fault, Faults},
    value::{email, external_id, name, team_path},
};

/// What a sandbox appends to the emails of its users.
const SANDBOX_SUFFIX: &str = ".invalid";

/// A CRM user in the form in which it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Normalized {
    pub external_id: ExternalId,
    pub email: Option<Email>,
    pub name: Option<String>,
    pub username: Option<String>,
    pub title: Option<String>,
    pub team: Option<String>,
    pub role: Option<String>,
    pub is_active: bool,
    pub crm_created_at: Option<Time>,
}

/// Normalises a CRM user, or says all that is wrong with it, at the API's field names.
pub fn normalize(integration: &integration::Model, incoming: &Incoming) -> Result<Normalized, Faults> {
    let mut faults = Faults::new();
    let external_id = external_id::parse(id_kind(integration.kind), &incoming.external_id).unwrap_or_else(|problem| {
        faults.push(Fault::at(ErrorCode::InvalidExternalId, "externalId", problem.to_string()));
        String::new()
    });
    let email = incoming.email.as_deref().filter(|text| !text.is_empty()).and_then(|text| {
        email::parse(text)
            .map_err(|problem| faults.push(Fault::at(ErrorCode::InvalidEmail, "email", problem.message)))
            .ok()
    });
    let mut text = |text: &Option<String>, field: &'static str| {
        text.as_deref().map_or(Ok(None), name::check_text).unwrap_or_else(|why| {
            faults.push(Fault::at(ErrorCode::Invalid, field, why));
            None
        })
    };
    let name = text(&incoming.name, "name");
    let username = text(&incoming.username, "username");
    let title = text(&incoming.title, "title");
    let team = incoming.team.as_deref().filter(|path| !path.is_empty()).and_then(|path| {
        team_path::parse(path)
            .map(|names| team_path::format(&names))
            .map_err(|why| faults.push(Fault::at(ErrorCode::Invalid, "team", why)))
            .ok()
    });
    let crm_created_at = incoming.created_at.and_then(|time| {
        let kept = storable(time);
        if kept.is_none() {
            faults.push(Fault::at(ErrorCode::Invalid, "createdAt", "A year from 1 to 9999 is needed."));
        }
        kept
    });
    if !faults.is_empty() {
        return Err(faults);
    }
    let stripped = |email: String| match email.strip_suffix(SANDBOX_SUFFIX) {
        Some(stripped) if integration.strip_invalid_suffix => stripped.to_owned(),
        _ => email,
    };
    Ok(Normalized {
        external_id: ExternalId(external_id),
        email: email.map(stripped).map(Email),
        name,
        username,
        title,
        team,
        role: incoming.role.clone(),
        is_active: incoming.is_active,
        crm_created_at,
    })
}
