//! The ids that CRMs give to their users.

/// The longest id of a CRM other than Salesforce, in characters.
pub const MAX_CHARS: usize = 255;

/// Whose rules an external id follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdKind {
    /// 15 or 18 characters, stored as 18; a user's id starts with `005`.
    Salesforce,
    /// Whatever the CRM gives, kept as it is.
    Other,
}

/// Why a text is not an external id; the message is for a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExternalIdProblem {
    #[error("An external id is needed; this is empty.")]
    Empty,
    #[error("An external id has {MAX_CHARS} characters at most; this one has {0}.")]
    TooLong(usize),
    #[error("An external id can't hold control characters such as tabs or line breaks.")]
    Control,
    #[error("A Salesforce id has 15 or 18 characters; this one has {0}.")]
    Length(usize),
    #[error("A Salesforce id holds only the letters A to Z and digits, not {0:?}.")]
    Character(char),
    #[error("A Salesforce user's id starts with 005; this one starts with {prefix}{}.", of(prefix))]
    Prefix { prefix: String },
    #[error(
        "The checksum of this Salesforce id does not fit: its last three characters are {given}, its first 15 \
         give {expected}. A character or its case was changed; copy the id again."
    )]
    Checksum { given: String, expected: String },
    #[error(
        "The checksum of this Salesforce id does not fit: its last three characters, {0}, can't belong to its first \
         15. Copy the id again."
    )]
    ChecksumCase(String),
}

/// The id as it is stored.
///
/// Salesforce (csv.md "Mappings", crm.md "Ids"): 15 characters get their checksum; 18 in mixed case must have the
/// right one; 18 all in upper or all in lower case get their case back from it. Others: not empty, at most
/// [`MAX_CHARS`] characters, no control characters, kept exactly as given.
///
/// # Errors
/// The first thing that is wrong.
pub fn parse(kind: IdKind, text: &str) -> Result<String, ExternalIdProblem> {
    if text.is_empty() {
        return Err(ExternalIdProblem::Empty);
    }
    match kind {
        IdKind::Salesforce => salesforce(text),
        IdKind::Other if text.chars().any(char::is_control) => Err(ExternalIdProblem::Control),
        IdKind::Other => match text.chars().count() {
            n if n > MAX_CHARS => Err(ExternalIdProblem::TooLong(n)),
            _ => Ok(text.to_owned()),
        },
    }
}

fn salesforce(text: &str) -> Result<String, ExternalIdProblem> {
    if let Some(c) = text.chars().find(|c| !c.is_ascii_alphanumeric()) {
        return Err(ExternalIdProblem::Character(c));
    }
    // From here on all is ASCII: bytes are characters.
    if text.len() != 15 && text.len() != 18 {
        return Err(ExternalIdProblem::Length(text.len()));
    }
    if !text.starts_with("005") {
        return Err(ExternalIdProblem::Prefix { prefix: text[..3].to_owned() });
    }
    with_checksum(text)
}

/// The 18-character form of a Salesforce id (of any object) of 15 or 18 ASCII letters and digits.
fn with_checksum(text: &str) -> Result<String, ExternalIdProblem> {
    if text.len() == 15 {
        return Ok(format!("{text}{}", checksum(text)));
    }
    let (base, suffix) = text.split_at(15);
    let suffix = suffix.to_ascii_uppercase();
    let upper = text.bytes().any(|b| b.is_ascii_uppercase());
    let lower = text.bytes().any(|b| b.is_ascii_lowercase());
    if upper && lower {
        let expected = checksum(base);
        return if suffix == expected {
            Ok(format!("{base}{suffix}"))
        } else {
            Err(ExternalIdProblem::Checksum { given: suffix, expected })
        };
    }
    let base = restore_case(base, &suffix).ok_or_else(|| ExternalIdProblem::ChecksumCase(suffix.clone()))?;
    Ok(format!("{base}{suffix}"))
}

/// What the index of a checksum character's five bits is looked up in.
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";

fn checksum(base: &str) -> String {
    let bits =
        |group: &[u8]| group.iter().enumerate().map(|(i, b)| usize::from(b.is_ascii_uppercase()) << i).sum::<usize>();
    base.as_bytes().chunks(5).filter_map(|group| ALPHABET.get(bits(group))).map(|b| char::from(*b)).collect()
}

