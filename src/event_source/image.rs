//! What capture records of a row, in `event.data` and in the columns of `event.context`. Capture writes it, and the worker reads it.

use serde_json::Value;

use super::{Audience, EventSource, Expression};

/// A column of the attached table, in the row that was written or in the one before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnRef {
    pub name: String,
    /// Whether the value before the write is meant.
    pub old: bool,
}

/// The value of a key of `event.data`.
#[derive(Clone, Debug, PartialEq)]
pub enum Recorded {
    Column(ColumnRef),
    Constant(Value),
}

/// Where a column is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place<'a> {
    /// In `event.data`, under this key.
    Data(&'a str),
    /// In the object `columns` of `event.context`, under this key.
    Context(&'a str),
}

/// What is recorded of a write to a source's table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Image {
    /// The keys of `event.data`, in the order of jsonb: shorter ones first.
    pub data: Vec<(String, Recorded)>,
    /// The columns that look-ups, expressions or the audience need and `data` does not have, with their keys in the object `columns` of
    /// `event.context`.
    pub context: Vec<(String, ColumnRef)>,
    /// The columns that look-ups, expressions or the audience need and `data` has. What `data` does not have of them exactly (a moment is a whole
    /// second there) is in the object `columns` too, under these keys.
    pub exact: Vec<(String, ColumnRef)>,
}

impl ColumnRef {
    pub fn new(name: &str) -> Self {
        ColumnRef {
            name: name.to_owned(),
            old: false,
        }
    }

    pub fn old(name: &str) -> Self {
        ColumnRef {
            name: name.to_owned(),
            old: true,
        }
    }

    /// Returns the key in `event.context`: `old.NAME` for the value before the write, else the name, or `new.NAME` if that begins with `old.` or
    /// `new.` itself.
    fn context_key(&self) -> String {
        let ambiguous = ["old.", "new."]
            .iter()
            .any(|prefix| self.name.starts_with(prefix));
        match (self.old, ambiguous) {
            (true, _) => format!("old.{}", self.name),
            (false, true) => format!("new.{}", self.name),
            (false, false) => self.name.clone(),
        }
    }
}

impl Image {
    /// Returns the image of a source. That of a source of milestones is empty: only progress is recorded, and the worker makes the data.
    pub(super) fn of(source: &EventSource) -> Self {
        let mut image = Image::default();
        if source.progress.is_some() {
            return image;
        }
        for (key, expression) in &source.columns {
            if source.omit.contains(key) {
                continue;
            }
            let recorded = match expression {
                Expression::Column(name) => Recorded::Column(ColumnRef::new(name)),
                Expression::Old { old } => Recorded::Column(ColumnRef::old(old)),
                Expression::Constant { value } => Recorded::Constant(value.clone()),
                Expression::Lookup(_) | Expression::Sql { .. } => continue,
            };
            image.data.push((key.clone(), recorded));
        }
        image
            .data
            .sort_by(|(a, _), (b, _)| (a.len(), a).cmp(&(b.len(), b)));
        for (key, expression) in &source.columns {
            if source.omit.contains(key) {
                continue;
            }
            match expression {
                Expression::Lookup(lookup) => image.need(ColumnRef::new(lookup.root())),
                Expression::Sql { columns, .. } => {
                    columns.iter().for_each(|name| image.need(ColumnRef::new(name)));
                }
                Expression::Column(_) | Expression::Old { .. } | Expression::Constant { .. } => {}
            }
        }
        let audience = match &source.audience {
            Audience::Project { project } => source.columns.get(project),
            Audience::Person { person, .. } => source.columns.get(person),
            Audience::All { .. } => None,
        };
        match audience {
            Some(Expression::Column(name)) => image.need(ColumnRef::new(name)),
            Some(Expression::Old { old }) => image.need(ColumnRef::old(old)),
            Some(Expression::Lookup(lookup)) => image.need(ColumnRef::new(lookup.root())),
            Some(Expression::Sql { columns, .. }) => {
                columns.iter().for_each(|name| image.need(ColumnRef::new(name)));
            }
            Some(Expression::Constant { .. }) | None => {}
        }
        image
    }

    fn need(&mut self, column: ColumnRef) {
        let list = match self.place(&column) {
            None => &mut self.context,
            Some(Place::Data(_)) => &mut self.exact,
            Some(Place::Context(_)) => return,
        };
        if !list.iter().any(|(_, known)| *known == column) {
            list.push((column.context_key(), column));
        }
    }

