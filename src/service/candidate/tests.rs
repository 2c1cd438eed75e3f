use super::MatchReason::*;
use super::*;

fn person<'a>(email: &'a str, first_name: &'a str, last_name: &'a str) -> Person<'a> {
    Person { email, first_name, last_name, ..Person::default() }
}

fn crm<'a>(email: &'a str, username: &'a str, name: &'a str) -> CrmPerson<'a> {
    CrmPerson { email, username, name, title: "" }
}

fn reasons(person: &Person<'_>, crm: &CrmPerson<'_>) -> Vec<MatchReason> {
    score(person, crm).map_or_else(Vec::new, |(score, reasons)| {
        assert!((0.0..=1.0).contains(&score));
        reasons
    })
}

#[test]
fn what_two_share() {
    let jane = person("jane.smith@new.com", "Jane", "Smith");
    for (other, expected) in [
        (crm("jane.smith@new.com", "", ""), vec![SameEmail]),
        (crm("Jane.Smith@new.com.invalid", "", "X Y"), vec![SameEmail]),
        (crm("x@old.com", "jane.smith@new.com", ""), vec![SameUsername]),
        (crm("x@old.com", "jane.smith@new.com.uat", "X Y"), vec![SameUsername]),
        (crm("x@old.com", "CORP\\Jane.Smith", "X Y"), vec![SameUsername]),
        (crm("jane.smith@old.com", "", "X Y"), vec![SameLocalPart]),
        (crm("janesmith+crm@old.com", "", "X Y"), vec![SameLocalPart]),
        (crm("x@old.com", "jane_smith@old.com", "X Y"), vec![SameLocalPart]),
        (crm("x@old.com", "", "SMITH, Jane"), vec![SameName]),
        (crm("x@old.com", "", "Dr. Jane Smith"), vec![SameName]),
        (crm("x@old.com", "", "J. Smith"), vec![SimilarName]),
        (crm("jane.smith@new.com", "jane.smith@new.com", "Jane Smith"), vec![SameEmail, SameUsername, SameName]),
        (crm("x@old.com", "", "Jane Miller"), vec![]),
        (crm("x@old.com", "", "Jane"), vec![]),
        (crm("x@old.com", "", "John Smith"), vec![]),
        (crm("", "", ""), vec![]),
    ] {
        assert_eq!(reasons(&jane, &other), expected, "{other:?}");
    }
    assert_eq!(reasons(&person("", "", ""), &crm("", "", "")), []);
    assert_eq!(reasons(&person("info@new.com", "", ""), &crm("info@old.com", "info", "")), []);
}

#[test]
fn aliases_of_earlier_mappings() {
    let aliases = ["j.doe@old.com".to_owned()];
    let jane = Person { aliases: &aliases, ..person("jane@new.com", "Jane", "Smith") };
    assert_eq!(reasons(&jane, &crm("J.Doe@old.com", "", "")), [SameAlias]);
    assert_eq!(reasons(&jane, &crm("", "j.doe@old.com", "Jane Smith")), [SameAlias, SameName]);
    assert!(keys(&jane).contains(&"doe".to_owned()));
}

#[test]
fn a_title_only_supports() {
    let jane = Person { title: "VP, Sales", ..person("jane@new.com", "Jane", "Smith") };
    let same_title = |name| CrmPerson { name, title: "Sales VP", ..CrmPerson::default() };
    assert_eq!(reasons(&jane, &same_title("Bob Jones")), []);
    assert_eq!(reasons(&jane, &same_title("Jane Smith")), [SameName, SameTitle]);
}

#[test]
fn stronger_reasons_rank_higher() {
    let bob = person("bob.smith@new.com", "Bob", "Smith");
    let ranked = [
        crm("bob.smith@new.com", "", "Bob Smith"),
        crm("bob.smith@new.com", "", ""),
        crm("bob.smith@new.com.invalid", "", ""),
        crm("", "bob.smith@new.com", ""),
        crm("bob.smith@old.com", "", "Anyone Else"),
        crm("", "", "Bob Smith"),
        crm("", "", "Robert Smith"),
        crm("", "", "R. Smith"),
    ];
    let scores: Vec<f64> = ranked.iter().filter_map(|crm| score(&bob, crm)).map(|(score, _)| score).collect();
    assert_eq!(scores.len(), 7, "an initial does not meet a nickname: {scores:?}");
    assert!(scores.is_sorted_by(|a, b| a > b), "{scores:?}");
}

