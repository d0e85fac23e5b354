//! Guesses where an event's data come from: columns by their usual names, names of people and projects along foreign keys.

use serde_json::{Value, json};

use super::table::{Column, Table};

const PEOPLE: &[&str] = &[
    "users_user",
    "users",
    "user",
    "auth_user",
    "app_user",
    "accounts",
    "account",
    "people",
    "person",
    "members",
    "member",
    "employees",
    "employee",
];
const PERSON_NAMES: &[&str] = &[
    "username",
    "user_name",
    "display_name",
    "full_name",
    "name",
    "login",
    "nickname",
];
const PROJECTS: &[&str] = &["tasks_project", "projects", "project"];
const BADGES: &[&str] = &["achievements_badge", "badges", "badge"];
const NAMES: &[&str] = &["name", "title", "label"];
const CREATORS: &[&str] = &[
    "created_by_id",
    "owner_id",
    "created_by",
    "owner",
    "creator_id",
    "author_id",
    "manager_id",
    "lead_id",
    "user_id",
];
const ASSIGNEES: &[&str] = &[
    "assigned_to_id",
    "assignee_id",
    "assigned_to",
    "assignee",
    "completed_by_id",
    "completed_by",
    "user_id",
    "owner_id",
    "owner",
];
const HOLDERS: &[&str] = &[
    "user_id",
    "user",
    "person_id",
    "member_id",
    "account_id",
    "player_id",
    "employee_id",
    "owner_id",
];

pub const DONE_LABELS: &[&str] = &["completed", "done", "complete", "finished", "closed", "resolved"];
pub const STATUS: &[&str] = &["status", "state", "stage"];
pub const DONE_FLAGS: &[&str] = &[
    "completed",
    "is_completed",
    "done",
    "is_done",
    "finished",
    "is_finished",
    "closed",
    "is_closed",
];

/// Guesses for one event type and one table.
pub struct Guess<'a> {
    pub event: &'a str,
    pub table: &'a Table,
}

/// What a column refers to.
struct Link {
    table: Table,
    /// The column of that table that holds the same value.
    target: String,
}

