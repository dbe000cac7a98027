//! Rows in columns.
//!
//! Must never be wider than the terminal: the last column gives way.
//! Tests: below.

use super::style::{Style, pad, shorten, width};

/// A table with a dim head; columns are as wide as their longest cell, the last takes what is left.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>], style: Style) -> String {
    let columns = head.len();
    let mut widths: Vec<usize> = head.iter().map(|h| width(h)).collect();
    for row in rows {
        for (i, cell) in row.iter().enumerate().take(columns) {
            widths[i] = widths[i].max(width(cell));
        }
    }
    let before: usize = widths.iter().take(columns.saturating_sub(1)).map(|w| w + 2).sum();
    let last = style.width.saturating_sub(before).max(12);
    let line = |cells: &[String]| {
        let mut out = String::new();
        for (i, cell) in cells.iter().enumerate().take(columns) {
            if i + 1 == columns {
                out.push_str(&shorten(cell, last));
            } else {
                out.push_str(&pad(cell, widths[i] + 2));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_column_gives_way() {
        let rows = vec![vec!["a".into(), "something that is rather long".into()], vec!["bbb".into(), "x".into()]];
        let shown = table(&["id", "what"], &rows, Style { width: 24, ..Style::PLAIN });
        assert_eq!(shown, "id   what\na    something that is …\nbbb  x\n");
    }
}
