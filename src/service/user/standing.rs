//! How users stand towards integrations, and why, in a sentence for a person.

use std::collections::HashMap;

use entity::{Email, ExternalId, IntegrationId, LinkState, MappingSource, TeamId, UserId};
use sea_orm::FromQueryResult;

use crate::service::{Session, clock::Time, error::Result};

/// A user towards an integration.
pub type Pair = (UserId, IntegrationId);

/// As many CRM users are named in a sentence.
const NAMED: i64 = 5;

fn split(pairs: &[Pair]) -> (Vec<UserId>, Vec<IntegrationId>) {
    let users = pairs.iter().map(|(user, _)| *user).collect();
    let mut integrations: Vec<IntegrationId> = pairs.iter().map(|(_, integration)| *integration).collect();
    integrations.sort_unstable();
    integrations.dedup();
    (users, integrations)
}

/// How each user stands towards each integration. A pair that linking has not looked at is not in the answer.
pub async fn states(session: &Session, pairs: &[Pair]) -> Result<HashMap<Pair, LinkState>> {
    let (users, integrations) = split(pairs);
    let mut sql = session.sql();
    sql.push("SELECT l.user_id, l.integration_id, l.state FROM user_link l WHERE ");
    sql.equals("l.organization_id", session.organization_id());
    sql.push(" AND ").any_id("l.integration_id", &integrations).push(" AND ").any_id("l.user_id", &users);
    let rows = sql.map(session.reader(), |row| {
        Ok(((row.try_get("", "user_id")?, row.try_get("", "integration_id")?), row.try_get("", "state")?))
    });
    Ok(rows.await?.into_iter().collect())
}

#[derive(FromQueryResult)]
struct Standing {
    user_id: UserId,
    email: Email,
    integration_id: IntegrationId,
    integration: String,
    auto_link_by_email: bool,
    state: Option<LinkState>,
    source: Option<MappingSource>,
    mapped_at: Option<Time>,
    mapped_to: Option<ExternalId>,
}

/// A CRM user that carries the user's email.
#[derive(FromQueryResult)]
struct Carrier {
    user_id: UserId,
    integration_id: IntegrationId,
    external_id: ExternalId,
    is_active: bool,
    /// How many there are that are as active as this one.
    alike: i64,
    holder_id: Option<UserId>,
    holder_email: Option<Email>,
    holder_team_id: Option<TeamId>,
}

/// Why each user is, or is not, linked to each integration: two statements for all of them.
pub async fn explanations(session: &Session, pairs: &[Pair]) -> Result<HashMap<Pair, String>> {
    let (users, integrations) = split(pairs);

    let mut sql = session.sql();
    sql.push(
        "SELECT u.id AS user_id, u.email, i.id AS integration_id, i.name AS integration, i.auto_link_by_email, \
         l.state, m.source, m.created_at AS mapped_at, c.external_id AS mapped_to \
         FROM app_user u JOIN integration i ON i.organization_id = u.organization_id \
         LEFT JOIN user_link l ON l.organization_id = u.organization_id AND l.integration_id = i.id \
         AND l.user_id = u.id \
         LEFT JOIN mapping m ON m.organization_id = u.organization_id AND m.integration_id = i.id \
         AND m.user_id = u.id AND m.ended_at IS NULL \
         LEFT JOIN crm_user c ON c.organization_id = m.organization_id AND c.id = m.crm_user_id WHERE ",
    );
    sql.equals("u.organization_id", session.organization_id());
    sql.push(" AND ").any_id("u.id", &users).push(" AND ").any_id("i.id", &integrations);
    session.visible(&mut sql, "u");
    let standings: Vec<Standing> = sql.all(session.reader()).await?;

    let mut sql = session.sql();
    sql.push(
        "SELECT * FROM (SELECT u.id AS user_id, c.integration_id, c.external_id, c.is_active, \
         h.id AS holder_id, h.email AS holder_email, h.team_id AS holder_team_id, \
         COUNT(*) OVER (PARTITION BY u.id, c.integration_id, c.is_active) AS alike, \
         ROW_NUMBER() OVER (PARTITION BY u.id, c.integration_id ORDER BY c.is_active DESC, c.external_id) AS place \
         FROM app_user u JOIN crm_user c ON c.organization_id = u.organization_id AND c.email = u.email \
         LEFT JOIN mapping m ON m.organization_id = c.organization_id AND m.integration_id = c.integration_id \
         AND m.crm_user_id = c.id AND m.ended_at IS NULL \
         LEFT JOIN app_user h ON h.organization_id = m.organization_id AND h.id = m.user_id WHERE ",
    );
    sql.equals("u.organization_id", session.organization_id());
    sql.push(" AND ").any_id("u.id", &users).push(" AND ").any_id("c.integration_id", &integrations);
    sql.push(") AS r WHERE place <= ").bind(NAMED).push(" ORDER BY user_id, integration_id, place");
    let mut carriers: HashMap<Pair, Vec<Carrier>> = HashMap::new();
    for carrier in sql.all::<Carrier>(session.reader()).await? {
        carriers.entry((carrier.user_id, carrier.integration_id)).or_default().push(carrier);
    }

    Ok(standings
        .into_iter()
        .map(|standing| {
            let pair = (standing.user_id, standing.integration_id);
            let carriers = carriers.get(&pair).map_or(&[][..], Vec::as_slice);
            (pair, sentence(session, &standing, carriers))
        })
        .collect())
}

