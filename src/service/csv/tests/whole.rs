use super::*;

#[test]
fn a_good_file_is_let_through() {
    for file in [
        "email,external_id,alias_email,operation\na@x.com,1,,add\nb@x.com,2,,add",
        "\u{feff}email,external_id,alias_email,operation\r\na@x.com,1,,add\r\nb@x.com,2,,add\r\n",
        "\"email\",\"external_id\",\"alias_email\",\"operation\"\n,,,\n\n",
    ] {
        let scanned = scan_mappings(file).unwrap();
        assert_eq!((scanned.rows, scanned.bytes), (2, file.len() as u64));
        assert_eq!(scanned.layout.header(), ["email", "external_id", "alias_email", "operation"]);
        assert_eq!(scanned.layout.first_row().line, 2);
        assert_eq!(scanned.layout.first_row().offset as usize, file.find('\n').unwrap() + 1);
    }
}

#[test]
fn empty_files() {
    for file in ["", "\u{feff}"] {
        assert_eq!(refused(scan_mappings(file)).0, ErrorCode::EmptyFile);
    }
    let (code, message) = refused(scan_mappings(MAPPINGS));
    assert_eq!(code, ErrorCode::EmptyFile);
    assert!(message.contains("no row"));
    assert_eq!(refused(scan_mappings(MAPPINGS.trim_end())).0, ErrorCode::EmptyFile);
}

#[test]
fn too_large_files() {
    let file = format!("{MAPPINGS}{}", "a@x.com,1,,add\n".repeat(10_000));
    let at = |max_bytes: usize| {
        scan(file.as_bytes(), Kind::Mappings, HeaderMode::Exact, Limits { max_bytes: max_bytes as u64 }).unwrap()
    };
    assert_eq!(at(file.len()).unwrap().rows, 10_000);
    let (code, message) = refused(at(file.len() - 1));
    assert_eq!(code, ErrorCode::TooLarge);
    assert!(message.contains(&(file.len() - 1).to_string()));
}

#[test]
fn other_encodings() {
    let text = format!("{MAPPINGS}zoë@x.com,1,,add\n");
    let utf16 = |bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
    let (le, be) = (utf16(u16::to_le_bytes), utf16(u16::to_be_bytes));
    for file in [[&[0xff, 0xfe], &le[..]].concat(), [&[0xfe, 0xff], &be[..]].concat(), le, be] {
        let (code, message) = refused(scan_mappings(file));
        assert_eq!(code, ErrorCode::NotUtf8);
        assert!(message.contains("UTF-16") && message.contains("line 1"), "{message}");
    }

    let latin: Vec<u8> = text.chars().map(|c| c as u32 as u8).collect();
    let (code, message) = refused(scan_mappings(latin));
    assert_eq!(code, ErrorCode::NotUtf8);
    assert!(message.contains("Windows-1252") && message.contains("line 2."), "{message}");
    assert!(message.contains("CSV UTF-8"), "says how to save");

    // Far into the file, in a multi-line cell, after characters that the buffers cut in two.
    let mut file = format!("{MAPPINGS}a@x.com,{},,\n", "日本\n".repeat(50_000)).into_bytes();
    file.extend(b"b@x.com,\xe9,,\n");
    assert!(refused(scan_mappings(&file)).1.contains("line 50003."));
    // Cut in the middle of a character.
    let cut = format!("{MAPPINGS}a@x.com,é").into_bytes();
    assert_eq!(refused(scan_mappings(&cut[..cut.len() - 1])).0, ErrorCode::NotUtf8);
}

