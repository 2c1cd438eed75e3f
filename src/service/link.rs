//! Who matches whom: pure functions over plain values. `linking` brings the values and carries out the decisions.
//!
//! The rules are those of DESIGN.md, "Linking", by their numbers.

use entity::{CrmUserId, Email, LinkState, MappingSource, UserId, UserStatus};

use super::{candidate, mapping::Warning};

/// A user and what is known of it towards one integration.
#[derive(Debug, Clone)]
pub struct Subject {
    pub email: Email,
    /// First and last name, or empty.
    pub name: String,
    pub status: UserStatus,
    pub mapping: Option<Mapped>,
    /// The CRM users of the integration that carry the user's email.
    pub matches: Vec<Match>,
}

/// The mapping that holds, and its target as the CRM last described it.
#[derive(Debug, Clone)]
pub struct Mapped {
    pub source: MappingSource,
    pub crm_email: Option<Email>,
    pub crm_name: String,
    pub crm_is_active: bool,
}

/// A CRM user that carries the user's email.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    pub crm_user_id: CrmUserId,
    pub is_active: bool,
    /// Who is mapped to it now.
    pub holder: Option<UserId>,
    /// An administrator removed the mapping of these two, and neither email has changed since.
    pub removed: bool,
}

/// What linking makes of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Rule 4: the one active and free match is linked.
    Link(CrmUserId),
    /// The user stays as it is, and stands so.
    Stay(LinkState),
}

/// Rules 1, 2 and 4: what becomes of the user.
pub fn decide(subject: &Subject, auto_link: bool) -> Decision {
    if subject.mapping.is_some() {
        return Decision::Stay(LinkState::Mapped);
    }
    let mut active = subject.matches.iter().filter(|found| found.is_active);
    match (active.next(), active.next()) {
        (None, _) if subject.matches.is_empty() => Decision::Stay(LinkState::NoMatch),
        (None, _) => Decision::Stay(LinkState::MatchInactive),
        (Some(_), Some(_)) => Decision::Stay(LinkState::Ambiguous),
        (Some(only), None) if only.holder.is_some() => Decision::Stay(LinkState::MatchTaken),
        (Some(only), None) if !auto_link || only.removed => Decision::Stay(LinkState::MatchAvailable),
        (Some(only), None) => Decision::Link(only.crm_user_id),
    }
}

/// The warnings that a mapping of this user carries, as bits of [`Warning`].
///
/// That the emails differ is what a manual mapping is for, so only an automatic one is warned of for its emails.
pub fn warnings(subject: &Subject, mapped: &Mapped) -> i32 {
    let automatic = mapped.source == MappingSource::Automatic;
    let carries = mapped.crm_email.as_ref() == Some(&subject.email);
    let active = subject.matches.iter().filter(|found| found.is_active).count();
    [
        (Warning::NameMismatch, candidate::names_differ(&subject.name, &mapped.crm_name)),
        (Warning::EmailMismatch, automatic && !carries),
        (Warning::CrmUserInactive, !mapped.crm_is_active),
        (Warning::UserSuspended, subject.status == UserStatus::Suspended),
        (Warning::EmailNowAmbiguous, automatic && carries && mapped.crm_is_active && active > 1),
    ]
    .into_iter()
    .filter(|(_, holds)| *holds)
    .fold(0, |bits, (warning, _)| bits | warning.bit())
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn found(n: u128, is_active: bool) -> Match {
        Match { crm_user_id: CrmUserId(Uuid::from_u128(n)), is_active, holder: None, removed: false }
    }

    fn subject(matches: Vec<Match>) -> Subject {
        Subject {
            email: Email("jane@x.com".into()),
            name: "Jane Doe".into(),
            status: UserStatus::Active,
            mapping: None,
            matches,
        }
    }

    #[test]
    fn the_one_active_free_match_is_linked() {
        assert_eq!(
            decide(&subject(vec![found(1, true), found(2, false)]), true),
            Decision::Link(CrmUserId(Uuid::from_u128(1)))
        );
    }

    #[test]
    fn whoever_is_not_linked_is_told_why() {
        let taken = Match { holder: Some(UserId(Uuid::nil())), ..found(1, true) };
        let removed = Match { removed: true, ..found(1, true) };
        for (matches, auto_link, state) in [
            (vec![], true, LinkState::NoMatch),
            (vec![found(1, false)], true, LinkState::MatchInactive),
            (vec![found(1, true), found(2, true)], true, LinkState::Ambiguous),
            (vec![taken.clone(), found(2, true)], true, LinkState::Ambiguous),
            (vec![taken], true, LinkState::MatchTaken),
            (vec![removed], true, LinkState::MatchAvailable),
            (vec![found(1, true)], false, LinkState::MatchAvailable),
        ] {
            assert_eq!(decide(&subject(matches.clone()), auto_link), Decision::Stay(state), "{matches:?}");
        }
    }

    #[test]
    fn a_mapping_is_never_moved_by_a_match() {
        let mapped =
            Mapped { source: MappingSource::Manual, crm_email: None, crm_name: String::new(), crm_is_active: false };
        let subject = Subject { mapping: Some(mapped), ..subject(vec![found(1, true)]) };
        assert_eq!(decide(&subject, true), Decision::Stay(LinkState::Mapped));
    }

    #[test]
    fn warnings_say_what_is_odd() {
        let mapped = Mapped {
            source: MappingSource::Automatic,
            crm_email: Some(Email("jane@x.com".into())),
            crm_name: "Jane Doe".into(),
            crm_is_active: true,
        };
        let one = subject(vec![found(1, true)]);
        let two = subject(vec![found(1, true), found(2, true)]);
        assert_eq!(warnings(&one, &mapped), 0);
        assert_eq!(warnings(&two, &mapped), Warning::EmailNowAmbiguous.bit());
        let left = Mapped { crm_is_active: false, crm_name: "Bob Ray".into(), ..mapped.clone() };
        assert_eq!(warnings(&one, &left), Warning::CrmUserInactive.bit() | Warning::NameMismatch.bit());
        let moved = Mapped { crm_email: Some(Email("j@x.com".into())), ..mapped };
        assert_eq!(warnings(&one, &moved), Warning::EmailMismatch.bit());
        assert_eq!(warnings(&one, &Mapped { source: MappingSource::Manual, ..moved }), 0);
    }
}
