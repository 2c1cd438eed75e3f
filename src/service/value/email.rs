//! Email addresses: RFC 6531 (non-ASCII letters allowed), in NFC and Unicode lower case.
//!
//! The grammar is the `email_address` crate's. It is asked about a copy in which every non-ASCII letter stands as
//! `a`: its own test for them refuses combining marks, which many scripts cannot be written without.

use std::fmt;

use super::text;
use email_address::{EmailAddress, Error as Grammar, Options};

/// The longest address, in bytes of UTF-8 (RFC 5321 §4.5.3.1.3, less the angle brackets).
pub const MAX_BYTES: usize = 254;
/// The longest part before the `@`, in bytes of UTF-8 (RFC 5321 §4.5.3.1.1).
pub const MAX_LOCAL_BYTES: usize = 64;

/// Why a text is not an email address: a sentence for a person, and what was probably meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct EmailProblem {
    /// One sentence that says what is wrong and, where it can, what to write instead.
    pub message: String,
    /// A valid, normalised address that was probably meant. It is in the message too.
    pub hint: Option<String>,
}

impl EmailProblem {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    fn with_hint(message: impl fmt::Display, hint: Option<String>) -> Self {
        match hint {
            Some(hint) => Self { message: format!("{message} Did you mean {hint}?"), hint: Some(hint) },
            None => Self::new(message.to_string()),
        }
    }
}

/// The address as it is stored and compared: NFC, Unicode lower case.
///
/// Refused: white space and invisible characters anywhere (with the address without them as a hint), display names
/// and angle brackets, quoted local parts, IP literals, a domain without a dot, and more than [`MAX_BYTES`] or
/// [`MAX_LOCAL_BYTES`]. Whether the address receives mail is not looked at.
///
/// # Errors
/// What is wrong, for a person.
pub fn parse(text: &str) -> Result<String, EmailProblem> {
    if text.is_empty() {
        return Err(EmailProblem::new("An email address is needed; this is empty."));
    }
    if text.chars().any(is_blank) {
        let hint = parse(&text.chars().filter(|c| !is_blank(*c)).collect::<String>()).ok();
        let what = if text.chars().any(char::is_whitespace) {
            "contains white space"
        } else {
            "contains an invisible character"
        };
        return Err(EmailProblem::with_hint(format_args!("{} {what}.", shown(text)), hint));
    }
    if text.contains(['<', '>']) {
        let inside = text.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map(|(inside, _)| inside);
        let hint = inside.and_then(|inside| parse(inside).ok());
        let message = format!("{} is more than an address; write the address alone.", shown(text));
        return Err(EmailProblem::with_hint(message, hint));
    }
    let address = normalize(text);
    check(&address).map_err(|why| EmailProblem::new(format!("{} is not an email address: {why}.", shown(text))))?;
    Ok(address)
}

/// The part before the last `@`, or the whole text where there is none.
pub fn local_part(address: &str) -> &str {
    address.rsplit_once('@').map_or(address, |(local, _)| local)
}

fn normalize(text: &str) -> String {
    text::composed(&text::composed(text).to_lowercase())
}