#[test]
fn names_that_may_be_one_persons() {
    for (first, last, name) in [
        ("Bob", "Smith", "Robert Smith"),
        ("Liz", "Taylor", "Elizabeth Taylor"),
        ("Bill", "Gates", "Gates, William"),
        ("Kate", "O'Neil", "Katherine ONeil"),
        ("Jon", "Smyth", "John Smith"),
        ("José", "Núñez", "Jose Nunes"),
        ("Anna", "Schmidt", "Anna Schmidt-Meyer"),
        ("Anna Lena", "Meyer", "Annalena Meier"),
        ("Katrin", "Müller", "Katrin Mueller"),
        ("John", "Smith", "John Q. Smith"),
        ("J.", "Smith", "John Smith"),
        ("Alexander", "Petrov", "Alexandr Petrov"),
        ("Maria", "De La Cruz", "Maria Cruz"),
        ("Michael", "Johnson", "Micheal Johnson"),
        ("Jörg", "Schäfer", "Joerg Schaefer"),
        ("P. J.", "Gallagher", "Patrick James Gallagher"),
        ("Mohammed", "Al-Farsi", "Muhammad Alfarsi"),
        ("Minh", "Le", "Le Van Minh"),
        ("Luis Fernando", "Rojas", "Luis Rojas Castillo"),
    ] {
        assert_eq!(
            reasons(&person("x@new.com", first, last), &crm("y@old.com", "", name)),
            [SimilarName],
            "{first} {last} / {name}"
        );
    }
    for (first, last, name) in [
        ("Łukasz", "Groß", "lukasz gross"),
        ("Mary-Ann", "Lee", "Maryann Lee"),
        ("Maria", "De La Cruz", "Delacruz Maria"),
        ("Sean", "O'Brien", "Sean O’Brien Jr."),
        ("太郎", "山田", "山田太郎"),
        ("Иван", "Соколов", "Sokolov, Ivan"),
    ] {
        assert_eq!(
            reasons(&person("x@new.com", first, last), &crm("y@old.com", "", name)),
            [SameName],
            "{first} {last} / {name}"
        );
    }
    for (first, last, name) in [
        ("Bob", "Smith", "Bill Smith"),
        ("Bob", "Smith", "Robert Jones"),
        ("Jane", "Smith", "John Smith"),
        ("J.", "S.", "John Smith"),
        ("Wei", "Li", "Wen Li"),
        ("Ann", "Lee", "Lee Jordan"),
        ("Ludwig", "van der Berg", "Ludwig van der Beek"),
    ] {
        assert_eq!(
            reasons(&person("x@new.com", first, last), &crm("y@old.com", "", name)),
            [],
            "{first} {last} / {name}"
        );
    }
}

#[test]
fn an_email_stands_in_for_a_name() {
    assert_eq!(reasons(&person("x@n.com", "Jane", "Smith"), &crm("jane.smith@o.com", "", "")), [SimilarName]);
    assert_eq!(reasons(&person("jane.smith@n.com", "", ""), &crm("x@o.com", "", "Jane Smith")), [SimilarName]);
}

#[test]
fn keys_find_what_scores() {
    let keys = keys(&person("Bob.Smith+x@new.com", "Bob", "O'Neil-Smith"));
    for key in ["bobsmith", "bob", "smith", "oneil", "neil", "robert", "boneilsmith"] {
        assert!(keys.contains(&key.to_owned()), "{key}: {keys:?}");
    }
    for key in ["x", "o", "com", "new", ""] {
        assert!(!keys.contains(&key.to_owned()), "{key}");
    }
    assert_eq!(super::keys(&person("info@new.com", "", "")), Vec::<String>::new());
}

#[test]
fn keys_find_what_is_spelled_otherwise() {
    let jurgen = keys(&person("x@new.com", "Jürgen", "Van der Größ"));
    for key in ["jurgen", "juergen", "gross", "groess", "vandergross"] {
        assert!(jurgen.contains(&key.to_owned()), "{key}: {jurgen:?}");
    }
    let ivan = keys(&person("x@new.com", "Иван", "Соколов"));
    for key in ["иван", "соколов", "ivan", "sokolov", "vanya"] {
        assert!(ivan.contains(&key.to_owned()), "{key}: {ivan:?}");
    }
    assert_eq!(beginnings(&person("x@new.com", "Priscilla", "Underhill")), ["under"]);
    assert_eq!(beginnings(&person("x@new.com", "Jane", "Smith")), Vec::<String>::new());
}

#[test]
fn a_name_mismatch_is_certain() {
    for (user, crm) in [
        ("", "Jane Smith"),
        ("Jane Smith", " "),
        ("Jane Smith", "Smith, Jane"),
        ("Jane Smith", "Jane Miller"),
        ("Bob Smith", "Robert Smith"),
        ("Bob", "Robert Jones"),
        ("J. Doe", "Jane Smith"),
        ("José", "Jose"),
        ("Anna Maria Meyer", "Maria"),
        ("jsmith", "Jane Smith"),
        ("Иван Петров", "Ivan Petrov"),
        ("山田太郎", "Taro Yamada"),
        ("Katrin Mueller", "K Müller"),
        ("Chris Doe", "Christopher Roe"),
    ] {
        assert!(!names_differ(user, crm), "{user} / {crm}");
        assert!(!names_differ(crm, user), "{crm} / {user}");
    }
    for (user, crm) in [
        ("Jane Smith", "Robert Jones"),
        ("Wei Zhang", "Maria Garcia"),
        ("Bob Smith", "William Jones"),
        ("Иван Петров", "Ольга Смирнова"),
    ] {
        assert!(names_differ(user, crm), "{user} / {crm}");
        assert!(names_differ(crm, user), "{crm} / {user}");
    }
}
