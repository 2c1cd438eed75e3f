//! How alike two people's names are.

use super::super::value::text::fold;
use super::nickname;

/// Words that stand beside a name and are none.
const BESIDE_NAMES: &[&str] =
    &["mr", "mrs", "ms", "mx", "dr", "prof", "jr", "sr", "ii", "iii", "iv", "phd", "mba", "cpa", "esq", "dipl", "ing"];

/// From which similarity on two names are [similar](likeness).
const SIMILAR: f64 = 0.75;

/// The words of a name in folded form, in the name's order. An apostrophe joins (`O'Brien`), a hyphen parts; titles
/// and suffixes go, unless there is nothing else.
pub(super) fn words(name: &str) -> Vec<String> {
    let folded = fold(name).replace(['\'', '\u{2019}', '\u{2bc}'], "");
    let all: Vec<&str> = folded.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let names: Vec<&str> = all.iter().copied().filter(|word| !BESIDE_NAMES.contains(word)).collect();
    (if names.is_empty() { all } else { names }).into_iter().map(str::to_owned).collect()
}

/// The same words in any order, or the same letters where only the spaces differ (`De La Cruz`, `Delacruz`).
pub(super) fn same(a: &[String], b: &[String]) -> bool {
    if a.is_empty() || b.is_empty() {
        return false;
    }
    sorted(a) == sorted(b) || turns(a).any(|turned| turned == b.concat())
}

/// From [`SIMILAR`] to 1 where the names may well be one person's; `None` where not.
///
/// Words are paired, best pairs first. What the longer name has more, a middle or a second surname, costs little; at
/// least two words must be alike, one of them more than by its initial.
pub(super) fn likeness(a: &[String], b: &[String]) -> Option<f64> {
    if a.is_empty() || b.is_empty() {
        return None;
    }
    let pairs = paired(a, b);
    let fewer = a.len().min(b.len());
    let more = a.len().max(b.len()) - fewer;
    let sum: f64 = pairs.iter().sum();
    let by_words = sum / fewer.max(2) as f64 - 0.03 * more.min(5) as f64;
    let carried = pairs.iter().any(|pair| *pair > INITIAL);
    let joined = b.concat();
    let by_letters = turns(a).map(|turned| strsim::jaro_winkler(&turned, &joined)).fold(0.0, f64::max);
    if carried && by_words >= SIMILAR {
        Some(by_words.min(1.0))
    } else if joined.chars().count() >= 8 && by_letters >= 0.96 {
        Some(by_letters)
    } else {
        None
    }
}

/// Whether two names are surely two people's: both are there, written in one script, and no word of the one is like a
/// word of the other, not even as its initial or its beginning.
pub(super) fn differ(a: &[String], b: &[String]) -> bool {
    if a.is_empty() || b.is_empty() || script(a) != script(b) {
        return false;
    }
    let (joined_a, joined_b) = (a.concat(), b.concat());
    let inside = |words: &[String], joined: &str| {
        words.iter().any(|word| word.chars().count() >= 3 && joined.contains(word.as_str()))
    };
    let alike = a.iter().any(|x| b.iter().any(|y| pair(x, y) > 0.0))
        || inside(a, &joined_b)
        || inside(b, &joined_a)
        || strsim::jaro_winkler(&joined_a, &joined_b) >= 0.85;
    !alike
}

/// What a word and its initial are worth.
const INITIAL: f64 = 0.55;

/// How alike two folded words are, 0 to 1.
fn pair(a: &str, b: &str) -> f64 {
    if a == b {
        return 1.0;
    }
    if nickname::are_forms_of_one(a, b) {
        return 0.92;
    }
    let (short, long) = if a.chars().count() <= b.chars().count() { (a, b) } else { (b, a) };
    let length = short.chars().count();
    if length == 1 {
        return if long.starts_with(short) { INITIAL } else { 0.0 };
    }
    if length < 3 {
        return 0.0;
    }
    let likeness = strsim::jaro_winkler(a, b);
    let edits = strsim::damerau_levenshtein(a, b);
    let spelled_alike = edits <= 1 + usize::from(length >= 7) && likeness >= 0.87;
    if spelled_alike {
        0.95 * likeness
    } else if long.starts_with(short) {
        0.8
    } else {
        0.0
    }
}

/// The likeness of the words that belong together, each word used once.
fn paired(a: &[String], b: &[String]) -> Vec<f64> {
    let mut all: Vec<(f64, usize, usize)> = Vec::new();
    for (i, x) in a.iter().enumerate().take(8) {
        for (j, y) in b.iter().enumerate().take(8) {
            all.push((pair(x, y), i, j));
        }
    }
    all.sort_by(|x, y| y.0.total_cmp(&x.0));
    let (mut used_a, mut used_b) = (Vec::new(), Vec::new());
    let mut pairs = Vec::new();
    for (likeness, i, j) in all {
        if likeness > 0.0 && !used_a.contains(&i) && !used_b.contains(&j) {
            used_a.push(i);
            used_b.push(j);
            pairs.push(likeness);
        }
    }
    pairs
}

fn sorted(words: &[String]) -> Vec<&str> {
    let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
    words.sort_unstable();
    words
}

/// The letters of a name without spaces, begun at each of its words: `johnsmith`, `smithjohn`.
fn turns(words: &[String]) -> impl Iterator<Item = String> {
    (0..words.len().min(6)).map(|start| words[start..].concat() + &words[..start].concat())
}

/// Roughly the alphabet of a name: that of its first letter, Latin or a block of 256 code points.
fn script(words: &[String]) -> u32 {
    let first = words.iter().flat_map(|word| word.chars()).find(|c| c.is_alphabetic()).map_or(0, u32::from);
    match first >> 8 {
        0..=2 | 0x1e => 0,
        // Han, kana and Hangul names of one person look nothing alike, nor can their blocks be told apart.
        0x30..=0xd7 => 0x30,
        block => block,
    }
}
