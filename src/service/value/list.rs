//! Several values in one CSV cell, separated by `;`, with `\;` for a semicolon in a value (csv.md "Users").
//!
//! White space around a value and empty values are dropped: `A; B;` is `A`, `B`. A backslash always belongs to the
//! character after it, so that `A\\;B` is two values.
//!
//! Team paths have escapes of their own (`\:`, `\\`), which have to come through untouched: [`split`] and [`join`]
//! are for them. Plain names go through [`split_names`] and [`join_names`], where `\\` is a backslash.

/// The values of a cell of team paths, each still in the path's own escapes; `\;` has become `;`.
pub fn split(cell: &str) -> Vec<String> {
    pieces(cell, |escaped| escaped == ';')
}

/// A cell of team paths as [`team_path::format`](super::team_path::format) writes them; [`split`] gives them back.
pub fn join(values: &[impl AsRef<str>]) -> String {
    write(values, |c| c == ';')
}

/// The values of a cell of plain names; `\;` has become `;` and `\\` a backslash.
pub fn split_names(cell: &str) -> Vec<String> {
    pieces(cell, |escaped| matches!(escaped, ';' | '\\'))
}

/// A cell of plain names; [`split_names`] gives them back.
pub fn join_names(values: &[impl AsRef<str>]) -> String {
    write(values, |c| matches!(c, ';' | '\\'))
}

fn pieces(cell: &str, unescapes: impl Fn(char) -> bool) -> Vec<String> {
    let mut values = vec![String::new()];
    let mut chars = cell.chars();
    while let Some(c) = chars.next() {
        if c == ';' {
            values.push(String::new());
            continue;
        }
        let Some(value) = values.last_mut() else {
            continue;
        };
        match c {
            '\\' => match chars.next() {
                Some(escaped) if unescapes(escaped) => value.push(escaped),
                Some(other) => value.extend(['\\', other]),
                None => value.push('\\'),
            },
            c => value.push(c),
        }
    }
    values.iter().map(|value| value.trim()).filter(|value| !value.is_empty()).map(str::to_owned).collect()
}

fn write(values: &[impl AsRef<str>], escapes: impl Fn(char) -> bool) -> String {
    let mut cell = String::new();
    for (i, value) in values.iter().enumerate() {
        if i > 0 {
            cell.push(';');
        }
        for c in value.as_ref().chars() {
            if escapes(c) {
                cell.push('\\');
            }
            cell.push(c);
        }
    }
    cell
}

#[cfg(test)]
mod tests {
    use super::super::team_path;
    use super::*;

    #[test]
    fn cells_are_split() {
        for (cell, values) in [
            ("", vec![]),
            (" ; ;", vec![]),
            ("Foundation", vec!["Foundation"]),
            ("Foundation;Forecasting", vec!["Foundation", "Forecasting"]),
            ("A; B ;C;", vec!["A", "B", "C"]),
            (r"A\;B;C", vec!["A;B", "C"]),
            (r"A\\;B", vec![r"A\", "B"]),
            (r"A\B;C\", vec![r"A\B", r"C\"]),
        ] {
            assert_eq!(split_names(cell), values, "{cell}");
        }
        assert_eq!(split(r"A\:B:C\\;D\;E"), vec![r"A\:B:C\\", "D;E"]);
    }

    #[test]
    fn what_is_written_is_read_back() {
        let names = ["a;b", r"c\", r"\;", r"d\\;", "e"];
        assert_eq!(split_names(&join_names(&names)), names);

        let paths = [vec!["a;b", r"c\"], vec![r"\;:", r"d\\;"], vec!["e"]];
        let cell = join(&paths.iter().map(|names| team_path::format(names)).collect::<Vec<_>>());
        let read: Vec<Vec<String>> = split(&cell).iter().map(|path| team_path::parse(path).unwrap()).collect();
        assert_eq!(read, paths);
    }
}