impl Guess<'_> {
    /// Returns where a key's values come from, as `event_source.columns` has it; None: nothing is known.
    pub fn value(&self, key: &str) -> Option<Value> {
        let table = self.table;
        match (self.event, key) {
            ("task_completed", "task_id") | ("project_created", "project_id") => self.own_key(),
            ("badge_earned", "badge_id") => column(table.column("badge_id")).or_else(|| self.own_key()),
            (_, "project_id") => column(self.project_column()),
            ("task_completed", "task_title") => {
                self.first(&["task_title", "title", "name", "summary", "subject"])
            }
            ("task_completed", "task_description") => {
                self.first(&["task_description", "description", "details", "body", "notes"])
            }
            ("task_completed", "points") => self.first(&[
                "points",
                "experience_reward",
                "reward",
                "score",
                "xp",
                "story_points",
            ]),
            ("task_completed", "completed_at") => {
                self.first(&["completed_at", "done_at", "finished_at", "closed_at"])
            }
            ("badge_earned", "badge_name") => self.of_badge(&["badge_name"], NAMES),
            ("badge_earned", "badge_description") => {
                self.of_badge(&["badge_description"], &["description", "details"])
            }
            ("badge_earned", "earned_at") => self.first(&[
                "earned_at",
                "awarded_at",
                "granted_at",
                "achieved_at",
                "created_at",
            ]),
            ("project_created", "project_name") => self.first(&["project_name", "name", "title"]),
            ("project_created", "project_description") => {
                self.first(&["project_description", "description", "summary", "details"])
            }
            (_, "project_name") => self
                .first(&["project_name"])
                .or_else(|| self.named(self.project_column()?, PROJECTS, NAMES)),
            ("project_created", "created_at") => {
                self.first(&["created_at", "created", "created_on", "inserted_at"])
            }
            ("daily_streak", "streak_days") => column(self.streak_column()),
            ("daily_streak", "streak_type") => self
                .first(&["streak_type", "type", "kind"])
                .or_else(|| Some(json!({ "value": "Daily task completion" }))),
            ("milestone_reached", "user_id") => self.of_projects_owner(None),
            ("milestone_reached", "user_name") => self.of_projects_owner(Some(PERSON_NAMES)),
            (_, "user_id") => self.person(),
            (_, "user_name") => self.person_name(),
            _ => self.first(&[key]).or_else(|| self.by_name_of_key(key)),
        }
    }

    /// Returns the column that has the length of a streak.
    pub fn streak_column(&self) -> Option<&Column> {
        self.table.first(&[
            "current_streak",
            "streak_days",
            "days",
            "streak",
            "current_length",
            "length",
            "day_count",
        ])
    }

    /// Whether each row of the table is a person.
    pub fn is_people(&self) -> bool {
        self.table.first(HOLDERS).is_none()
            && (PEOPLE.contains(&&*self.table.plain) || self.table.column("username").is_some())
    }

    pub fn project_column(&self) -> Option<&Column> {
        self.table.first(&["project_id", "project"])
    }

    /// Returns the table of projects.
    pub fn projects(&self) -> Option<Table> {
        match self
            .project_column()
            .and_then(|column| self.link(column, PROJECTS))
        {
            Some(link) => Some(link.table),
            None => self.table.usual(PROJECTS),
        }
    }

    /// Returns the OID of the table of people that the column refers to.
    pub fn people_of(&self, column: &Column) -> Option<u32> {
        if self.is_people() {
            return Some(self.table.oid);
        }
        Some(self.link(column, PEOPLE)?.table.oid)
    }

    /// Returns the column of a project's creator.
    pub fn creator_of<'t>(&self, projects: &'t Table) -> Option<&'t Column> {
        projects.first(CREATORS)
    }

    fn own_key(&self) -> Option<Value> {
        let name = self.table.key.as_deref().unwrap_or("id");
        column(self.table.column(name))
    }

    fn first(&self, names: &[&str]) -> Option<Value> {
        column(self.table.first(names))
    }

    fn person_column(&self) -> Option<&Column> {
        match self.event {
            "task_completed" => self.table.first(ASSIGNEES),
            "project_created" => self.table.first(CREATORS),
            "badge_earned" | "daily_streak" => self.table.first(HOLDERS),
            _ => self
                .table
                .first(&["user_id"])
                .or_else(|| self.table.first(ASSIGNEES))
                .or_else(|| self.table.first(CREATORS)),
        }
    }

    fn person(&self) -> Option<Value> {
        match self.person_column() {
            Some(person) => column(Some(person)),
            None if self.is_people() => self.own_key(),
            None => None,
        }
    }

    fn person_name(&self) -> Option<Value> {
        if let Some(name) = self.first(&["user_name", "username"]) {
            return Some(name);
        }
        match self.person_column() {
            Some(person) => self.named(person, PEOPLE, PERSON_NAMES),
            None if self.is_people() => self.first(PERSON_NAMES),
            None => None,
        }
    }

    /// Returns a value of the badge that the row is about: a column of `own` names in the table, or one of `there` in the table of badges. The row may
    /// be the badge itself.
    fn of_badge(&self, own: &[&str], there: &[&str]) -> Option<Value> {
        if let Some(column) = self.first(own) {
            return Some(column);
        }
        match self.table.first(&["badge_id", "badge"]) {
            Some(badge) => self.named(badge, BADGES, there),
            None => self.first(there),
        }
    }

    /// Returns the owner of the task's project, or with `names` the owner's name.
    fn of_projects_owner(&self, names: Option<&[&str]>) -> Option<Value> {
        let project = self.project_column()?;
        let link = self.link(project, PROJECTS)?;
        let owner = link.table.first(CREATORS)?;
        let key = look_up(&link.table, &link.target, json!(project.name), &owner.name);
        let Some(names) = names else { return Some(key) };
        let of_project = Guess {
            event: "project_created",
            table: &link.table,
        };
        let people = of_project.link(owner, PEOPLE)?;
        let name = people.table.first(names)?;
        Some(look_up(&people.table, &people.target, key, &name.name))
    }

    /// Returns the name behind a foreign key: for `sprint_name`, that of the row which `sprint_id` refers to.
    fn by_name_of_key(&self, key: &str) -> Option<Value> {
        let stem = key.strip_suffix("_name").or_else(|| key.strip_suffix("_title"))?;
        let by = [format!("{stem}_id"), stem.to_owned()];
        let by = self.table.first(&[&by[0], &by[1]])?;
        let link = self.link(by, &[])?;
        let name = link
            .table
            .first(NAMES)
            .or_else(|| link.table.first(PERSON_NAMES))?;
        Some(look_up(&link.table, &link.target, json!(by.name), &name.name))
    }

    /// Returns the name of what a column refers to; a column of text that refers to nothing is itself the name.
    fn named(&self, by: &Column, usual: &[&str], names: &[&str]) -> Option<Value> {
        match self.link(by, usual) {
            Some(link) => {
                let name = link.table.first(names)?;
                Some(look_up(&link.table, &link.target, json!(by.name), &name.name))
            }
            None if by.category == "S" => column(Some(by)),
            None => None,
        }
    }

    /// Returns what a column refers to: by a foreign key, else a table with one of the `usual` names and a comparable primary key.
    fn link(&self, column: &Column, usual: &[&str]) -> Option<Link> {
        if let Some(reference) = self.table.reference(&column.name) {
            return Some(Link {
                table: Table::load(pgrx::pg_sys::Oid::from(reference.table))?,
                target: reference.target.clone(),
            });
        }
        let table = self.table.usual(usual)?;
        let target = table.key.clone()?;
        table
            .column(&target)
            .is_some_and(|key| key.is_comparable_to(column))
            .then_some(Link { table, target })
    }
}

/// Returns the mapping of a column.
fn column(column: Option<&Column>) -> Option<Value> {
    column.map(|column| json!(column.name))
}

/// Returns the mapping of a look-up: `column` of the row of `table` whose column `matched` equals `key`.
pub fn look_up(table: &Table, matched: &str, key: Value, column: &str) -> Value {
    json!({ "from": table.name, "match": matched, "key": key, "column": column })
}
