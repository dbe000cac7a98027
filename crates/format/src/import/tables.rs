//! Table cards: rows, where-expressions and table references.
//!
//! Must never name a table by an id that only the export knows, where the export also has its name.
//! Tests: `tests/import.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;

use flowdeck_model::flow::{Call, Mappings};
use flowdeck_model::mapping::Mapping;
use flowdeck_model::table::{ColumnType, TableDecl};
use flowdeck_model::{CardId, CardKind, CardName, Value};
use indexmap::IndexMap;
use serde_json::json;

use super::build::{Builder, Given, Scope};
use super::raw::text;
use super::source::{Source, constant, made, quoted};

/// Most tables of an export among which a card can choose when it runs.
const CHOICES_MAX: usize = 50;
/// Comparisons of a where-expression.
const COMPARE: &[(&str, &str)] = &[
    ("=", "equals"),
    ("==", "equals"),
    ("!=", "not_equals"),
    ("<", "less"),
    ("<=", "less_or_equal"),
    (">", "greater"),
    (">=", "greater_or_equal"),
];

/// What a new row holds in a column of this default; nothing where that is nothing.
pub(super) fn default(kind: ColumnType, default: &Value) -> Option<Value> {
    let text = default.as_str()?;
    match kind {
        ColumnType::Text => Some(default.clone()),
        ColumnType::Number => serde_json::from_str(text.trim()).ok().filter(Value::is_number),
        ColumnType::Boolean => text.trim().to_lowercase().parse::<bool>().ok().map(Value::from),
        ColumnType::Date => Some(default.clone()).filter(|_| !text.trim().is_empty()),
        _ => None,
    }
}

impl<'v> Builder<'_, 'v, '_> {
    pub(super) fn table_card(&mut self, scope: &mut Scope<'v>, at: usize, id: &CardId) -> CardKind {
        let level = Arc::clone(&scope.level);
        let raw = &level.cards[at];
        let operation = match raw.method {
            "searchRows2" | "searchRows" => "search",
            "createRow" => "create",
            "readRow" => "read",
            "updateRow" => "update",
            "deleteRow" => "delete",
            "clearTable" => "clear",
            "exportToCSV" => "export_csv",
            "importFromCSV" => "import_csv",
            "readTable" => return self.schema(scope, at, id),
            _ => return self.connector(scope, at, id),
        };
        let Ok(card) = CardName::new(&format!("tables/{operation}")) else { return self.connector(scope, at, id) };
        let mut with = Mappings::new();
        with.insert("table".into(), self.table_of(scope, at, id));
        match operation {
            "search" => self.search(scope, at, id, &mut with),
            "create" | "update" => {
                if operation == "update" {
                    self.row_of(scope, at, "Update By", &mut with);
                }
                let values = self.columns(scope, at, operation == "update", id);
                with.insert("values".into(), values);
            }
            "read" | "delete" => {
                let group = if operation == "read" { "Read By" } else { "Delete By" };
                self.row_of(scope, at, group, &mut with);
            }
            "import_csv" => self.csv_in(scope, at, &mut with),
            "export_csv" => self.csv_out(scope, at, id, &mut with),
            _ => {}
        }
        self.table_outputs(scope, at, id, operation);
        CardKind::Call(Call { card, slot: None, unbound: false, with })
    }

    /// The row that is meant. Where the card says none it fails when it runs, as in Okta, and not the whole flow.
    fn row_of(&mut self, scope: &Scope<'v>, at: usize, group: &str, with: &mut Mappings) {
        let row = self.filled(scope, at, group, "Row ID");
        with.insert("Row ID".into(), row.map_or_else(|| Mapping::Literal("".into()), Given::mapping));
    }