fn sentence(session: &Session, standing: &Standing, carriers: &[Carrier]) -> String {
    let Standing { email, integration, .. } = standing;
    let active: Vec<&Carrier> = carriers.iter().filter(|carrier| carrier.is_active).collect();
    let inactive: Vec<&Carrier> = carriers.iter().filter(|carrier| !carrier.is_active).collect();
    match standing.state.unwrap_or(LinkState::NoMatch) {
        LinkState::Mapped => {
            let to = standing.mapped_to.as_ref().map_or("", ExternalId::as_str);
            let on = standing.mapped_at.map(|at| at.format(" on %Y-%m-%d").to_string()).unwrap_or_default();
            match standing.source {
                Some(MappingSource::Manual) => format!("An administrator mapped {email} to the CRM user {to}{on}."),
                _ => format!("Linking mapped {email} to the CRM user {to}{on}."),
            }
        }
        LinkState::MatchAvailable => {
            let why = if standing.auto_link_by_email {
                "an administrator removed this very mapping, and linking leaves it at that while both emails stay"
            } else {
                "linking by email is switched off"
            };
            match active.first() {
                Some(carrier) => {
                    format!("The CRM user {} carries {email} and is free, but {why}.", carrier.external_id)
                }
                None => format!("One CRM user of {integration} carries {email} and is free, but {why}."),
            }
        }
        LinkState::NoMatch => format!("No CRM user of {integration} carries {email}."),
        LinkState::Ambiguous => match active.first() {
            Some(carrier) => {
                format!("{} active CRM users carry {email}: {}.", number(carrier.alike), names(&active))
            }
            None => format!("Several active CRM users carry {email}."),
        },
        LinkState::MatchInactive => match inactive.first() {
            Some(carrier) if carrier.alike == 1 => {
                format!("The one CRM user that carries {email}, {}, is inactive.", carrier.external_id)
            }
            Some(carrier) => {
                format!("{} CRM users carry {email}, all inactive: {}.", number(carrier.alike), names(&inactive))
            }
            None => format!("Only inactive CRM users carry {email}."),
        },
        LinkState::MatchTaken => {
            let holder = |carrier: &Carrier| {
                let seen = carrier.holder_id.is_some_and(|id| session.sees(id, carrier.holder_team_id));
                carrier.holder_email.as_ref().filter(|_| seen).map_or("another user", Email::as_str).to_owned()
            };
            match active.first() {
                Some(carrier) => {
                    let holder = holder(carrier);
                    format!("The CRM user {} carries {email}, but is mapped to {holder}.", carrier.external_id)
                }
                None => format!("The CRM user that carries {email} is mapped to another user."),
            }
        }
    }
}

/// A count at the beginning of a sentence.
fn number(n: i64) -> String {
    let words = ["Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine"];
    let word = usize::try_from(n - 2).ok().and_then(|i| words.get(i));
    word.map_or_else(|| n.to_string(), ToString::to_string)
}

/// `005A, 005B and 3 more`.
fn names(carriers: &[&Carrier]) -> String {
    let named: Vec<&str> = carriers.iter().map(|carrier| carrier.external_id.as_str()).collect();
    let all = carriers.first().map_or(0, |carrier| carrier.alike);
    let more = all - i64::try_from(named.len()).unwrap_or(all);
    if more > 0 { format!("{} and {more} more", named.join(", ")) } else { named.join(", ") }
}
