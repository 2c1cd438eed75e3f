//! Which CRM users a user without a mapping may be: DESIGN.md "Candidates".
//!
//! [`keys`] gives the words by which an index finds a few hundred possible ones, [`score`] ranks them. Pure functions
//! over plain values; `strsim` does the measuring of names.

mod name;
mod nickname;

#[cfg(test)]
mod tests;

use super::value::email::local_part;
use super::value::text;

/// What a user and a CRM user share; the strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum MatchReason {
    /// The email, also where a sandbox has put `.invalid` behind it.
    SameEmail,
    /// The CRM user's email or username is the alias of an earlier mapping of the user.
    SameAlias,
    /// The CRM user's username is the user's email or the part of it before the `@`.
    SameUsername,
    /// The part of the email before the `@`, whatever its dots and `+tag`.
    SameLocalPart,
    /// The name, in any order, without regard to accents and case.
    SameName,
    /// A name that may be the same: nicknames, initials, spelling, middle names.
    SimilarName,
    /// The title; only beside another reason.
    SameTitle,
}

/// What is known of the user. Texts may be empty.
#[derive(Debug, Clone, Copy, Default)]
pub struct Person<'a> {
    pub email: &'a str,
    /// The alias emails of the user's earlier mappings.
    pub aliases: &'a [String],
    pub first_name: &'a str,
    pub last_name: &'a str,
    pub title: &'a str,
}

/// What is known of a CRM user. Texts may be empty.
#[derive(Debug, Clone, Copy, Default)]
pub struct CrmPerson<'a> {
    pub email: &'a str,
    pub username: &'a str,
    pub name: &'a str,
    pub title: &'a str,
}

/// How likely the two are one person, in 0..=1, and why, strongest first; `None` where nothing but perhaps the title
/// speaks for it. Candidates are listed by descending score.
///
/// Each reason is worth something, and two are worth more than one: the scores are combined as independent chances
/// are. The order of their worth is DESIGN.md's.
pub fn score(person: &Person<'_>, crm: &CrmPerson<'_>) -> Option<(f64, Vec<MatchReason>)> {
    let mut reasons: Vec<(f64, MatchReason)> = Vec::new();
    let email = lower(person.email);
    let aliases: Vec<String> = person.aliases.iter().map(|alias| lower(alias)).collect();
    let crm_email = lower(crm.email);
    let username = login(crm.username);

    if !email.is_empty() && crm_email == email {
        reasons.push((0.95, MatchReason::SameEmail));
    } else if !email.is_empty() && crm_email.strip_suffix(".invalid") == Some(&email) {
        reasons.push((0.93, MatchReason::SameEmail));
    }
    let is_alias =
        |text: &str| !text.is_empty() && aliases.iter().any(|a| a == text || text.strip_suffix(".invalid") == Some(a));
    if is_alias(&crm_email) || is_alias(&username) {
        reasons.push((0.85, MatchReason::SameAlias));
    }
    if !username.is_empty() && !email.is_empty() {
        // A sandbox puts its own name behind the usernames.
        let in_sandbox = username.strip_prefix(&email).is_some_and(|rest| rest.starts_with('.'));
        if username == email {
            reasons.push((0.75, MatchReason::SameUsername));
        } else if in_sandbox {
            reasons.push((0.72, MatchReason::SameUsername));
        } else if username == local_part(&email) && is_telling(&email) {
            reasons.push((0.65, MatchReason::SameUsername));
        }
    }
    if reasons.is_empty() {
        let own = std::iter::once(&email).chain(&aliases).filter(|own| is_telling(own));
        let own: Vec<String> = own.map(|own| bare_local(own)).collect();
        let theirs = [&crm_email, &username].map(|text| bare_local(text));
        let shared = theirs.iter().filter(|local| own.contains(local)).map(|local| local.chars().count()).max();
        match shared {
            Some(length) if length >= 5 => reasons.push((0.6, MatchReason::SameLocalPart)),
            Some(_) => reasons.push((0.4, MatchReason::SameLocalPart)),
            None => {}
        }
    }
    let by_email = !reasons.is_empty();
    reasons.extend(name_reason(person, crm, by_email));
    if reasons.is_empty() {
        return None;
    }
    let titles = (text::words(person.title), text::words(crm.title));
    if !titles.0.is_empty() && titles.0 == titles.1 {
        reasons.push((0.05, MatchReason::SameTitle));
    }
    reasons.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let against: f64 = reasons.iter().map(|(worth, _)| 1.0 - worth).product();
    Some(((1.0 - against).clamp(0.0, 1.0), reasons.into_iter().map(|(_, reason)| reason).collect()))
}

/// The most keys that [`keys`] gives.
pub const MAX_KEYS: usize = 64;

