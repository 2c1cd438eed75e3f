use super::*;

fn written(rows: &[Vec<String>]) -> String {
    let mut writer = Writer::new(Vec::new());
    for row in rows {
        writer.row(row).unwrap();
    }
    String::from_utf8(writer.into_inner().unwrap()).unwrap()
}

#[test]
fn what_is_written_is_read_back() {
    let mut dice = Dice(42);
    let mut rows: Vec<Vec<String>> = vec![Kind::Mappings.table().names().map(str::to_owned).collect()];
    for _ in 0..2000 {
        rows.push((0..4).map(|_| dice.cell()).collect());
    }
    let file = written(&rows);
    assert!(file.ends_with("\r\n"));
    let (_, read) = read(Kind::Mappings, &file);
    for (row, wrote) in read.iter().zip(&rows[1..]) {
        let unguarded: Vec<&str> = row.raw.iter().map(|cell| unguard(cell)).collect();
        assert_eq!(unguarded, *wrote);
        let spaced = wrote.iter().any(|cell| cell.trim() != cell);
        assert_eq!(row.faults.is_empty(), !spaced || row.blank);
        if !row.blank {
            let cells: Vec<&str> = (0..4).filter_map(|column| row.get(column)).collect();
            assert_eq!(cells, wrote.iter().map(|cell| cell.trim()).collect::<Vec<_>>());
        }
    }
}

#[test]
fn the_log_of_a_file() {
    let file = "email,external_id,alias_email,operation\n=a,'=b,'tis,+add\n";
    let (layout, rows) = read(Kind::Mappings, file);
    let faults = [
        RowFault::at(ErrorCode::InvalidEmail, "email", "No email."),
        RowFault::new(ErrorCode::NotUtf8, "Odd."),
        RowFault::at(ErrorCode::InvalidOperation, "operation", "Say add."),
    ];
    let log = written(&[log_header(&layout), log_row(&layout, &rows[0].raw, rows[0].line, &faults)]);
    assert_eq!(
        log,
        "email,external_id,alias_email,operation,_line,_column,_code,_message\r\n\
         '=a,'=b,'tis,'+add,2,email; ; operation,INVALID_EMAIL; NOT_UTF8; INVALID_OPERATION,No email.; Odd.; Say add.\r\n"
    );

    // Uploaded again as it is, it says the same.
    let (again, rows_again) = read(Kind::Mappings, &log);
    (0..4).for_each(|column| assert_eq!(rows_again[0].get(column), rows[0].get(column)));
    assert_eq!(
        written(&[log_header(&again), log_row(&again, &rows_again[0].raw, 2, &faults)]),
        log,
        "its own columns are replaced, not doubled"
    );
}

#[test]
fn other_underscore_columns_stay_in_the_log() {
    let (layout, rows) =
        read(Kind::Mappings, "email,external_id,alias_email,operation,_line,_source\na,b,c,add,7,MANUAL\n");
    assert_eq!(log_header(&layout)[4..], ["_source", "_line", "_column", "_code", "_message"]);
    assert_eq!(log_row(&layout, &rows[0].raw, 2, &[])[4..], ["MANUAL", "2", "", "", ""]);
}
