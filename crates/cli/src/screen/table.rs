//! Rows in columns.
//!
//! Must never cut what is typed again, such as ids and names without a space; long texts give way to the terminal.
//! Tests: below.

use super::style::{Style, pad, shorten, width};

/// What the last column keeps where there is something to show in it.
const LAST_MIN: usize = 12;
/// What any other keeps: the values of short columns stay whole, also where the screen is too narrow for all.
const OTHER_MIN: usize = 24;

/// A table with a dim head; columns are as wide as their longest cell, the last takes what is left.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>], style: Style) -> String {
    let columns = head.len();
    let mut widths: Vec<usize> = head.iter().map(|h| width(h)).collect();
    for row in rows {
        for (i, cell) in row.iter().enumerate().take(columns) {
            widths[i] = widths[i].max(width(cell));
        }
    }
    let is_text = |i: &usize| rows.iter().any(|row| row.get(*i).is_some_and(|cell| cell.contains(' ')));
    let texts: Vec<usize> = (0..columns.saturating_sub(1)).filter(is_text).collect();
    let last = narrowed(&mut widths, &texts, style.width);
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

/// Takes from the widest of these columns until the table fits; answers what is left for the last one.
fn narrowed(widths: &mut [usize], texts: &[usize], room: usize) -> usize {
    let Some((longest, others)) = widths.split_last_mut() else { return room };
    let taken = |others: &[usize]| others.iter().map(|w| w + 2).sum::<usize>();
    while taken(others) + LAST_MIN.min(*longest) > room {
        let widest = texts.iter().copied().max_by_key(|i| others[*i]).filter(|i| others[*i] > OTHER_MIN);
        let Some(widest) = widest else { break };
        others[widest] -= 1;
    }
    room.saturating_sub(taken(others)).max(LAST_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_gives_way_and_what_is_typed_again_does_not() {
        let long = "the directory of the people at the head office in Lisbon".to_owned();
        let rows = vec![vec!["playground".to_owned(), long, "works".to_owned(), "Robin Admin".to_owned()]];
        let head = ["app", "nickname", "state", "account"];
        let shown = table(&head, &rows, Style { width: 60, ..Style::PLAIN });
        assert!(shown.lines().all(|line| width(line) <= 60), "{shown}");
        assert!(
            shown.contains("playground  the directory of") && shown.ends_with("…  works  Robin Admin\n"),
            "{shown}"
        );
        let id = "con_01ka0000000000000000000000";
        let short = vec![[id, "Lovelace, Ada", "authorize again", "Robin Admin"].map(str::to_owned).to_vec()];
        let shown = table(&head, &short, Style { width: 40, ..Style::PLAIN });
        assert!(shown.ends_with(&format!("{id}  Lovelace, Ada  authorize again  Robin Admin\n")), "{shown}");
    }

    #[test]
    fn the_last_column_gives_way() {
        let rows = vec![vec!["a".into(), "something that is rather long".into()], vec!["bbb".into(), "x".into()]];
        let shown = table(&["id", "what"], &rows, Style { width: 24, ..Style::PLAIN });
        assert_eq!(shown, "id   what\na    something that is …\nbbb  x\n");
    }
}