/// The folded words by which an index of the CRM users' names, emails and usernames finds possible candidates: name
/// words with their nicknames, the pieces of the local parts, and what a local part is often made of (`jsmith`). Each
/// once, none of a single character, at most [`MAX_KEYS`]; what tells most comes first.
pub fn keys(person: &Person<'_>) -> Vec<String> {
    let mut keys: Vec<String> = Vec::new();
    for email in std::iter::once(person.email).chain(person.aliases.iter().map(String::as_str)) {
        if is_telling(&lower(email)) {
            let local = local_part(email).split('+').next().unwrap_or_default();
            keys.push(bare_local(email));
            keys.extend(text::words(local));
        }
    }
    let first = name::latin_words(person.first_name);
    let last = name::latin_words(person.last_name);
    keys.extend(text::words(person.last_name));
    keys.extend(last.iter().cloned());
    keys.extend(name::spellings(person.last_name));
    keys.push(last.concat());
    if let (Some(first), false) = (first.first(), last.is_empty()) {
        let last = last.concat();
        let initial: String = first.chars().take(1).collect();
        keys.extend([format!("{first}{last}"), format!("{initial}{last}"), format!("{last}{initial}")]);
    }
    keys.extend(text::words(person.first_name));
    keys.extend(first.iter().cloned());
    keys.extend(name::spellings(person.first_name));
    keys.push(first.concat());
    keys.extend(first.iter().flat_map(|word| nickname::other_forms(word)).map(str::to_owned));
    let mut seen = std::collections::HashSet::new();
    keys.retain(|key| key.chars().nth(1).is_some() && seen.insert(key.clone()));
    keys.truncate(MAX_KEYS);
    keys
}

/// What the words of the last name begin with, in folded Latin letters: who is misspelled in each word of their name is
/// found by no [key](keys). At most four.
pub fn beginnings(person: &Person<'_>) -> Vec<String> {
    let mut beginnings: Vec<String> =
        name::latin_words(person.last_name).iter().filter_map(|word| name::beginning(word)).take(4).collect();
    beginnings.sort_unstable();
    beginnings.dedup();
    beginnings
}

/// Whether a mapping's two names are surely two people's, for the warning `NAME_MISMATCH`: both are there, and they
/// share no word that is the same or similar. Nicknames, initials, order, accents, middle names, a changed surname and
/// another script are no mismatch.
pub fn names_differ(user_name: &str, crm_name: &str) -> bool {
    name::differ(&name::words(user_name), &name::words(crm_name))
}

/// What the names say. Where one side has none, the words of its email's local part stand in for it, unless the emails
/// have spoken already.
fn name_reason(person: &Person<'_>, crm: &CrmPerson<'_>, by_email: bool) -> Option<(f64, MatchReason)> {
    let mut given = name::latin_words(person.first_name);
    let family = name::latin_words(person.last_name);
    let mut theirs = name::latin_words(crm.name);
    let mut stands_in = false;
    let mut stand_in = |words: &mut Vec<String>, email: &str| {
        if !by_email && is_telling(&lower(email)) {
            *words = name::latin_words(local_part(email).split('+').next().unwrap_or_default());
            stands_in = true;
        }
    };
    if given.is_empty() && family.is_empty() {
        // Which of them is the first name, an email does not tell.
        stand_in(&mut given, person.email);
    }
    if theirs.is_empty() {
        stand_in(&mut theirs, crm.email);
    }
    let own = [given.as_slice(), &family].concat();
    if own.len().max(theirs.len()) >= 2 && !stands_in && name::same(&own, &theirs) {
        return Some((0.55, MatchReason::SameName));
    }
    let likeness = name::likeness(&given, &family, &theirs)?;
    Some((0.45 * likeness, MatchReason::SimilarName))
}

fn lower(text: &str) -> String {
    text.trim().to_lowercase()
}

/// A username in lower case, without the Windows domain before it.
fn login(username: &str) -> String {
    let username = lower(username);
    match username.rsplit_once('\\') {
        Some((_, login)) => login.to_owned(),
        None => username,
    }
}

/// The folded part before the `@`, without `+tag` and punctuation.
fn bare_local(email: &str) -> String {
    let local = local_part(email).split('+').next().unwrap_or_default();
    text::fold(local).chars().filter(|c| c.is_alphanumeric()).collect()
}

/// Whether the part before the `@` says who it is: there are at least two characters, and it is not a role's.
fn is_telling(email: &str) -> bool {
    const ROLES: &[&str] = &[
        "admin",
        "administrator",
        "billing",
        "contact",
        "crm",
        "finance",
        "hello",
        "help",
        "helpdesk",
        "hr",
        "info",
        "it",
        "mail",
        "marketing",
        "noreply",
        "office",
        "ops",
        "postmaster",
        "sales",
        "salesforce",
        "service",
        "support",
        "team",
        "test",
        "user",
        "webmaster",
    ];
    let local = bare_local(email);
    local.chars().nth(1).is_some() && !ROLES.contains(&local.as_str())
}
