//! What a file is that is not UTF-8 CSV, told from its first bytes, and what to say about it.

use super::super::error::ErrorCode;
use super::FileFault;

/// How many of a file's first bytes are looked at.
pub(super) const HEAD_BYTES: usize = 4096;

const HOW_TO_SAVE: &str = "In Excel choose File > Save As > CSV UTF-8 (Comma delimited) (.csv), in Google Sheets \
                           File > Download > Comma-separated values (.csv), and upload that file.";

pub(super) fn not_csv(message: impl AsRef<str>) -> FileFault {
    FileFault { code: ErrorCode::NotCsv, message: format!("{} {HOW_TO_SAVE}", message.as_ref()) }
}

fn not_utf8(line: u64, what: &str) -> FileFault {
    FileFault {
        code: ErrorCode::NotUtf8,
        message: format!("The file is not UTF-8: {what}; the first bad line is line {line}. {HOW_TO_SAVE}"),
    }
}

/// The fault of a file that says in its first bytes that it is something else.
pub(super) fn by_signature(head: &[u8]) -> Option<FileFault> {
    let holds = |text: &[u8]| head.windows(text.len()).any(|window| window == text);
    let kind = match head {
        [b'P', b'K', 3 | 5 | 7, 4 | 6 | 8, ..]
            if holds(b"[Content_Types].xml") || holds(b"xl/") || holds(b"_rels/") =>
        {
            "an Excel workbook (.xlsx)"
        }
        [b'P', b'K', 3 | 5 | 7, 4 | 6 | 8, ..] if holds(b"opendocument.spreadsheet") => {
            "an OpenDocument spreadsheet (.ods)"
        }
        [b'P', b'K', 3 | 5 | 7, 4 | 6 | 8, ..] => "a zip file, as Excel workbooks (.xlsx) are",
        [0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1, ..] => "an old Excel workbook (.xls)",
        [0x1f, 0x8b, 8, ..] => "compressed (gzip)",
        [b'%', b'P', b'D', b'F', b'-', ..] => "a PDF",
        [0x89, b'P', b'N', b'G', ..] | [0xff, 0xd8, 0xff, ..] | [b'G', b'I', b'F', b'8', ..] => "an image",
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => {
            return Some(not_utf8(1, "it looks like UTF-32"));
        }
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => return Some(not_utf8(1, UTF_16)),
        _ => return None,
    };
    Some(not_csv(format!("The file is not CSV: it is {kind}.")))
}

const UTF_16: &str = "it looks like UTF-16, Excel's \"Unicode Text\"";

/// The fault of a file with a NUL byte.
pub(super) fn by_nul(head: &[u8], line: u64) -> FileFault {
    if is_utf16(head) {
        return not_utf8(1, UTF_16);
    }
    not_csv(format!("The file is not CSV: line {line} holds a NUL byte, so it is binary or damaged."))
}

/// The fault of a file with bytes that are not UTF-8; `bad` starts with the first of them.
pub(super) fn by_bad_bytes(head: &[u8], bad: &[u8], line: u64) -> FileFault {
    if is_utf16(head) {
        return not_utf8(1, UTF_16);
    }
    let controls = head.iter().filter(|b| **b < 0x20 && !matches!(b, b'\t' | b'\r' | b'\n')).count();
    if controls * 50 > head.len() {
        return not_csv(format!("The file is not CSV: from line {line} on it is binary."));
    }
    // Bytes that Windows-1252 leaves undefined.
    match bad.first() {
        Some(0x81 | 0x8d | 0x8f | 0x90 | 0x9d) | None => not_utf8(line, "its encoding is not known"),
        Some(_) => not_utf8(line, "it looks like Windows-1252 (also called ANSI), Excel's plain \"CSV\""),
    }
}

/// Without a mark: mostly ASCII, so that every other byte is NUL.
fn is_utf16(head: &[u8]) -> bool {
    let (pairs, _) = head.as_chunks::<2>();
    let high = pairs.iter().filter(|pair| pair[0] == 0 && pair[1] != 0).count();
    let low = pairs.iter().filter(|pair| pair[0] != 0 && pair[1] == 0).count();
    let (more, fewer) = (high.max(low), high.min(low));
    more * 10 >= pairs.len() * 4 && fewer * 20 <= pairs.len() && more > 1
}