    fn table_of(&mut self, scope: &Scope<'v>, at: usize, id: &CardId) -> Mapping {
        let named = self.filled(scope, at, "parameters", "stash");
        let table = match &named {
            Some(Given::Literal(Value::String(table))) => self.import.tables.get(table.as_str()).cloned(),
            _ => None,
        };
        if let Some(table) = table {
            let name = table.name.clone();
            self.tables.insert(name.to_string(), table);
            return Mapping::Literal(name.as_str().into());
        }
        // The group has another name from card to card: `Table`, `Destination`.
        let level = Arc::clone(&scope.level);
        let chosen = level.cards[at].inputs.iter().find(|f| f.key == "Table ID" && f.group != "Fields" && !f.for_error);
        let chosen = chosen.map(|f| self.given(scope, at, f)).filter(|given| !given.is_empty());
        match chosen.or(named) {
            Some(Given::Literal(Value::String(table))) if self.import.tables.contains_key(table.as_str()) => {
                let table = self.import.tables[table.as_str()].clone();
                let name = Mapping::Literal(table.name.as_str().into());
                self.tables.insert(table.name.to_string(), table);
                name
            }
            Some(given) => {
                self.changed(id, "the table is chosen when the card runs: its id in the export stands for its name");
                self.chosen_at_run(id, given)
            }
            None => {
                self.lost(id.as_str(), "the table: the card names none that the export holds");
                Mapping::default()
            }
        }
    }

    /// The table of an id that comes when the card runs; what is no id of the export's tables is taken as a name.
    fn chosen_at_run(&mut self, id: &CardId, given: Given<'v>) -> Mapping {
        let known = self.import.tables.iter().take(CHOICES_MAX).map(|(id, table)| ((*id).to_owned(), table.clone()));
        let known: BTreeMap<String, TableDecl> = known.collect();
        if known.is_empty() {
            return given.mapping();
        }
        let names: Vec<String> =
            known.iter().map(|(id, t)| format!("{}: {}", quoted(id), quoted(t.name.as_str()))).collect();
        self.tables.extend(known.into_values().map(|table| (table.name.to_string(), table)));
        let asked = given.expression();
        self.expression(id, &format!("coalesce({{{}}}[string({asked})], {asked})", names.join(", ")))
    }

    /// The columns of a table: known from the export, so that nothing has to be asked when it runs.
    fn schema(&mut self, scope: &mut Scope<'v>, at: usize, id: &CardId) -> CardKind {
        let Ok(card) = CardName::new("control/let") else { return self.connector(scope, at, id) };
        let table = match self.filled(scope, at, "parameters", "stash") {
            Some(Given::Literal(Value::String(table))) => self.import.tables.get(table.as_str()).cloned(),
            _ => None,
        };
        let columns = table.iter().flat_map(|table| &table.columns);
        let columns: Vec<Value> = columns.map(|c| json!({ "name": c.name, "type": c.kind })).collect();
        if table.is_some() {
            self.changed(id, "reads the columns of a table: they stand there as they were when it was exported");
        } else {
            self.lost(id.as_str(), "the table: the card names none that the export holds");
        }
        self.gives(scope, at, id, &[]);
        let with = Mappings::from_iter([("Column Schema".to_owned(), constant(Value::Array(columns)))]);
        CardKind::Call(Call { card, slot: None, unbound: false, with })
    }

    /// What an import of CSV text is told.
    fn csv_in(&mut self, scope: &Scope<'v>, at: usize, with: &mut Mappings) {
        let from =
            [("Source", "File Content", "csv"), ("Options", "Select", "select"), ("Options", "Mapping", "mapping")];
        for (group, key, to) in from.into_iter().chain([("Options", "Delimiter", "delimiter")]) {
            if let Some(given) = self.filled(scope, at, group, key) {
                with.insert(to.into(), given.mapping());
            }
        }
        match self.filled(scope, at, "Options", "Clear Destination") {
            Some(Given::Literal(value)) => {
                let replace = value.as_bool().unwrap_or_else(|| {
                    value.as_str().is_some_and(|t| t.eq_ignore_ascii_case("yes") || t.eq_ignore_ascii_case("true"))
                });
                with.insert("replace".into(), Mapping::Literal(replace.into()));
            }
            Some(Given::Fed(source)) => {
                let replace = made(&format!("lower(string({})) in ['true', 'yes']", source.expression()));
                with.insert("replace".into(), replace.mapping());
            }
            None => {}
        }
    }

