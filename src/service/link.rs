//! Who matches whom: pure functions over plain values. `linking` brings the values and carries out the decisions.
//!
//! The rules are those of DESIGN.md, "Linking", by their numbers.

use std::collections::HashMap;

use entity::{CrmUserId, Email, ExternalId, LinkState, MappingEndReason, MappingSource, UserId, UserStatus};

use super::{candidate, clock::Time, mapping::Warning};

/// What an integration's settings let linking do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// `autoLinkByEmail`
    pub auto_link: bool,
    /// `autoRemapInactive`
    pub auto_remap: bool,
}

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
    pub external_id: ExternalId,
    pub is_active: bool,
    /// When the CRM says it was created there.
    pub created_at: Option<Time>,
    /// Another user who is mapped to it now.
    pub holder: Option<UserId>,
    /// An administrator removed the mapping of these two, and neither email has changed since.
    pub removed: bool,
}

impl Match {
    /// What the oldest has least of: the CRM's creation date, where it gives one, then the external id.
    pub fn age(&self) -> (bool, Option<Time>, &ExternalId) {
        (self.created_at.is_none(), self.created_at, &self.external_id)
    }
}

/// What linking makes of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The user is to be mapped to a CRM user, if that is free or is freed in the same step.
    Map(Wish),
    /// The user stays as it is, and stands so.
    Stay(LinkState),
}

/// A mapping to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wish {
    pub target: CrmUserId,
    /// Another user who is mapped to the target now.
    pub holder: Option<UserId>,
    /// Why the mapping that the user has ends; `None` where there is none.
    pub ends: Option<MappingEndReason>,
    /// How the user stands if it can't be had.
    pub otherwise: LinkState,
}

/// Rules 1 to 4: what is to become of the user.
pub fn decide(subject: &Subject, rules: Rules) -> Decision {
    let active = || subject.matches.iter().filter(|found| found.is_active);
    match &subject.mapping {
        Some(mapped) => match successor(subject, mapped, rules) {
            Some((found, reason)) => Decision::Map(Wish {
                target: found.crm_user_id,
                holder: found.holder,
                ends: Some(reason),
                otherwise: LinkState::Mapped,
            }),
            None => Decision::Stay(LinkState::Mapped),
        },
        None => {
            let mut active = active();
            match (active.next(), active.next()) {
                (None, _) if subject.matches.is_empty() => Decision::Stay(LinkState::NoMatch),
                (None, _) => Decision::Stay(LinkState::MatchInactive),
                (Some(_), Some(_)) => Decision::Stay(LinkState::Ambiguous),
                (Some(only), None) if !rules.auto_link || only.removed => Decision::Stay(match only.holder {
                    Some(_) => LinkState::MatchTaken,
                    None => LinkState::MatchAvailable,
                }),
                (Some(only), None) => Decision::Map(Wish {
                    target: only.crm_user_id,
                    holder: only.holder,
                    ends: None,
                    otherwise: LinkState::MatchTaken,
                }),
            }
        }
    }
}

/// Rules 2 and 3: the CRM user that the mapping is to move to.
fn successor<'a>(subject: &'a Subject, mapped: &Mapped, rules: Rules) -> Option<(&'a Match, MappingEndReason)> {
    if !may_move(subject, mapped, rules) {
        return None;
    }
    let mut active: Vec<&Match> = subject.matches.iter().filter(|found| found.is_active && !found.removed).collect();
    active.sort_by(|one, other| one.age().cmp(&other.age()));
    if mapped.crm_is_active {
        // "Exactly one other": what an administrator has removed counts among the several.
        let several = subject.matches.iter().filter(|found| found.is_active).count() > 1;
        active.first().filter(|_| !several).map(|only| (*only, MappingEndReason::Relinked))
    } else {
        // The oldest that nobody has; the oldest where each is taken, which may be freed in the same step.
        let free = active.iter().find(|found| found.holder.is_none());
        free.or(active.first()).map(|oldest| (*oldest, MappingEndReason::AutoRemapped))
    }
}

/// Whether rule 2 or 3 may move the mapping, were there another CRM user with the user's email.
pub fn may_move(subject: &Subject, mapped: &Mapped, rules: Rules) -> bool {
    if mapped.source == MappingSource::Manual {
        return false;
    }
    if mapped.crm_is_active {
        rules.auto_link && mapped.crm_email.as_ref() != Some(&subject.email)
    } else {
        rules.auto_remap
    }
}

