//! Whom a user may be, told by the name alone: a fixed hundred whose emails and usernames say nothing.

use std::{collections::BTreeSet, fmt::Write};

use serde_json::{Value, json};

use crate::support::{World, scene};

both!(the_right_one_comes_first);

/// A user's first and last name, the same person's name in the CRM, and two others who have a name in common with it.
type Pair = (&'static str, &'static str, &'static str, [&'static str; 2]);

/// The hundred, by what sets the two names apart.
const PAIRS: &[(&str, &[Pair])] = &[
    (
        "nicknames",
        &[
            ("Bob", "Keller", "Robert Keller", ["Bob Kessler", "Rosa Keller"]),
            ("Elizabeth", "Marsh", "Liz Marsh", ["Elizabeth March", "Lynn Marsh"]),
            ("Bill", "Thornton", "William Thornton", ["Bill Thompson", "Wilma Thornton"]),
            ("Margaret", "Doyle", "Peggy Doyle", ["Margaret Dole", "Patrick Doyle"]),
            ("Jim", "Castellano", "James Castellano", ["Jim Castellanos-Ruiz", "Jane Castellano"]),
            ("Katherine", "Boyd", "Kate Boyd", ["Katherine Boyle", "Karl Boyd"]),
            ("Ted", "Lindqvist", "Edward Lindqvist", ["Ted Lindgren", "Edwin Lindqvist"]),
            ("Jack", "Pemberton", "John Pemberton", ["Jack Pembroke", "Joan Pemberton"]),
            ("Alexandra", "Kowalczyk", "Sandy Kowalczyk", ["Alexandra Kowalska", "Sandro Kowalczyk"]),
            ("Charles", "Rivera", "Chuck Rivera", ["Charles Rivers", "Chloe Rivera"]),
            ("Alejandro", "Fuentes", "Alex Fuentes", ["Alejandro Puente", "Alma Fuentes"]),
            ("Francisco", "Ibarra", "Paco Ibarra", ["Francisco Ibanez", "Pablo Ibarra"]),
            ("Johannes", "Vogel", "Hannes Vogel", ["Johannes Vogt", "Hanna Vogel"]),
            ("Dima", "Orlov", "Dmitri Orlov", ["Dima Orekhov", "Daria Orlov"]),
        ],
    ),
    (
        "order and commas",
        &[
            ("Laura", "Bennett", "Bennett, Laura", ["Laura Benson", "Bennett, Lawrence"]),
            ("Thomas", "Ashworth", "ASHWORTH Thomas", ["Thomas Ashby", "Theresa Ashworth"]),
            ("Xiaoming", "Zhao", "Zhao Xiaoming", ["Zhao Xiaoli", "Xiaoming Zhou"]),
            ("Chen", "Weiling", "Wei-Ling Chen", ["Chen Weimin", "Wei Chang"]),
            ("Haruto", "Tanaka", "TANAKA, Haruto", ["Haruto Tanabe", "TANAKA, Haruka"]),
            ("Nagy", "Gábor", "Gabor Nagy", ["Gabor Nemeth", "Gabriella Nagy"]),
            ("Michelle", "Forsythe", "Forsythe, Shelly", ["Michelle Forrest", "Forsythe, Sheldon"]),
            ("Robert", "Callahan", "Callahan, Bob J.", ["Robert Callan", "Callahan, Bonnie"]),
            ("Minh", "Tran", "Tran Van Minh", ["Tran Van Long", "Minh Truong"]),
            ("Samuel", "Whitfield", "Mr. Whitfield, Samuel", ["Samuel Whitman", "Mr. Whitfield, Saul"]),
        ],
    ),
    (
        "accents",
        &[
            ("Jürgen", "Schäfer", "Juergen Schaefer", ["Jürgen Schaffner", "Julia Schaefer"]),
            ("José", "Peña", "Jose Pena", ["José Pérez", "Josefina Peña"]),
            ("Zoe", "Lefevre", "Zoë Lefèvre", ["Zoe Leclerc", "Yvette Lefèvre"]),
            ("Søren", "Kjær", "Soren Kjaer", ["Søren Kirk", "Sofie Kjær"]),
            ("Lukasz", "Wisniewski", "Łukasz Wiśniewski", ["Łukasz Wiśniowski", "Luiza Wiśniewska"]),
            ("Åsa", "Öberg", "Asa Oberg", ["Åsa Öman", "Astrid Öberg"]),
            ("Björn", "Grönroos", "Bjoern Groenroos", ["Björn Grönlund", "Birgit Grönroos"]),
            ("Petra", "Weiß", "Petra Weiss", ["Petra Weise", "Peter Weiß"]),
            ("Șerban", "Țurcanu", "Serban Turcanu", ["Șerban Turcu", "Sorina Țurcanu"]),
            ("Francois", "Belanger", "François Bélanger", ["François Béland", "Françoise Bélanger"]),
            ("Jørgen", "Håkonsen", "Joergen Haakonsen", ["Jørgen Hansen", "Jorunn Håkonsen"]),
            ("Tomáš", "Dvořák", "Tomas Dvorak", ["Tomáš Dvorský", "Tereza Dvořáková"]),
        ],
    ),
    (
        "initials",
        &[
            ("Jonathan", "Prescott", "J. Prescott", ["Jonathan Preston", "Nora Prescott"]),
            ("M.", "Oyelaran", "Modupe Oyelaran", ["M. Oyewole", "Tunde Oyelaran"]),
            ("Christine", "Baumgartner", "C Baumgartner", ["Christine Baum", "Gisela Baumgartner"]),
            ("P. J.", "Gallagher", "Patrick James Gallagher", ["P. J. Galloway", "Noel Gallagher"]),
            ("David", "Fairchild", "D.A. Fairchild", ["David Fairbanks", "Morgan Fairchild"]),
            ("T.J.", "Hendricks", "TJ Hendricks", ["T.J. Hendrickson", "Barbara Hendricks"]),
            ("Wilhelmina", "De Groot", "W. de Groot", ["Wilhelmina de Graaf", "Hugo de Groot"]),
            ("R.", "Subramaniam", "Ravi Subramaniam", ["R. Subbarao", "Priya Subramaniam"]),
            ("Karen", "McAllister", "McAllister, K.", ["Karen McAlpine", "McAllister, Ward"]),
        ],
    ),
    (
        "hyphens",
        &[
            ("Anne-Marie", "Dubois", "Annemarie Dubois", ["Anne Duval", "Marie Dubois"]),
            ("Jean-Luc", "Moreau", "Jean Luc Moreau", ["Jean-Luc Morel", "Jean-Paul Moreau"]),
            ("Sarah", "Lloyd-Jones", "Sarah Lloyd Jones", ["Sarah Lloyd", "Simon Lloyd-Jones"]),
            ("Emma", "Taylor-Hughes", "Emma TaylorHughes", ["Emma Taylor", "Ellis Taylor-Hughes"]),
            ("Soojin", "Park", "Soo-Jin Park", ["Soojin Pak", "Soo-Ah Park"]),
            ("Karlheinz", "Brandt", "Karl-Heinz Brandt", ["Karlheinz Brandl", "Karl Brandt"]),
            ("Mary Beth", "Sullivan", "Mary-Beth Sullivan", ["Mary Beth Sutton", "Mary Ann Sullivan"]),
            ("Min-Jun", "Kim", "Minjun Kim", ["Min-Jun Kang", "Minseo Kim"]),
            ("Abd al-Rahman", "Saleh", "Abdulrahman Saleh", ["Abd al-Rahman Salim", "Abdullah Saleh"]),
        ],
    ),
    (
        "married names",
        &[
            ("Anna", "Schmidt-Weber", "Anna Schmidt", ["Anna Schmid", "Antje Weber"]),
            ("Jessica", "Coleman", "Jessica Coleman-Price", ["Jessica Price", "Joel Coleman"]),
            ("Rebecca", "Stone", "Becky Stone Hargrove", ["Rebecca Hargreaves", "Ruth Stone"]),
            ("Carolina", "Vega", "Carolina Vega de Molina", ["Carolina Molina", "Carlos Vega"]),
            ("Natalie", "Winters", "Natalie Brooks (née Winters)", ["Natalie Brookes", "Nathan Winters"]),
            ("Diane", "Fletcher", "Diane Fletcher-Nguyen", ["Diane Nguyen", "Dirk Fletcher"]),
            ("Olivia Grace", "Patterson", "Olivia Grace Underwood", ["Olivia Peters", "Grace Patterson"]),
            ("Heather", "McKenzie", "Heather M. Lawson (McKenzie)", ["Heather Lawton", "Hamish McKenzie"]),
            ("Philippa", "Grant", "Philippa Osborne", ["Philip Grant", "Philippa Gordon"]),
            ("Monika", "Zielińska", "Monika Zielinska-Adamczyk", ["Monika Adamczyk", "Marta Zielińska"]),
        ],
    ),
    (
        "typing mistakes",
        &[
            ("Michael", "Hutchinson", "Micheal Hutchinson", ["Michael Hutchins", "Michelle Hutchinson"]),
            ("Stephanie", "Gallo", "Stephaine Gallo", ["Stephanie Gallagher", "Stefano Gallo"]),
            ("Brian", "MacDonald", "Brian McDonald", ["Brian McDowell", "Brenda MacDonald"]),
            ("Catherine", "Pritchard", "Catherine Pritchart", ["Catherine Richards", "Caleb Pritchard"]),
            ("Matthew", "Sorensen", "Mathew Sorenson", ["Matthew Sorrell", "Martha Sorensen"]),
            ("Nicholas", "Papadakis", "Nicolas Papadakis", ["Nicholas Papas", "Nicoletta Papadakis"]),
            ("Gregory", "Abernathy", "Gregory Abernethy", ["Gregory Abbott", "Gloria Abernathy"]),
            ("Allison", "Whitaker", "Alison Whittaker", ["Allison White", "Alvin Whitaker"]),
            ("Priscilla", "Underhill", "Pricilla Underhil", ["Priscilla Underdown", "Preston Underhill"]),
            ("Jeremy", "Blackwood", "Jermey Blackwod", ["Jeremy Blackwell", "Jerome Blackwood"]),
            ("Vanessa", "Rodrigues", "Vanesa Rodriguez", ["Vanessa Rogers", "Vincent Rodrigues"]),
            ("Marc", "Fischer", "Mark Fisher", ["Marc Fishman", "Marcia Fischer"]),
            ("André", "Lacroix", "AndrÃ© Lacroix", ["André Lacombe", "Andrea Lacroix"]),
            ("Douglas", "Erickson", "Dougals Ericson", ["Douglas Eriksen-Holt", "Doris Erickson"]),
        ],
    ),
    (
        "other alphabets",
        &[
            ("Sergei", "Volkov", "Sergey Volkov", ["Sergei Volkonsky", "Svetlana Volkov"]),
            ("Mohammed", "Al-Farsi", "Muhammad Alfarsi", ["Mohammed Al-Fahim", "Mahmoud Al-Farsi"]),
            ("Yulia", "Morozova", "Julia Morozova", ["Yulia Morozenko", "Yana Morozova"]),
            ("Aleksandr", "Chernyshevsky", "Alexander Chernyshevskiy", ["Aleksandr Chernov", "Alexei Chernyshevsky"]),
            ("Hossein", "Rahimi", "Hussain Rahimi", ["Hossein Rahmani", "Hassan Rahimi"]),
            ("Evgeny", "Kuznetsov", "Yevgeniy Kuznetsov", ["Evgeny Kuzmin", "Egor Kuznetsov"]),
            ("Youssef", "Haddad", "Yusuf Haddad", ["Youssef Hamdan", "Yasmin Haddad"]),
            ("Иван", "Соколов", "Ivan Sokolov", ["Иван Соболев", "Igor Sokolov"]),
            ("Ekaterina", "Lebedeva", "Екатерина Лебедева", ["Екатерина Левина", "Elena Lebedeva"]),
            ("Γιώργος", "Παπαδόπουλος", "Giorgos Papadopoulos", ["Γιώργος Παππάς", "Grigoris Papadopoulos"]),
            ("Vladimir", "Petrenko", "Volodymyr Petrenko", ["Vladimir Petrov", "Valentina Petrenko"]),
            ("Chaim", "Rosenfeld", "Haim Rosenfeld", ["Chaim Rosenberg", "Chava Rosenfeld"]),
            ("Shouhei", "Ōtani", "Shohei Otani", ["Shouhei Ohtsuka", "Shota Otani"]),
        ],
    ),
    (
        "middle names",
        &[
            ("Daniel", "Ortega", "Daniel Ignacio Ortega", ["Daniel Ortiz", "Dalia Ortega"]),
            ("Edward", "Holloway", "James Edward Holloway", ["Edward Holland", "James Holloway"]),
            ("Mary", "Fitzgerald", "Mary Katherine Louise Fitzgerald", ["Mary Fitzpatrick", "Louise Fitzgerald"]),
            ("Ravindra Kumar", "Sharma", "Ravindra Sharma", ["Ravindra Shah", "Kumar Sharma"]),
            ("Luis Fernando", "Rojas", "Luis Rojas Castillo", ["Luis Fernando Castillo", "Fernanda Rojas"]),
        ],
    ),
    (
        "particles",
        &[
            ("Ludwig", "van der Berg", "Ludwig Vanderberg", ["Ludwig van der Beek", "Lotte van der Berg"]),
            (
                "Friedrich",
                "von Hohenberg",
                "Friedrich Hohenberg",
                ["Friedrich von Hohenfels", "Franziska von Hohenberg"],
            ),
            ("Siobhán", "O'Sullivan", "Siobhan O Sullivan", ["Siobhan O'Shea", "Sean O'Sullivan"]),
            ("Pieter", "van Dijk", "Dijk, Pieter van", ["Pieter van Dam", "Dijk, Paula van"]),
        ],
    ),
];

