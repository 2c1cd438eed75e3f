//! A team's place in the tree as one text: `Parent:Sub-Team`, any depth; `\:` for a colon in a name, `\\` for a
//! backslash (csv.md "Users").

use super::text;

/// The longest team name, in characters.
pub const MAX_NAME_CHARS: usize = 200;

/// The names from the root down, each as [`check_name`] gives it; never empty.
///
/// # Errors
/// A sentence for a person: the path is empty, a name in it is, or a backslash stands before something other than
/// `:` or `\`.
pub fn parse(path: &str) -> Result<Vec<String>, String> {
    let mut names = Vec::new();
    let mut name = String::new();
    let mut chars = path.chars();
    while let Some(c) = chars.next() {
        match c {
            ':' => names.push(std::mem::take(&mut name)),
            '\\' => match chars.next() {
                Some(escaped @ (':' | '\\')) => name.push(escaped),
                _ => {
                    return Err(format!(
                        "The team path {path:?} has a backslash that stands for nothing: write \\: for a colon in a \
                         name and \\\\ for a backslash."
                    ));
                }
            },
            c => name.push(c),
        }
    }
    names.push(name);
    if names.len() > 1 && names.iter().any(String::is_empty) {
        return Err(format!(
            "The team path {path:?} has an empty name in it. Write Parent:Sub-Team, and \\: for a colon in a name."
        ));
    }
    names.iter().map(|name| check_name(name)).collect()
}

/// The path of the names from the root down, such that [`parse`] gives them back.
pub fn format(names: &[impl AsRef<str>]) -> String {
    let mut path = String::new();
    for (i, name) in names.iter().enumerate() {
        if i > 0 {
            path.push(':');
        }
        for c in name.as_ref().chars() {
            if matches!(c, ':' | '\\') {
                path.push('\\');
            }
            path.push(c);
        }
    }
    path
}

/// A team's name as it is stored: NFC, 1 to [`MAX_NAME_CHARS`] characters, no white space around it and no control
/// characters in it.
///
/// # Errors
/// A sentence for a person.
pub fn check_name(name: &str) -> Result<String, String> {
    if name.is_empty() {
        return Err("A team needs a name; this is empty.".into());
    }
    if name.trim() != name {
        return Err(format!("The team name {name:?} has white space before or after it; take it away."));
    }
    if name.chars().any(char::is_control) {
        return Err(format!("The team name {name:?} holds a control character, such as a tab or a line break."));
    }
    let name = text::composed(name);
    match name.chars().count() {
        n if n > MAX_NAME_CHARS => {
            Err(format!("A team name has {MAX_NAME_CHARS} characters at most; this one has {n}."))
        }
        _ => Ok(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read() {
        for (path, names) in [
            ("Sales", vec!["Sales"]),
            ("North America:Mid-West", vec!["North America", "Mid-West"]),
            (r"A\:B:C\\:D", vec!["A:B", r"C\", "D"]),
            ("Cafe\u{301}", vec!["Caf\u{e9}"]),
            ("a:b:c:d:e", vec!["a", "b", "c", "d", "e"]),
        ] {
            assert_eq!(parse(path), Ok(names.iter().map(ToString::to_string).collect()));
        }
    }

    #[test]
    fn faults_are_said() {
        for (path, says) in [
            ("", "empty"),
            (":", "empty name"),
            ("A::B", "empty name"),
            (":A", "empty name"),
            ("A:", "empty name"),
            (r"A\B", "backslash"),
            (r"A\", "backslash"),
            ("A: B", "white space"),
            ("A\u{a0}:B", "white space"),
            ("A\nB", "control"),
        ] {
            let message = parse(path).unwrap_err();
            assert!(message.contains(says), "{path:?}: {message}");
        }
        assert!(check_name(&"é".repeat(200)).is_ok());
        assert!(check_name(&"é".repeat(201)).unwrap_err().contains("201"));
    }

    #[test]
    fn what_is_written_is_read_back() {
        for names in [vec!["a"], vec!["a:b", r"\", "c"], vec![r"a\:b", "::", r"\\"], vec!["x;y", "z, \"q\""]] {
            let path = format(&names);
            assert_eq!(parse(&path), Ok(names.iter().map(ToString::to_string).collect()), "{path}");
        }
    }
}