/// Which wishes can be had together: those whose target is free, or is freed by another wish that can be had. Users may
/// move up in chains, and exchange their targets in circles. No two users wish for the same target: it carries the email
/// of one.
pub fn settle(wishes: &[(UserId, Wish)]) -> Vec<bool> {
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        Open,
        /// On the chain that is being followed.
        Followed,
        Had(bool),
    }
    let by_user: HashMap<UserId, usize> = wishes.iter().enumerate().map(|(i, (user, _))| (*user, i)).collect();
    let mut states = vec![State::Open; wishes.len()];
    for start in 0..wishes.len() {
        let mut chain = Vec::new();
        let mut at = start;
        let had = loop {
            match states[at] {
                State::Had(had) => break had,
                // A circle: each frees what the next one wants.
                State::Followed => break true,
                State::Open => {}
            }
            states[at] = State::Followed;
            chain.push(at);
            match wishes[at].1.holder {
                None => break true,
                Some(holder) => match by_user.get(&holder) {
                    // Who holds nothing frees nothing.
                    Some(&next) if wishes[next].1.ends.is_some() => at = next,
                    _ => break false,
                },
            }
        };
        for i in chain {
            states[i] = State::Had(had);
        }
    }
    states.into_iter().map(|state| state == State::Had(true)).collect()
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

    const LINKS: Rules = Rules { auto_link: true, auto_remap: false };
    const REMAPS: Rules = Rules { auto_link: true, auto_remap: true };

    fn found(n: u128, is_active: bool) -> Match {
        Match {
            crm_user_id: CrmUserId(Uuid::from_u128(n)),
            external_id: ExternalId(format!("{n:03}")),
            is_active,
            created_at: None,
            holder: None,
            removed: false,
        }
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
            decide(&subject(vec![found(1, true), found(2, false)]), LINKS),
            Decision::Map(Wish {
                target: CrmUserId(Uuid::from_u128(1)),
                holder: None,
                ends: None,
                otherwise: LinkState::MatchTaken
            })
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
            (vec![taken], false, LinkState::MatchTaken),
            (vec![removed], true, LinkState::MatchAvailable),
            (vec![found(1, true)], false, LinkState::MatchAvailable),
        ] {
            let rules = Rules { auto_link, ..LINKS };
            assert_eq!(decide(&subject(matches.clone()), rules), Decision::Stay(state), "{matches:?}");
        }
    }

    #[test]
    fn a_manual_mapping_is_never_moved() {
        let mapped =
            Mapped { source: MappingSource::Manual, crm_email: None, crm_name: String::new(), crm_is_active: false };
        let subject = Subject { mapping: Some(mapped), ..subject(vec![found(1, true)]) };
        assert_eq!(decide(&subject, REMAPS), Decision::Stay(LinkState::Mapped));
    }

    fn mapped(crm_email: &str, crm_is_active: bool) -> Option<Mapped> {
        Some(Mapped {
            source: MappingSource::Automatic,
            crm_email: Some(Email(crm_email.into())),
            crm_name: String::new(),
            crm_is_active,
        })
    }

    fn moves(subject: &Subject, rules: Rules) -> Option<(u128, MappingEndReason)> {
        match decide(subject, rules) {
            Decision::Map(Wish { target, ends: Some(reason), .. }) => Some((target.0.as_u128(), reason)),
            _ => None,
        }
    }

    #[test]
    fn an_automatic_mapping_follows_the_email() {
        let lost = Subject { mapping: mapped("j@x.com", true), ..subject(vec![found(1, true), found(2, false)]) };
        assert_eq!(moves(&lost, LINKS), Some((1, MappingEndReason::Relinked)));
        assert_eq!(moves(&lost, Rules { auto_link: false, ..LINKS }), None, "linking is off");
        let two = Subject { mapping: mapped("j@x.com", true), ..subject(vec![found(1, true), found(2, true)]) };
        assert_eq!(moves(&two, LINKS), None, "two could be meant");
        let kept = Subject { mapping: mapped("jane@x.com", true), ..subject(vec![found(1, true)]) };
        assert_eq!(moves(&kept, LINKS), None, "it still carries the email");
        let removed = Match { removed: true, ..found(1, true) };
        let removed = Subject { mapping: mapped("j@x.com", true), ..subject(vec![removed]) };
        assert_eq!(moves(&removed, LINKS), None, "an administrator took these two apart");
    }

    #[test]
    fn who_left_is_followed_by_the_oldest_who_is_there() {
        let at = |n, time: &str| Match { created_at: Some(time.parse().unwrap()), ..found(n, true) };
        let left = |matches| Subject { mapping: mapped("jane@x.com", false), ..subject(matches) };
        let one = left(vec![found(1, false), found(2, true)]);
        assert_eq!(moves(&one, REMAPS), Some((2, MappingEndReason::AutoRemapped)));
        assert_eq!(moves(&one, LINKS), None, "the setting is off");
        let several = vec![found(3, true), at(4, "2025-02-01T00:00:00Z"), at(5, "2025-01-01T00:00:00Z")];
        assert_eq!(moves(&left(several.clone()), REMAPS), Some((5, MappingEndReason::AutoRemapped)));
        let alike = vec![at(5, "2025-01-01T00:00:00Z"), at(4, "2025-01-01T00:00:00Z")];
        assert_eq!(moves(&left(alike), REMAPS), Some((4, MappingEndReason::AutoRemapped)));
        let taken = several.into_iter().map(|found| match found.crm_user_id.0.as_u128() {
            5 => Match { holder: Some(UserId(Uuid::nil())), ..found },
            _ => found,
        });
        assert_eq!(moves(&left(taken.collect()), REMAPS), Some((4, MappingEndReason::AutoRemapped)));
    }

    fn wish(user: u128, target: u128, holder: Option<u128>, has_one: bool) -> (UserId, Wish) {
        let wish = Wish {
            target: CrmUserId(Uuid::from_u128(target)),
            holder: holder.map(|holder| UserId(Uuid::from_u128(holder))),
            ends: has_one.then_some(MappingEndReason::Relinked),
            otherwise: LinkState::Mapped,
        };
        (UserId(Uuid::from_u128(user)), wish)
    }

    #[test]
    fn what_is_freed_may_be_had() {
        // 1 waits for 2, who waits for 3, whose target is free; 4 and 5 exchange; 6 waits for one who keeps hers.
        let wishes = [
            wish(1, 12, Some(2), false),
            wish(2, 13, Some(3), true),
            wish(3, 14, None, true),
            wish(4, 15, Some(5), true),
            wish(5, 16, Some(4), true),
            wish(6, 17, Some(7), true),
            wish(8, 18, Some(6), true),
        ];
        assert_eq!(settle(&wishes), [true, true, true, true, true, false, false]);
        let backwards: Vec<_> = wishes.iter().rev().copied().collect();
        assert_eq!(settle(&backwards), [false, false, true, true, true, true, true]);
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
