use super::*;

#[test]
fn lines_offsets_and_blank_rows() {
    let file = format!("\u{feff}{MAPPINGS}\na@x.com,\"1\n2\",,add\r\n\r\n,,\n \t,,\"\",\nb@x.com,2,,add");
    let (_, rows) = read(Kind::Mappings, &file);
    let seen: Vec<(u64, bool, bool)> = rows.iter().map(|row| (row.line, row.blank, row.skipped)).collect();
    assert_eq!(
        seen,
        [(2, true, true), (3, false, false), (5, true, true), (6, true, true), (7, true, true), (8, false, false)]
    );
    for row in &rows {
        assert!(row.faults.is_empty());
        let end = file.as_bytes()[row.offset as usize..row.next.offset as usize].last();
        assert!(end == Some(&b'\n') || row.next.offset as usize == file.len());
    }
    assert_eq!(rows[1].raw, ["a@x.com", "1\n2", "", "add"]);
    assert_eq!(rows[1].get(mappings::EXTERNAL_ID), Some("1\n2"));
    assert_eq!(rows[1].get(mappings::ALIAS_EMAIL), Some(""));
}

#[test]
fn an_empty_operation_skips_whatever_else_is_wrong() {
    let (_, rows) = read(Kind::Mappings, format!("{MAPPINGS} a ,=x,,\na,b,c\na,b,c, \n"));
    assert!(rows[0].skipped && !rows[0].blank);
    assert!(!rows[1].skipped, "the wrong width fails whatever the operation");
    assert_eq!(rows[1].faults[0].code, ErrorCode::ColumnCount);
    assert!(!rows[2].skipped, "a space is not empty");
    assert_eq!(rows[2].faults[0].code, ErrorCode::SurroundingSpaces);

    let crm = "external_id,email,name,username,title,is_active\n1,a@x.com,,,,\n,,,,,\n";
    let (_, rows) = read(Kind::CrmUsers, crm);
    assert_eq!(rows.iter().map(|row| row.skipped).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn all_that_is_wrong_with_a_row() {
    let (_, rows) = read(Kind::Mappings, format!("{MAPPINGS} a@x.com,\u{a0}1,x,\"add\n\"\n"));
    let columns: Vec<_> = rows[0].faults.iter().map(|fault| (fault.code, fault.column.as_deref())).collect();
    let spaces = ErrorCode::SurroundingSpaces;
    assert_eq!(columns, [(spaces, Some("email")), (spaces, Some("external_id")), (spaces, Some("operation"))]);
    assert_eq!(rows[0].get(mappings::OPERATION), Some("add"), "what was meant");
    assert_eq!(rows[0].raw[0], " a@x.com", "what is there");
}

#[test]
fn wrong_widths() {
    let (layout, rows) = read(Kind::Mappings, format!("{MAPPINGS}a,b\nx,\"1,2\",y,add,z\ngood,1,,add\n"));
    assert_eq!(rows[0].raw, ["a", "b"]);
    assert_eq!(rows[1].raw, ["x", "1,2", "y", "add"], "the cells that fit");
    assert!(rows[1].faults[0].message.contains("has 5 cells and the header 4"));
    assert!(rows[1].faults[0].message.ends_with("The whole line: x,\"1,2\",y,add,z"));
    assert!(rows[2].faults.is_empty());
    let line = log_row(&layout, &rows[0].raw, rows[0].line, &rows[0].faults);
    assert_eq!(line[..7], ["a", "b", "", "", "2", "", "COLUMN_COUNT"]);
}

#[test]
fn large_cells_and_rows() {
    let cell = |bytes: usize| "x".repeat(bytes);
    let file = format!(
        "{MAPPINGS}a,{},,add\nb,{},,add\nc,{},,add\n{}\nd,1,,add\n",
        cell(MAX_CELL_BYTES),
        cell(MAX_CELL_BYTES + 1),
        cell(10_000_000),
        ",".repeat(3_000_000),
    );
    let (_, rows) = read(Kind::Mappings, &file);
    assert!(rows[0].faults.is_empty());
    assert_eq!(
        (rows[1].faults[0].code, rows[1].faults[0].column.as_deref()),
        (ErrorCode::Invalid, Some("external_id"))
    );
    assert_eq!(rows[1].raw[1].len(), MAX_CELL_BYTES + 1, "the log has it whole");
    assert_eq!(rows[2].faults[0].code, ErrorCode::Invalid);
    assert!(rows[2].faults[0].message.contains("10000007 bytes"), "{}", rows[2].faults[0].message);
    assert!(rows[2].raw.iter().map(String::len).sum::<usize>() <= SHOWN_OF_LONG_RECORD);
    assert_eq!(rows[2].raw[0], "c");
    assert!(!rows[2].has_cells());
    assert!(rows[3].skipped, "blank, of any width");
    assert_eq!((rows[4].line, rows[4].faults.len()), (6, 0));
}

#[test]
fn the_widest_lawful_row_is_kept() {
    let cell = format!("\"{}\"", "\"\"".repeat(MAX_CELL_BYTES));
    let row = [cell.as_str(); 10].join(",");
    let header = template(Kind::Users).replace("Status,Suspended At,", "");
    let (_, rows) = read(Kind::Users, format!("{header}{row},Edit\n"));
    assert_eq!(rows[0].faults, []);
    assert_eq!(rows[0].get(users::TITLE).unwrap().len(), MAX_CELL_BYTES);
}

#[test]
fn columns_that_are_not_read() {
    let file = "Operation,EMAIL ADDRESS,status,_note\nEdit,a@x.com, Active , x \n";
    let layout = scan_as(Kind::Users, HeaderMode::ByName, file).unwrap().layout;
    let rows = rows_from(file.as_bytes(), &layout, layout.first_row());
    assert_eq!(rows[0].faults, [], "spaces in them are no fault");
    assert_eq!(rows[0].get(users::EMAIL), Some("a@x.com"));
    assert_eq!(rows[0].get(users::STATUS), None);
    assert_eq!(rows[0].get(users::TITLE), None, "not in the file: the attribute stays");
}

#[test]
fn reading_goes_on_from_every_row() {
    let mut dice = Dice(7);
    for _ in 0..50 {
        let mut writer = Writer::new(b"\xef\xbb\xbf".to_vec());
        writer.row(Kind::Mappings.table().names()).unwrap();
        for _ in 0..12 {
            let width = if dice.below(5) == 0 { dice.below(7) } else { 4 };
            let cells: Vec<String> = (0..width).map(|_| dice.cell()).collect();
            writer.row(&cells).unwrap();
        }
        let file = writer.into_inner().unwrap();
        let (layout, rows) = read(Kind::Mappings, &file);
        assert_eq!(rows.len(), 12);
        for (i, row) in rows.iter().enumerate() {
            let before = &file[..row.offset as usize];
            assert_eq!(row.line, 1 + before.iter().filter(|byte| **byte == b'\n').count() as u64);
            assert_eq!(rows_from(&file, &layout, row.next), rows[i + 1..]);
        }
        assert_eq!(rows.last().unwrap().next.offset as usize, file.len());
    }
}
