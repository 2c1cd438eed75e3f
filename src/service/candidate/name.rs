//! How alike two people's names are.

use unicode_normalization::UnicodeNormalization;

use super::super::value::text::{fold, latin};
use super::nickname;

/// Words that stand beside a name and are none.
const BESIDE_NAMES: &[&str] = &[
    "mr", "mrs", "ms", "mx", "dr", "prof", "jr", "sr", "ii", "iii", "iv", "phd", "mba", "cpa", "esq", "dipl", "ing",
    "nee", "geb",
];

/// Words that lead to a family name: left out, joined to it, and shared by people who have nothing to do with each other.
/// Those that are a common family name of their own somewhere (`Le`, `Du`, `Das`) are not among them.
const PARTICLES: &[&str] = &[
    "af", "al", "bin", "bint", "da", "de", "del", "della", "den", "der", "di", "dos", "el", "ibn", "la", "ter", "van",
    "vom", "von", "zu", "zum", "zur",
];

/// From which similarity on two names are [similar](likeness).
const SIMILAR: f64 = 0.75;

/// The words of a name in folded form, in the name's order. An apostrophe joins (`O'Brien`), a hyphen parts; titles
/// and suffixes go, unless there is nothing else.
pub(super) fn words(name: &str) -> Vec<String> {
    parted(&fold(name))
}

/// [`words`] in Latin letters, whatever the name is written in.
pub(super) fn latin_words(name: &str) -> Vec<String> {
    parted(&latin(name))
}

fn parted(name: &str) -> Vec<String> {
    let joined = name.replace(['\'', '\u{2019}', '\u{2bc}'], "");
    let all: Vec<&str> = joined.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let names: Vec<&str> = all.iter().copied().filter(|word| !BESIDE_NAMES.contains(word)).collect();
    (if names.is_empty() { all } else { names }).into_iter().map(str::to_owned).collect()
}

/// The words of a name as others spell its umlauts: `Müller` is `mueller`, and `Mueller` is `muller`.
pub(super) fn spellings(name: &str) -> Vec<String> {
    let mut spelled = String::new();
    for c in name.nfc().flat_map(char::to_lowercase) {
        match c {
            'ä' | 'æ' => spelled.push_str("ae"),
            'ö' | 'ø' => spelled.push_str("oe"),
            'ü' => spelled.push_str("ue"),
            'å' => spelled.push_str("aa"),
            _ => spelled.push(c),
        }
    }
    let mut words = latin_words(&spelled);
    words.extend(latin_words(name).iter().map(|word| plain(word)));
    words
}

/// What a long word begins with, to find it where its end is misspelled.
pub(super) fn beginning(word: &str) -> Option<String> {
    let length = word.chars().count();
    (length >= 6).then(|| word.chars().take(length.div_ceil(2).max(4)).collect())
}

/// A word without the second letter that spells an umlaut.
fn plain(word: &str) -> String {
    word.replace("ae", "a").replace("oe", "o").replace("ue", "u").replace("aa", "a")
}

/// The same words in any order, or the same letters where only the spaces differ (`De La Cruz`, `Delacruz`).
pub(super) fn same(a: &[String], b: &[String]) -> bool {
    if a.is_empty() || b.is_empty() {
        return false;
    }
    sorted(a) == sorted(b) || turns(a).any(|turned| turned == b.concat())
}

/// From [`SIMILAR`] to 1 where the names may well be one person's, those of the user by first and last name; `None`
/// where not.
///
/// At least two words must be alike, one of them more than by its initial. Particles that only one of the names has apart
/// are compared joined to the family name too.
pub(super) fn likeness(given: &[String], family: &[String], theirs: &[String]) -> Option<f64> {
    if given.len() + family.len() == 0 || theirs.is_empty() {
        return None;
    }
    let apart = by_words(given, family, theirs);
    let own = [given, family].concat();
    let has_particles = |words: &[String]| words.iter().any(|word| weight(word) < 1.0);
    let joined = if has_particles(&own) == has_particles(theirs) {
        0.0
    } else {
        by_words(&with_particles(given), &with_particles(family), &with_particles(theirs))
    };
    let likeness = apart.max(joined).max(by_letters(&own, theirs));
    (likeness >= SIMILAR).then_some(likeness.min(1.0))
}

