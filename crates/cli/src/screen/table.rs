//! Rows in columns.
//!
//! Must never be wider than the terminal: the last column gives way, then the widest.
//! Tests: below.

use super::style::{Style, pad, shorten, width};

/// Columns that the last one keeps where there is something to show in it.
const LAST_MIN: usize = 12;
/// No column is made narrower than this.
const COLUMN_MIN: usize = 6;

/// A table with a dim head; columns are as wide as their longest cell, the last takes what is left.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>], style: Style) -> String {
    let columns = head.len();
    let mut widths: Vec<usize> = head.iter().map(|h| width(h)).collect();
    for row in rows {
        for (i, cell) in row.iter().enumerate().take(columns) {
            widths[i] = widths[i].max(width(cell));
        }
    }
    let last = narrowed(&mut widths, style.width);
    let line = |cells: &[String]| {
        let mut out = String::new();
        for (i, cell) in cells.iter().enumerate().take(columns) {
            if i + 1 == columns {
                out.push_str(&shorten(cell, last));
            } else {
                out.push_str(&pad(&shorten(cell, widths[i]), widths[i] + 2));
            }
        }
        out.trim_end().to_owned()
    };
    let titles: Vec<String> = head.iter().map(|h| (*h).to_owned()).collect();
    let mut out = format!("{}\n", style.dim(&line(&titles)));
    for row in rows {
        out.push_str(&line(row));
        out.push('\n');
    }
    out
}

/// Takes columns from the widest until the table fits; answers what is left for the last one.
fn narrowed(widths: &mut [usize], room: usize) -> usize {
    let Some((wanted, others)) = widths.split_last_mut() else { return room };
    let wanted = (*wanted).min(LAST_MIN);
    let taken = |others: &[usize]| others.iter().map(|w| w + 2).sum::<usize>();
    while taken(others) + wanted > room {
        let Some(widest) = others.iter_mut().max().filter(|w| **w > COLUMN_MIN) else { break };
        *widest -= 1;
    }
    room.saturating_sub(taken(others)).max(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_wider_than_the_terminal_however_long_a_name_is() {
        let long = "the directory of the people at the head office in Lisbon".to_owned();
        let rows = vec![vec!["playground".to_owned(), long, "works".to_owned(), "Robin Admin".to_owned()]];
        let head = ["app", "nickname", "state", "account"];
        let shown = table(&head, &rows, Style { width: 60, ..Style::PLAIN });
        assert!(shown.lines().all(|line| width(line) <= 60), "{shown}");
        assert!(
            shown.contains("playground  the directory of") && shown.ends_with("…  works  Robin Admin\n"),
            "{shown}"
        );
        let narrow = table(&head, &rows, Style { width: 30, ..Style::PLAIN });
        assert!(narrow.contains("Robin Admin"), "{narrow}");
    }

    #[test]
    fn the_last_column_gives_way() {
        let rows = vec![vec!["a".into(), "something that is rather long".into()], vec!["bbb".into(), "x".into()]];
        let shown = table(&["id", "what"], &rows, Style { width: 24, ..Style::PLAIN });
        assert_eq!(shown, "id   what\na    something that is …\nbbb  x\n");
    }
}
