//! Text as a search sees it: without accents, case and punctuation.

use any_ascii::any_ascii;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// The longest word of an index or a query, in characters; what is longer is cut.
pub const MAX_WORD_CHARS: usize = 64;

/// The text in lower case and without accents (`Łukasz Groß` is `lukasz gross`), compatibility forms (`ﬁ`, `Ａ`)
/// spelled out. Punctuation and white space stay. Vowel signs of scripts that need them stay too. Folding twice is
/// folding once.
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let mut folded = String::with_capacity(text.len());
    for c in text.nfkd().filter(|c| !is_accent(*c)).flat_map(char::to_lowercase).filter(|c| !is_accent(*c)) {
        match letter(c) {
            Some(spelled) => folded.push_str(spelled),
            None => folded.push(c),
        }
    }
    composed(&folded)
}

/// The text with letters and accents in one character each, where there is one (NFC): what is stored and compared.
pub fn composed(text: &str) -> String {
    if text.is_ascii() { text.to_owned() } else { text.nfc().collect() }
}

/// The [folded](fold) text in Latin letters: what other alphabets write is spelled as it is read, as far as that can be
/// told without knowing the language (`Иван` is `ivan`).
pub fn latin(text: &str) -> String {
    let folded = fold(text);
    if folded.is_ascii() { folded } else { any_ascii(&folded).to_ascii_lowercase() }
}

/// The words of a text, for the search index and for a query alike: folded runs of letters and digits, each once,
/// in code point order, at most [`MAX_WORD_CHARS`] long.
///
/// Words that an apostrophe joins are there apart and together: `O'Brien` is `brien`, `o`, `obrien`, so that it is
/// found however it is typed.
pub fn words(text: &str) -> Vec<String> {
    let folded = fold(text);
    let mut words = Vec::new();
    for run in folded.split(|c: char| !is_word(c) && !is_apostrophe(c)) {
        let parts: Vec<&str> = run.split(is_apostrophe).filter(|part| !part.is_empty()).collect();
        if parts.len() > 1 {
            words.push(cut(&parts.concat()));
        }
        words.extend(parts.iter().map(|part| cut(part)));
    }
    words.retain(|word| word.chars().any(char::is_alphanumeric));
    words.sort_unstable();
    words.dedup();
    words
}

fn cut(word: &str) -> String {
    word.chars().take(MAX_WORD_CHARS).collect()
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || is_combining_mark(c)
}

fn is_apostrophe(c: char) -> bool {
    matches!(c, '\'' | '\u{2019}' | '\u{2bc}')
}

/// The marks that a language writes over and under letters which are read without them too: Latin, Greek and
/// Cyrillic accents, Hebrew points, Arabic vowels. Not the vowel signs of Indic scripts, nor the Japanese sound marks.
fn is_accent(c: char) -> bool {
    matches!(c,
        '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}'
        | '\u{fe20}'..='\u{fe2f}' | '\u{591}'..='\u{5bd}' | '\u{5bf}' | '\u{5c1}'..='\u{5c2}'
        | '\u{5c4}'..='\u{5c5}' | '\u{5c7}' | '\u{64b}'..='\u{65f}' | '\u{670}')
}

/// Latin letters that Unicode does not take apart.
fn letter(c: char) -> Option<&'static str> {
    Some(match c {
        'ß' => "ss",
        'æ' => "ae",
        'œ' => "oe",
        'þ' => "th",
        'ø' => "o",
        'ł' => "l",
        'đ' | 'ð' | 'ɖ' => "d",
        'ħ' => "h",
        'ı' => "i",
        'ŋ' => "n",
        'ŧ' => "t",
        'ƒ' => "f",
        'ĸ' => "k",
        'ǝ' | 'ə' => "e",
        'ς' => "σ",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accents_and_case_go() {
        for (text, folded) in [
            ("Jane O'Brien", "jane o'brien"),
            ("José Müller-Lüdenscheidt", "jose muller-ludenscheidt"),
            ("Łukasz Groß", "lukasz gross"),
            ("STRAẞE", "strasse"),
            ("Bjørn Ægir Þór", "bjorn aegir thor"),
            ("İstanbul ılık", "istanbul ilik"),
            ("ﬁ Ａｂ", "fi ab"),
            ("ΟΔΥΣΣΕΎΣ", "οδυσσευσ"),
            ("Ёлкин", "елкин"),
            ("हिन्दी", "हिन्दी"),
            ("がぎ", "がぎ"),
            ("한국", "한국"),
            ("Nguyễn Đức", "nguyen duc"),
        ] {
            assert_eq!(fold(text), folded);
            assert_eq!(fold(folded), folded, "folding twice is folding once");
        }
    }

    #[test]
    fn other_alphabets_are_spelled_out() {
        for (text, spelled) in [
            ("Jane O'Brien", "jane o'brien"),
            ("Łukasz Groß", "lukasz gross"),
            ("Екатерина Лебедева", "ekaterina lebedeva"),
            ("Γιώργος", "giorgos"),
            ("हिन्दी", "hindi"),
        ] {
            assert_eq!(latin(text), spelled);
        }
    }

    #[test]
    fn words_are_sorted_and_single() {
        assert_eq!(words("Smith, John; john_smith@x.com"), ["com", "john", "smith", "x"]);
        assert_eq!(words("O’Brien"), ["brien", "o", "obrien"]);
        assert_eq!(words("'quoted' VP/Sales 2nd"), ["2nd", "quoted", "sales", "vp"]);
        assert_eq!(words("हिन्दी"), ["हिन्दी"]);
        assert_eq!(words(" -- \u{94d}"), Vec::<String>::new());
        assert_eq!(words(&"é".repeat(100)), ["e".repeat(64)]);
    }
}