    /// Returns the key under which the object `columns` may have exactly what `data` has of the column.
    pub fn exact_key(&self, column: &ColumnRef) -> Option<&str> {
        let exact = self.exact.iter().find(|(_, known)| known == column);
        exact.map(|(key, _)| key.as_str())
    }

    /// Returns where the column's value is recorded; None: it is not.
    pub fn place(&self, column: &ColumnRef) -> Option<Place<'_>> {
        let in_data = self
            .data
            .iter()
            .find(|(_, recorded)| matches!(recorded, Recorded::Column(known) if known == column))
            .map(|(key, _)| Place::Data(key));
        let in_context = || self.context.iter().find(|(_, known)| known == column);
        in_data.or_else(|| in_context().map(|(key, _)| Place::Context(key)))
    }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use serde_json::json;

    use super::super::Row;
    use super::*;

    fn image(columns: Value, audience: Value, omit: &[&str]) -> Image {
        let source = EventSource::parse(Row {
            columns: columns.to_string(),
            audience: audience.to_string(),
            omit: omit.iter().map(ToString::to_string).collect(),
            ..Row::default()
        });
        source.expect("a source").image()
    }

    #[test]
    fn columns_and_constants_are_data_and_the_rest_is_left_to_the_worker() {
        let image = image(
            json!({"task_id": "id", "was": {"old": "status"}, "kind": {"value": 7},
                   "user_name": {"from": "users", "match": "id", "key": "owner_id", "column": "name"},
                   "sum": {"expression": "new.a + new.id", "columns": ["a", "id"]}}),
            json!({"all": true}),
            &[],
        );
        assert_eq!(
            image.data,
            [
                ("was".to_owned(), Recorded::Column(ColumnRef::old("status"))),
                ("kind".to_owned(), Recorded::Constant(json!(7))),
                ("task_id".to_owned(), Recorded::Column(ColumnRef::new("id"))),
            ]
        );
        assert_eq!(image.place(&ColumnRef::new("id")), Some(Place::Data("task_id")));
        assert_eq!(
            image.place(&ColumnRef::new("owner_id")),
            Some(Place::Context("owner_id"))
        );
        assert_eq!(image.place(&ColumnRef::new("a")), Some(Place::Context("a")));
        assert_eq!(image.place(&ColumnRef::new("status")), None);
        assert_eq!(image.exact_key(&ColumnRef::new("id")), Some("id"));
        assert_eq!(image.exact_key(&ColumnRef::new("a")), None);
    }

    #[test]
    fn an_omitted_key_is_not_recorded_unless_the_audience_needs_its_column() {
        let columns = json!({"project_id": "project", "text": "description"});
        let image = image(columns, json!({"project": "project_id"}), &["project_id", "text"]);
        assert!(image.data.is_empty());
        assert_eq!(image.context, [("project".to_owned(), ColumnRef::new("project"))]);
    }

    #[test]
    fn the_project_of_a_look_up_needs_the_column_that_it_starts_from() {
        let inner = json!({"from": "b", "match": "id", "key": "b_id", "column": "c_id"});
        let columns = json!({"p": {"from": "c", "match": "id", "key": inner, "column": "project"}});
        let image = image(columns, json!({"project": "p"}), &["p"]);
        assert_eq!(image.context, [("b_id".to_owned(), ColumnRef::new("b_id"))]);
    }

    #[test]
    fn a_column_is_never_taken_for_an_older_one() {
        let columns = json!({"a": {"expression": "1", "columns": ["old.x", "x"]}});
        let keys: Vec<String> = image(columns, json!({"all": true}), &[])
            .context
            .into_iter()
            .map(|(key, _)| key)
            .collect();
        assert_eq!(keys, ["new.old.x", "x"]);
    }

    #[test]
    fn of_milestones_nothing_but_progress_is_recorded() {
        let source = EventSource::parse(Row {
            columns: json!({"project_id": "project_id"}).to_string(),
            audience: json!({"project": "project_id"}).to_string(),
            progress: Some(
                json!({"group": "project_id", "status": "status", "done": "completed"}).to_string(),
            ),
            ..Row::default()
        });
        assert_eq!(source.expect("a source").image(), Image::default());
    }

    #[test]
    fn what_cannot_be_understood_is_named() {
        let malformed = EventSource::parse(Row {
            columns: "{}".to_owned(),
            audience: "[]".to_owned(),
            ..Row::default()
        });
        let message = malformed.expect_err("no audience").to_string();
        assert!(
            message.starts_with("event_source.audience cannot be understood"),
            "{message}"
        );
    }
}
