//! Names that people give to things: integrations, licences, profiles, tokens, organisations.

use super::text;

/// The longest name, in characters.
pub const MAX_CHARS: usize = 200;

/// A name as it is stored: NFC, 1 to [`MAX_CHARS`] characters, no white space around it and no control characters in it.
/// `what` says what is named: `integration`.
///
/// # Errors
/// A sentence for a person.
pub fn check(what: &str, name: &str) -> Result<String, String> {
    if name.trim().is_empty() {
        return Err(format!("The {what} needs a name; this is empty."));
    }
    if name.trim() != name {
        return Err(format!("The name {name:?} has white space before or after it; take it away."));
    }
    if name.chars().any(char::is_control) {
        return Err(format!("The name {name:?} holds a control character, such as a tab or a line break."));
    }
    let name = text::composed(name);
    match name.chars().count() {
        n if n > MAX_CHARS => Err(format!("A name has {MAX_CHARS} characters at most; this one has {n}.")),
        _ => Ok(name),
    }
}

/// A free text of a person or a CRM (a name, a title) as it is stored: NFC, no white space around it; empty is none.
///
/// # Errors
/// A sentence for a person: over [`MAX_CHARS`] characters, or a control character in it.
pub fn check_text(text: &str) -> Result<Option<String>, String> {
    if text.chars().any(char::is_control) {
        return Err(format!("{text:?} holds a control character, such as a tab or a line break."));
    }
    let text = text::composed(text.trim());
    match text.chars().count() {
        0 => Ok(None),
        n if n > MAX_CHARS => Err(format!("A text here has {MAX_CHARS} characters at most; this one has {n}.")),
        _ => Ok(Some(text)),
    }
}