#[test]
fn files_that_are_no_csv() {
    let xlsx = [b"PK\x03\x04\x14\0\x06\0\x08\0\0\0!\0".as_slice(), b"[Content_Types].xml", &[0; 100]].concat();
    let xls = [b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".as_slice(), &[0; 600]].concat();
    for (file, says) in [
        (xlsx, "Excel workbook (.xlsx)"),
        (b"PK\x03\x04rest".to_vec(), "zip"),
        (xls, "old Excel workbook (.xls)"),
        (b"%PDF-1.7\n".to_vec(), "PDF"),
        (vec![0, 1, 2, 3], "NUL"),
        (vec![3, 1, 2, 0xff, 5, 6], "binary"),
        (format!("{MAPPINGS}a,b,c,add\na,\"\nb\0\",c,add\n").into_bytes(), "line 4 holds a NUL"),
        (format!("{MAPPINGS}a,b,c,add\na,\"b,c,add\nd,e,f,add\n").into_bytes(), "opens on line 3"),
        (format!("{MAPPINGS}a,\"\n\",\n\",c\n").into_bytes(), "opens on line 4"),
        (format!("{MAPPINGS}a,b,c,add\rd,e,f,add\r").into_bytes(), "line 2 a carriage return"),
        (format!("{}a,b,c,add\r", MAPPINGS.replace("\r\n", "\r")).into_bytes(), "line 1 a carriage return"),
        (format!("{MAPPINGS}a,b,c,add\r").into_bytes(), "line 2 a carriage return"),
    ] {
        let (code, message) = refused(scan_mappings(file));
        assert_eq!(code, ErrorCode::NotCsv, "{message}");
        assert!(message.contains(says), "{message}");
        assert!(message.contains("CSV UTF-8"), "says how to save");
    }
    // What makes a file unreadable goes before what is wrong with its header.
    assert_eq!(refused(scan_mappings("what\n\0")).0, ErrorCode::NotCsv);
    assert!(scan_mappings(format!("{MAPPINGS}a,\"b\rc\",,add\n")).is_ok());
}

#[test]
fn exact_headers() {
    let header = |line: &str| match scan_as(Kind::Users, HeaderMode::Exact, format!("{line}\n,,\n")) {
        Ok(_) => String::new(),
        Err(fault) => {
            assert_eq!(fault.code, ErrorCode::HeaderMismatch);
            fault.message
        }
    };
    let thirteen = template(Kind::Users);
    let thirteen = thirteen.trim_end();
    let eleven = thirteen.replace("Status,Suspended At,", "");
    for good in [thirteen, &eleven, &format!("{eleven},_line,_column,_line,_"), &format!("{thirteen},_x")] {
        assert_eq!(header(good), "", "{good}");
    }
    for (bad, says) in [
        (eleven.replace("Title", "title"), r#"Missing: "Title". Unknown: "title" (column 4), nearest to "Title"."#),
        (
            eleven.replace("Email Address", "E-Mail Adress"),
            r#"Missing: "Email Address". Unknown: "E-Mail Adress" (column 1), nearest to "Email Address"."#,
        ),
        (eleven.replace("Team,", ""), r#"fit. Missing: "Team". The header must be"#),
        (eleven.replace("Team,", "Team ,"), r#"Unknown: "Team " (column 5), nearest to "Team"."#),
        (eleven.replace("Team,", "Team,Team,"), r#"fit. There more than once: "Team" (column 6). The header"#),
        (
            eleven.replace("Team,Role", "Role,Team"),
            r#"Out of place: "Role" (column 5), which belongs after "Team". The"#,
        ),
        (
            format!("Operation,{}", eleven.replace(",Operation", "")),
            r#"Out of place: "Operation" (column 1), which belongs after "Licenses". The"#,
        ),
        (thirteen.replace("Status,", ""), r#"fit. Missing: "Status". The"#),
        (format!("_line,{eleven}"), r#"Out of place: "_line" (column 1), which may only follow"#),
        (format!("{eleven},"), r#"Unknown: "" (column 12)."#),
        (
            eleven.replace(',', ";"),
            "fit. The columns are separated by semicolons; they must be by commas. The header must",
        ),
        (String::new(), "Line 1 is blank"),
        (format!("{eleven}{}", ",x".repeat(100)), "and 80 more"),
    ] {
        let message = header(&bad);
        assert!(message.contains(says), "{bad}\n{message}\n{says}");
    }
    let message = header(&eleven.replace("Last Name", "First Name").replace("Role", "Rolle"));
    for says in ["Missing: \"Last Name\"; \"Role\"", "\"Rolle\" (column 6), nearest to \"Role\"", "more than once"] {
        assert!(message.contains(says), "all at once: {message}");
    }
}

#[test]
fn optional_columns_of_crm_users() {
    let six = "external_id,email,name,username,title,is_active";
    for (header, fits) in [
        (six.to_owned(), true),
        (format!("{six},team"), true),
        (format!("{six},created_at"), true),
        (format!("{six},team,created_at,_note"), true),
        (format!("{six},created_at,team"), false),
        ("external_id,email".to_owned(), false),
    ] {
        let outcome = scan_as(Kind::CrmUsers, HeaderMode::Exact, format!("{header}\nx\n"));
        assert_eq!(outcome.is_ok(), fits, "{header}");
    }
}

#[test]
fn headers_by_name() {
    let by_name = |kind, header: &str| scan_as(kind, HeaderMode::ByName, format!("{header}\nx\n"));
    let scanned = by_name(Kind::Users, "OPERATION,_note,team,email address,STATUS").unwrap();
    let place = |column| scanned.layout.place(column);
    assert_eq!(place(users::EMAIL), Some(3));
    assert_eq!(place(users::TEAM), Some(2));
    assert_eq!(place(users::OPERATION), Some(0));
    assert_eq!(place(users::TITLE), None);
    assert_eq!(place(users::STATUS), None, "there, and not read");

    assert!(by_name(Kind::Mappings, "Operation,Email").is_ok());
    assert!(by_name(Kind::CrmUsers, "EXTERNAL_ID").is_ok());
    for (kind, header, says) in [
        (Kind::Users, "Email Address,Team", "Missing: \"Operation\"."),
        (Kind::Users, "Email Address,Operation,Tittle", "\"Tittle\" (column 3), nearest to \"Title\""),
        (Kind::Users, "Email Address,Operation,EMAIL ADDRESS", "There more than once: \"EMAIL ADDRESS\" (column 3)."),
        (Kind::CrmUsers, "email", "Missing: \"external_id\"."),
    ] {
        let (code, message) = refused(by_name(kind, header));
        assert_eq!(code, ErrorCode::HeaderMismatch);
        assert!(message.contains(says), "{message}");
    }
}

#[test]
fn status_columns() {
    let file = |rows: &str| format!("{}{rows}", template(Kind::Users));
    let with = |rows: &str, mode| scan_as(Kind::Users, mode, file(rows));
    let exact = |rows: &str| with(rows, HeaderMode::Exact);
    assert!(exact("a@x.com,,,,,,,,,,,,Edit\n").is_ok());
    assert!(exact("a,b,Active\n\n").is_ok(), "a row of the wrong width fails on its own");
    let (code, message) = refused(exact("a@x.com,,,,,,,,,,,,Edit\n\nb@x.com,,,,,,,,,,Active,,\n"));
    assert_eq!(code, ErrorCode::StatusColumnsNotAccepted);
    assert!(message.contains("\"Status\" has a value on line 4"), "{message}");
    let (_, message) = refused(exact("b@x.com,,,,,,,,,,,2024-01-01,\n"));
    assert!(message.contains("\"Suspended At\" has a value on line 2"), "{message}");
    assert!(with("b@x.com,,,,,,,,,,Active,,\n", HeaderMode::ByName).is_ok());
}