/// How alike names are word by word, 0 to 1.
///
/// The words are paired, best pairs first. Either all of the shorter name's must be alike on the whole, or the first of
/// the first names and one of the last names: the others may be two different ones of somebody's middle names and
/// surnames. What is left over costs little.
fn by_words(given: &[String], family: &[String], theirs: &[String]) -> f64 {
    let own = [given, family].concat();
    let mut pairs = paired(&own, theirs);
    // Only first names are shortened, and have forms: two last names that begin or sound alike are mostly two.
    for (i, _, pair) in &mut pairs {
        if *i >= given.len() && !given.is_empty() {
            *pair = match *pair {
                FORM | BEGINNING => 0.5,
                SOMEWHAT => 0.0,
                other => other,
            };
        }
    }
    let weighs = |words: &[String]| words.iter().map(|word| weight(word)).sum::<f64>();
    let counts = |i: usize, j: usize| weight(&own[i]).min(weight(&theirs[j]));
    if !pairs.iter().any(|(i, j, pair)| *pair > INITIALS && counts(*i, *j) == 1.0) {
        return 0.0;
    }
    let sum: f64 = pairs.iter().map(|(i, j, pair)| counts(*i, *j) * pair).sum();
    let whole = sum / weighs(&own).min(weighs(theirs)).max(2.0);
    let called = pairs.iter().find(|(i, ..)| *i == 0 && !given.is_empty()).map(|(.., pair)| *pair);
    let surname = pairs.iter().filter(|(i, j, _)| *i >= given.len() && counts(*i, *j) == 1.0);
    let surname = surname.map(|(.., pair)| *pair).max_by(f64::total_cmp);
    let core = called.zip(surname).map_or(0.0, |(called, surname)| (called + surname) / 2.0);
    let left_over = |words: &[String], used: &dyn Fn(usize) -> bool| -> f64 {
        words.iter().enumerate().filter(|(at, _)| !used(*at)).map(|(at, word)| cost(at, word)).sum()
    };
    let left_over = left_over(&own, &|at| pairs.iter().any(|(i, ..)| *i == at))
        + left_over(theirs, &|at| pairs.iter().any(|(_, j, _)| *j == at));
    whole.max(core) - left_over.min(0.15)
}

/// What a word costs that the other name has nothing like. People drop the name that they are called by more rarely than
/// those after it.
fn cost(at: usize, word: &str) -> f64 {
    match word.chars().count() {
        1 => 0.01,
        _ if weight(word) < 1.0 => 0.01,
        _ if at == 0 => 0.06,
        _ => 0.03,
    }
}

/// How much a word tells.
fn weight(word: &str) -> f64 {
    if PARTICLES.contains(&word) { 0.25 } else { 1.0 }
}

/// The words with each particle joined to what follows: `van der berg` is `vanderberg`.
fn with_particles(words: &[String]) -> Vec<String> {
    let mut joined = Vec::new();
    let mut before = String::new();
    for word in words {
        before.push_str(word);
        if weight(word) == 1.0 {
            joined.push(std::mem::take(&mut before));
        }
    }
    joined.extend(Some(before).filter(|word| !word.is_empty()));
    joined
}

/// How alike names are letter by letter, wherever their words begin: `Anna Lena Meyer`, `Annalena Meier`.
/// 0 where more than a slip of the pen sets them apart.
fn by_letters(own: &[String], theirs: &[String]) -> f64 {
    let joined = theirs.concat();
    let alike = turns(own).map(|turned| strsim::normalized_damerau_levenshtein(&turned, &joined)).fold(0.0, f64::max);
    if joined.chars().count() >= 8 && alike >= 0.88 { alike } else { 0.0 }
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
    let alike = a.iter().any(|x| b.iter().any(|y| pair(x, y) > SOMEWHAT))
        || inside(a, &joined_b)
        || inside(b, &joined_a)
        || strsim::jaro_winkler(&joined_a, &joined_b) >= 0.85;
    !alike
}

/// What two forms of one first name are worth.
const FORM: f64 = 0.9;

/// What the same initial is worth where there is no more on either side.
const INITIALS: f64 = 0.6;

/// What a word and its initial are worth.
const INITIAL: f64 = 0.55;

/// What two words are worth that sound somewhat alike: enough beside a last name that is the same, and less than anything
/// else that is.
const SOMEWHAT: f64 = 0.52;

/// What a word and its first few letters are worth.
const BEGINNING: f64 = 0.75;

/// How alike two folded words are, 0 to 1.
fn pair(a: &str, b: &str) -> f64 {
    if a == b {
        return if a.chars().nth(1).is_some() { 1.0 } else { INITIALS };
    }
    if nickname::are_forms_of_one(a, b) {
        return FORM;
    }
    if plain(a) == plain(b) {
        return 0.97;
    }
    let (short, long) = if a.chars().count() <= b.chars().count() { (a, b) } else { (b, a) };
    let length = short.chars().count();
    if length == 1 {
        return if long.starts_with(short) { INITIAL } else { 0.0 };
    }
    if length < 3 {
        return 0.0;
    }
    let edits = strsim::damerau_levenshtein(a, b);
    let likeness = strsim::jaro_winkler(a, b);
    let spelled_alike = edits <= 1 + usize::from(length >= 7) && likeness >= 0.87;
    if spelled_alike {
        strsim::normalized_damerau_levenshtein(a, b)
    } else if long.starts_with(short) {
        BEGINNING
    } else if length >= 4 && likeness >= 0.8 {
        SOMEWHAT
    } else {
        0.0
    }
}

/// The words that belong together, by their places in each name and with their likeness; each word is used once.
fn paired(a: &[String], b: &[String]) -> Vec<(usize, usize, f64)> {
    let mut all: Vec<(f64, usize, usize)> = Vec::new();
    for (i, x) in a.iter().enumerate().take(8) {
        for (j, y) in b.iter().enumerate().take(8) {
            all.push((pair(x, y), i, j));
        }
    }
    all.sort_by(|x, y| y.0.total_cmp(&x.0));
    let mut pairs: Vec<(usize, usize, f64)> = Vec::new();
    for (likeness, i, j) in all {
        if likeness > 0.0 && pairs.iter().all(|(used_a, used_b, _)| *used_a != i && *used_b != j) {
            pairs.push((i, j, likeness));
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