    /// What an export to CSV text is told.
    fn csv_out(&mut self, scope: &Scope<'v>, at: usize, id: &CardId, with: &mut Mappings) {
        self.put_filter(scope, at, id, with);
        let from = [("File", "Filename", "filename"), ("Options", "Columns", "columns")];
        for (group, key, to) in from.into_iter().chain([
            ("Options", "Delimiter", "delimiter"),
            ("Options", "Limit", "limit"),
            ("Options", "Offset", "offset"),
        ]) {
            let given = self.filled(scope, at, group, key);
            let unset = matches!(&given, Some(Given::Literal(Value::Number(n))) if n.as_f64() == Some(0.0));
            if let Some(given) = given.filter(|_| !unset) {
                with.insert(to.into(), given.mapping());
            }
        }
    }

    /// Column values; a row that is changed keeps what comes in empty, unless the card says otherwise.
    fn columns(&mut self, scope: &Scope<'v>, at: usize, updates: bool, id: &CardId) -> Mapping {
        let level = Arc::clone(&scope.level);
        let named = self.input(scope, at, "parameters", "stash");
        let (table, defaults) = match &named {
            Some(Given::Literal(Value::String(table))) => {
                let defaults = self.import.defaults.get(table.as_str()).filter(|_| !updates).cloned();
                (self.import.tables.get(table.as_str()).cloned(), defaults.unwrap_or_default())
            }
            _ => (None, Vec::new()),
        };
        let table = table.as_ref();
        let keep_empty = match self.input(scope, at, "parameters", "updateEmptyInputs") {
            Some(Given::Literal(value)) => {
                value.as_str().is_some_and(|t| t.eq_ignore_ascii_case("yes")) || value.as_bool() == Some(true)
            }
            _ => false,
        };
        let mut members: IndexMap<String, Mapping> = IndexMap::new();
        let mut moves = false;
        for field in level.cards[at].inputs.iter().filter(|f| f.group == "Fields" && !f.for_error) {
            let given = self.given(scope, at, field);
            if given.is_empty() && !(updates && keep_empty) {
                continue;
            }
            if table.is_some_and(|table| table.columns.iter().all(|column| column.name != field.key)) {
                let column: String = field.key.chars().take(60).collect();
                self.lost(id.as_str(), format!("the value of `{column}`: the table has no such column any more"));
                continue;
            }
            moves |= matches!(given, Given::Fed(_));
            members.insert(field.key.to_owned(), given.mapping());
        }
        for (column, value) in defaults {
            members.entry(column).or_insert(Mapping::Literal(value));
        }
        if updates && !keep_empty && moves {
            let source = Source::Made(Mapping::Object(members)).through("nonEmpty").expression();
            return self.expression(id, &source);
        }
        let source = Mapping::Object(members).source();
        Mapping::parse(&source).unwrap_or_default()
    }

    fn search(&mut self, scope: &Scope<'v>, at: usize, id: &CardId, with: &mut Mappings) {
        self.put_filter(scope, at, id, with);
        if let Some(column) = self.filled(scope, at, "Sort", "Column") {
            // Rows come in the order they were made, or turned round.
            let is_row = matches!(&column, Given::Literal(Value::String(name)) if name == "_id");
            if !is_row {
                with.insert("sort".into(), column.mapping());
            }
            let descending = match self.filled(scope, at, "Sort", "Direction") {
                Some(Given::Literal(Value::String(word))) => {
                    Mapping::Literal((!word.trim().to_lowercase().starts_with("asc")).into())
                }
                Some(Given::Fed(source)) => {
                    made(&format!("!startsWith(lower(string({})), 'asc')", source.expression())).mapping()
                }
                _ => Mapping::Literal(true.into()),
            };
            if descending != Mapping::Literal(false.into()) {
                with.insert("descending".into(), descending);
            }
        }
        let first = matches!(self.filled(scope, at, "parameters", "resultSet"), Some(Given::Literal(Value::String(set))) if set == "one");
        for (key, to) in [("Offset", "offset"), ("Limit", "limit")] {
            let given = self.filled(scope, at, "Sort", key);
            let unset = matches!(&given, Some(Given::Literal(Value::Number(n))) if n.as_f64() == Some(0.0));
            if let Some(given) = given.filter(|_| !unset) {
                with.insert(to.into(), given.mapping());
            }
        }
        if first {
            with.insert("limit".into(), Mapping::Literal(1.into()));
        }
    }