fn check(address: &str) -> Result<(), String> {
    let Some((local, domain)) = address.rsplit_once('@') else {
        return Err("it has no @".into());
    };
    if local.contains('@') {
        return Err("it has more than one @".into());
    }
    if local.len() > MAX_LOCAL_BYTES {
        return Err(format!("the part before the @ is over {MAX_LOCAL_BYTES} bytes long"));
    }
    if address.len() > MAX_BYTES {
        return Err(format!("it is over {MAX_BYTES} bytes long"));
    }
    if local.contains('"') {
        return Err("quotes are not supported".into());
    }
    if domain.starts_with('[') {
        return Err("a domain name is needed after the @, not an IP address".into());
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.' || !(c.is_ascii() || c.is_control());
    if let Some(c) = domain.chars().find(|c| !allowed(*c)) {
        return Err(format!("{c:?} can't stand in a domain name"));
    }
    let ascii: String = address.chars().map(|c| if c.is_ascii() || c.is_control() { c } else { 'a' }).collect();
    let options = Options::default().with_required_tld().without_domain_literal().without_display_text();
    EmailAddress::parse_with_options(&ascii, options).map_err(|error| grammar(&error, local))?;
    match domain.rsplit('.').next() {
        Some(last) if last.bytes().all(|b| b.is_ascii_digit()) => {
            Err("a domain name is needed after the @, not an IP address".into())
        }
        _ => Ok(()),
    }
}

/// The crate's finding in the words of these messages.
fn grammar(error: &Grammar, local: &str) -> String {
    match error {
        Grammar::LocalPartEmpty => "there is nothing before the @".into(),
        Grammar::DomainEmpty => "there is nothing after the @".into(),
        Grammar::SubDomainEmpty => "the domain has a dot too many".into(),
        Grammar::SubDomainTooLong => "a part of the domain is over 63 characters long".into(),
        Grammar::DomainTooFew => "the domain has no dot".into(),
        _ if local.starts_with('.') || local.ends_with('.') || local.contains("..") => {
            "there is a dot too many before the @".into()
        }
        _ => match local.chars().find(|c| c.is_control() || c.is_ascii() && !is_local_ascii(*c)) {
            Some(c) => format!("{c:?} can't stand in it"),
            None => "a part of the domain starts or ends with a hyphen".into(),
        },
    }
}

fn is_local_ascii(c: char) -> bool {
    c.is_ascii_alphanumeric() || ".!#$%&'*+-/=?^_`{|}~".contains(c)
}

/// White space, or a character that shows as nothing (zero-width, soft hyphen, direction marks): pasting leaves such.
fn is_blank(c: char) -> bool {
    c.is_whitespace()
        || matches!(c,
            '\u{ad}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// The text in quotes for a message, cut after 100 characters.
fn shown(text: &str) -> String {
    match text.char_indices().nth(100) {
        Some((at, _)) => format!("{:?}…", &text[..at]),
        None => format!("{text:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_normalised() {
        for (given, stored) in [
            ("Jane.Smith@Company.COM", "jane.smith@company.com"),
            ("o'brien+tag@x.co", "o'brien+tag@x.co"),
            ("JOSE\u{301}@x.com", "jos\u{e9}@x.com"),
            ("ЖЕНЯ@Почта.рф", "женя@почта.рф"),
            ("हिन्दी@उदाहरण.भारत", "हिन्दी@उदाहरण.भारत"),
            ("用户@例子.广告", "用户@例子.广告"),
            ("a@xn--bcher-kva.example", "a@xn--bcher-kva.example"),
            ("jane@acme.com.invalid", "jane@acme.com.invalid"),
            ("1@2.io", "1@2.io"),
        ] {
            assert_eq!(parse(given).as_deref(), Ok(stored));
            assert_eq!(parse(stored).as_deref(), Ok(stored), "twice is once");
        }
    }

    #[test]
    fn white_space_is_refused_with_a_hint() {
        let problem = parse("janesmith @Company.com").unwrap_err();
        assert_eq!(problem.hint.as_deref(), Some("janesmith@company.com"));
        assert_eq!(
            problem.message,
            "\"janesmith @Company.com\" contains white space. Did you mean janesmith@company.com?"
        );
        assert_eq!(parse("a\u{a0}b@x.com").unwrap_err().hint.as_deref(), Some("ab@x.com"));
        assert!(parse("a\u{200b}b@x.com").unwrap_err().message.contains("invisible"));
        assert_eq!(parse("not an address").unwrap_err().hint, None);
        assert!(parse(" ").is_err());
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (given, says) in [
            ("", "empty"),
            ("jane", "no @"),
            ("@x.com", "nothing before"),
            ("jane@", "nothing after"),
            ("a@b@x.com", "more than one @"),
            ("user@localhost", "no dot"),
            ("a@x..com", "dot too many"),
            ("a@x.com.", "dot too many"),
            (".a@x.com", "dot too many before"),
            ("a@-x.com", "hyphen"),
            ("a@x_y.com", "'_'"),
            ("\"a\"@x.com", "quotes"),
            ("a@[127.0.0.1]", "IP address"),
            ("a@127.0.0.1", "IP address"),
            ("mailto:a@x.com", "':'"),
            ("a,b@x.com", "','"),
            ("a\u{7}@x.com", "can't stand"),
            ("a@x.com;b@x.com", "more than one @"),
        ] {
            let problem = parse(given).unwrap_err();
            assert!(problem.message.contains(says), "{given:?}: {}", problem.message);
        }
        assert_eq!(parse("<Jane@x.com>").unwrap_err().hint.as_deref(), Some("jane@x.com"));
    }

    #[test]
    fn lengths_are_limited_in_bytes() {
        let local = "a".repeat(64);
        assert!(parse(&format!("{local}@x.com")).is_ok());
        assert!(parse(&format!("{local}a@x.com")).unwrap_err().message.contains("64"));
        assert!(parse(&format!("{}@x.com", "é".repeat(33))).unwrap_err().message.contains("64"));
        let domain = format!("{}.com", ["b".repeat(60), "b".repeat(60), "b".repeat(60)].join("."));
        assert!(parse(&format!("{local}@{domain}")).is_ok());
        assert!(parse(&format!("{local}@bbbb.{domain}")).unwrap_err().message.contains("254"));
        assert!(parse(&"x".repeat(1_000_000)).unwrap_err().message.len() < 300);
    }

    #[test]
    fn local_part_is_before_the_last_at() {
        assert_eq!(local_part("jane@x.com"), "jane");
        assert_eq!(local_part("jane"), "jane");
    }
}