/// Names that stand beside each of the pairs' names.
const FIRST: &[&str] = &["Trevor", "Ingrid", "Omar", "Beatrice", "Hector", "Yvonne", "Felix", "Lucinda", "Kwame"];
const LAST: &[&str] = &["Hartmann", "Okafor", "Quigley", "Bianchi", "Svensson", "Yamamoto", "Crawford"];

/// How many of the hundred must be told first.
const ENOUGH: usize = 90;

async fn the_right_one_comes_first(world: World) {
    let pairs: Vec<(&str, Pair)> = PAIRS.iter().flat_map(|(kind, of)| of.iter().map(|pair| (*kind, *pair))).collect();
    assert_eq!(pairs.len(), 100);
    scene::integration(&world, "CRM", "OTHER").await;
    let staff_email = |n: usize| format!("e{}@acme.example", 10_000 + n * 7_919 % 9_973);
    let users = pairs.iter().enumerate();
    let users: Vec<String> =
        users.map(|(n, (_, (first, last, ..)))| format!("{},{first},{last},,,,,,,,Add", staff_email(n))).collect();
    scene::users(&world, &users).await;

    // Between equals the external id decides: the right ones' come last, so that a tie is no hit.
    let right = |n: usize| format!("right-{n:03}");
    let mut others = BTreeSet::new();
    for (n, (_, (first, last, _, beside))) in pairs.iter().enumerate() {
        others.extend(beside.map(str::to_owned));
        others.insert(format!("{first} {}", LAST[n % LAST.len()]));
        others.insert(format!("{} {last}", FIRST[n % FIRST.len()]));
    }
    let right_ones = pairs.iter().enumerate().map(|(n, (_, (_, _, name, _)))| (right(n), (*name).to_owned()));
    let crowd = others.into_iter().enumerate().map(|(n, name)| (format!("other-{n:03}"), name));
    let crm_users = crowd.chain(right_ones).enumerate().map(|(n, (id, name))| {
        let login = format!("x{}", 20_000 + n * 6_007 % 9_901);
        json!({ "externalId": id, "name": name, "username": login, "email": format!("{login}@crm.example") })
    });
    scene::push_all(&world, "CRM", crm_users.collect()).await;

    let mut found = 0;
    let mut misses = String::new();
    for (n, (kind, (first, last, name, _))) in pairs.iter().enumerate() {
        let query = "query ($email: String!) { user(by: {email: $email}) { link(integration: {name: \"CRM\"}) {
            candidates(first: 1) { score crmUser { externalId name } } } } }";
        let answer = world.admin().graphql(query, json!({ "email": staff_email(n) })).await.ok();
        let best = answer.pointer("/user/link/candidates/0").unwrap_or(&Value::Null);
        if best.pointer("/crmUser/externalId") == Some(&json!(right(n))) {
            found += 1;
        } else {
            let instead = best.pointer("/crmUser/name").and_then(Value::as_str).unwrap_or("nobody");
            writeln!(misses, "{kind}: {first} {last} is {name}; first comes {instead}").unwrap();
        }
    }
    println!("{found} of {} come first; the others:\n{misses}", pairs.len());
    assert!(found >= ENOUGH, "{found} of {} come first; the others:\n{misses}", pairs.len());
}