/// The first 15 characters in the case that the checksum says; `None` where it says upper case of a digit.
fn restore_case(base: &str, suffix: &str) -> Option<String> {
    let mut restored = String::with_capacity(18);
    for (group, check) in base.as_bytes().chunks(5).zip(suffix.bytes()) {
        let bits = ALPHABET.iter().position(|b| *b == check)?;
        for (i, b) in group.iter().enumerate() {
            match (bits >> i) & 1 == 1 {
                true if b.is_ascii_digit() => return None,
                true => restored.push(char::from(b.to_ascii_uppercase())),
                false => restored.push(char::from(b.to_ascii_lowercase())),
            }
        }
    }
    Some(restored)
}

fn of(prefix: &str) -> &'static str {
    match prefix {
        "001" => ", as an account's does",
        "003" => ", as a contact's does",
        "00Q" | "00q" => ", as a lead's does",
        "00G" | "00g" => ", as a queue's or group's does",
        "00E" | "00e" => ", as a role's or profile's does",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sf(text: &str) -> Result<String, ExternalIdProblem> {
        parse(IdKind::Salesforce, text)
    }

    #[test]
    fn checksums_are_salesforces() {
        for (base, suffix) in [
            ("0050Y000000fL1W", "QAU"),
            ("a0D30000001n7Pi", "EAI"),
            ("a0FE000000D6r3F", "MAR"),
            ("AbCdEfGhIjKlMnO", "VKV"),
            ("aaaaaaaaaaaaaaa", "AAA"),
            ("AAAAAAAAAAAAAAA", "555"),
        ] {
            let full = format!("{base}{suffix}");
            assert_eq!(checksum(base), suffix);
            assert_eq!(with_checksum(base).as_deref(), Ok(&*full));
            assert_eq!(with_checksum(&full).as_deref(), Ok(&*full));
            assert_eq!(with_checksum(&full.to_uppercase()).as_deref(), Ok(&*full));
            assert_eq!(with_checksum(&full.to_lowercase()).as_deref(), Ok(&*full));
        }
    }

    #[test]
    fn every_form_is_stored_as_one() {
        for given in ["0050Y000000fL1W", "0050Y000000fL1WQAU", "0050Y000000FL1WQAU", "0050y000000fl1wqau"] {
            assert_eq!(sf(given).as_deref(), Ok("0050Y000000fL1WQAU"), "{given}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert_eq!(sf(""), Err(ExternalIdProblem::Empty));
        assert_eq!(sf("0050Y000000fL1"), Err(ExternalIdProblem::Length(14)));
        assert_eq!(sf("0050Y000000fL1-"), Err(ExternalIdProblem::Character('-')));
        assert_eq!(sf("0050Y000000fL1é"), Err(ExternalIdProblem::Character('é')));
        assert_eq!(
            sf("0050Y000000fl1WQAU"),
            Err(ExternalIdProblem::Checksum { given: "QAU".into(), expected: "QAQ".into() })
        );
        // All lower case, but the checksum wants upper case of the first digit.
        assert_eq!(sf("0050y000000fl1wbau"), Err(ExternalIdProblem::ChecksumCase("BAU".into())));
        assert_eq!(sf("0050y000000fl1w9au"), Err(ExternalIdProblem::ChecksumCase("9AU".into())));
        let group = sf("00GE0000001AbCd").unwrap_err();
        assert_eq!(group, ExternalIdProblem::Prefix { prefix: "00G".into() });
        assert_eq!(
            group.to_string(),
            "A Salesforce user's id starts with 005; this one starts with 00G, as a queue's or group's does."
        );
    }

    #[test]
    fn other_crms_ids_are_kept_as_they_are() {
        let other = |text: &str| parse(IdKind::Other, text);
        assert_eq!(other("6166860").as_deref(), Ok("6166860"));
        assert_eq!(other("{A-b} é").as_deref(), Ok("{A-b} é"));
        assert_eq!(other(&"é".repeat(255)), Ok("é".repeat(255)));
        assert_eq!(other(&"é".repeat(256)), Err(ExternalIdProblem::TooLong(256)));
        assert_eq!(other("a\tb"), Err(ExternalIdProblem::Control));
        assert_eq!(other(""), Err(ExternalIdProblem::Empty));
    }
}