    /// The where-expression; one that is worked out by another card has no form here.
    fn put_filter(&mut self, scope: &Scope<'v>, at: usize, id: &CardId, with: &mut Mappings) {
        match self.filled(scope, at, "Filter", "Where Expression") {
            Some(Given::Literal(filter)) => {
                if let Some(filter) = self.filter(scope, at, filter, id) {
                    with.insert("where".into(), filter);
                }
            }
            Some(Given::Fed(_)) => {
                self.lost(
                    id.as_str(),
                    "the where-expression that another card gives: all rows are meant, so give `where`",
                );
            }
            None => {}
        }
    }

    /// `{expr: […]}`: terms in a row, each joined to the next by AND or OR; AND binds more tightly.
    fn filter(&mut self, scope: &Scope<'v>, at: usize, filter: &'v Value, id: &CardId) -> Option<Mapping> {
        let terms = filter.get("expr").and_then(Value::as_array).filter(|terms| !terms.is_empty())?;
        let mut groups: Vec<Vec<Mapping>> = vec![Vec::new()];
        for term in terms.iter().take(100) {
            let value = match term.get("rhd").filter(|rhd| rhd.is_object()) {
                Some(rhd) => self.other_side(scope, at, rhd).mapping(),
                None => constant(term.get("rhs").cloned().unwrap_or_default()),
            };
            let operator = text(term, "op").trim();
            let compare =
                COMPARE.iter().find(|(word, _)| *word == operator).map(|(_, word)| *word).unwrap_or_else(|| {
                    self.lost(id.as_str(), format!("the comparison `{operator}` in its where-expression; `=` is used"));
                    "equals"
                });
            let column = match text(term, "lhs") {
                "_id" => "Row ID",
                column => column,
            };
            let words = |text: &str| Mapping::Literal(Value::String(text.to_owned()));
            let test = [("column", words(column)), ("compare", words(compare)), ("value", value)];
            let test = Mapping::Object(test.into_iter().map(|(k, v)| (k.to_owned(), v)).collect());
            if let Some(group) = groups.last_mut() {
                group.push(test);
            }
            if text(term, "join").eq_ignore_ascii_case("or") {
                groups.push(Vec::new());
            }
        }
        groups.retain(|group| !group.is_empty());
        let all = match groups.len() {
            0 | 1 => Mapping::List(groups.pop().unwrap_or_default()),
            _ => {
                let any = Mapping::List(groups.into_iter().map(Mapping::List).collect());
                Mapping::List(vec![Mapping::Object(IndexMap::from_iter([("any".to_owned(), any)]))])
            }
        };
        Mapping::parse(&all.source()).ok()
    }

    /// The mapped value of a term: through its hidden input, else straight from the card it names.
    fn other_side(&mut self, scope: &Scope<'v>, at: usize, rhd: &Value) -> Source {
        let (card, output) = (text(rhd, "methodId"), text(rhd, "outputId"));
        let level = Arc::clone(&scope.level);
        let hidden = level.cards[at].inputs.iter().find(|f| f.group == "_expr" && f.key == output);
        if let Some(Given::Fed(source)) = hidden.map(|f| self.given(scope, at, f)) {
            return source;
        }
        let found = level.index.get(card).and_then(|card| {
            let output = level.cards[*card].output(output)?;
            scope.sources.get(&(*card, output.id)).cloned()
        });
        found.unwrap_or_else(Source::null)
    }

    fn table_outputs(&self, scope: &mut Scope<'v>, at: usize, id: &CardId, operation: &str) {
        let level = Arc::clone(&scope.level);
        for output in &level.cards[at].outputs {
            let card = |keys: &[&str]| Source::place(id.as_str(), keys.iter().copied());
            let source = match (operation, output.group, output.key) {
                ("search", "Result", "Rows") => card(&["rows"]),
                ("search", "Row" | "Fields", key) => card(&["rows"]).at(0).below(key),
                ("read", "Row" | "Fields", key) => card(&["row"]).below(key),
                ("clear" | "delete" | "import_csv", ..) => card(&["count"]),
                ("export_csv", ..) => card(&["file"]),
                (_, _, key) => card(&[key]),
            };
            scope.sources.insert((at, output.id), source);
        }
    }
}
