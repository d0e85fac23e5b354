//! Zentry's database, and writes to it as the application makes them.

use anyhow::Result;
use jiff::Timestamp;
use postgres::types::ToSql;
use postgres::{Client, GenericClient, Row};

/// The tables, with no rows.
pub const TABLES: &str = include_str!("../fixtures/zentry.sql");
/// A few users, projects, tasks and badges for the tables.
pub const DATA: &str = include_str!("../fixtures/zentry-data.sql");

/// Ids of rows in [`DATA`].
pub mod id {
    /// Superuser of the team; owns [`WEBSITE`].
    pub const ADA: i64 = 1;
    /// Owns [`MOBILE_APP`].
    pub const BRUNO: i64 = 2;
    /// Has a streak of 12 days.
    pub const CHEN: i64 = 3;
    /// Member of no project.
    pub const DALIA: i64 = 4;
    /// A project of 9 tasks: 1 is completed, 2 to 9 are open.
    pub const WEBSITE: i64 = 1;
    /// A project of 10 tasks: 11 is completed, 12 to 20 are open.
    pub const MOBILE_APP: i64 = 2;
    /// In progress, assigned to [`CHEN`], in [`WEBSITE`].
    pub const LANDING_PAGE: i64 = 2;
    /// To do, assigned to nobody, in [`WEBSITE`].
    pub const REDIRECTS: i64 = 4;
    /// A badge that [`CHEN`] has not earned yet.
    pub const TASK_MASTER: i64 = 2;
}

/// Make the tables and fill them with [`DATA`].
pub fn load(client: &mut Client) -> Result<()> {
    client.batch_execute(TABLES)?;
    client.batch_execute(DATA)?;
    Ok(())
}

/// A row of `tasks_task`.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)] // the columns' names
pub struct Task {
    pub id: i64,
    pub title: String,
    pub description: String,
    pub status: String,
    pub priority: String,
    pub emoji: String,
    pub experience_reward: i32,
    pub due_date: Option<Timestamp>,
    pub completed_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub assigned_to_id: Option<i64>,
    pub created_by_id: i64,
    pub project_id: i64,
}

impl Task {
    /// Read a task, as `Task.objects.get(pk=id)`.
    pub fn get(client: &mut impl GenericClient, id: i64) -> Result<Self> {
        Ok(Self::from_row(
            &client.query_one("SELECT * FROM tasks_task WHERE id = $1", &[&id])?,
        ))
    }

    /// Write every column, changed or not, as `task.save()`.
    pub fn save(&self, client: &mut impl GenericClient) -> Result<()> {
        client.execute(
            "UPDATE tasks_task SET title = $2, description = $3, status = $4, priority = $5, emoji = $6, \
             experience_reward = $7, due_date = $8, completed_at = $9, created_at = $10, assigned_to_id = $11, \
             created_by_id = $12, project_id = $13, updated_at = now() WHERE id = $1",
            &self.parameters(),
        )?;
        Ok(())
    }

    /// Insert the task under its id, as `bulk_create` and fixtures do.
    pub fn insert(&self, client: &mut impl GenericClient) -> Result<()> {
        client.execute(
            "INSERT INTO tasks_task (id, title, description, status, priority, emoji, experience_reward, due_date, \
             completed_at, created_at, assigned_to_id, created_by_id, project_id, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, now())",
            &self.parameters(),
        )?;
        Ok(())
    }

    fn parameters(&self) -> [&(dyn ToSql + Sync); 13] {
        [
            &self.id,
            &self.title,
            &self.description,
            &self.status,
            &self.priority,
            &self.emoji,
            &self.experience_reward,
            &self.due_date,
            &self.completed_at,
            &self.created_at,
            &self.assigned_to_id,
            &self.created_by_id,
            &self.project_id,
        ]
    }

    fn from_row(row: &Row) -> Self {
        Self {
            id: row.get("id"),
            title: row.get("title"),
            description: row.get("description"),
            status: row.get("status"),
            priority: row.get("priority"),
            emoji: row.get("emoji"),
            experience_reward: row.get("experience_reward"),
            due_date: row.get("due_date"),
            completed_at: row.get("completed_at"),
            created_at: row.get("created_at"),
            assigned_to_id: row.get("assigned_to_id"),
            created_by_id: row.get("created_by_id"),
            project_id: row.get("project_id"),
        }
    }
}

/// Complete a task: one transaction that writes the assignee's points and streak, if there is one, then the task.
pub fn complete_task(client: &mut Client, task_id: i64, completed_at: Timestamp) -> Result<()> {
    let mut transaction = client.transaction()?;
    let mut task = Task::get(&mut transaction, task_id)?;
    if let Some(user_id) = task.assigned_to_id {
        reward(&mut transaction, user_id, task.experience_reward)?;
    }
    task.status = "completed".to_owned();
    task.completed_at = Some(completed_at);
    task.save(&mut transaction)?;
    transaction.commit()?;
    Ok(())
}

/// What `user.save()` writes when a task of theirs is completed: points, counts, and the streak as it was.
fn reward(client: &mut impl GenericClient, user_id: i64, points: i32) -> Result<()> {
    client.execute(
        "UPDATE users_user SET username = username, email = email, level = 1 + (experience_points + $2) / 500, \
         experience_points = experience_points + $2, current_streak = current_streak, \
         longest_streak = longest_streak, tasks_completed = tasks_completed + 1, last_activity = now() WHERE id = $1",
        &[&user_id, &points],
    )?;
    Ok(())
}

/// The first activity of another day in a row: the streak rises by one.
pub fn extend_streak(client: &mut impl GenericClient, user_id: i64) -> Result<()> {
    set_streak(client, user_id, "current_streak + 1")
}

/// A day was missed: the streak falls back to 1.
pub fn reset_streak(client: &mut impl GenericClient, user_id: i64) -> Result<()> {
    set_streak(client, user_id, "1")
}

fn set_streak(client: &mut impl GenericClient, user_id: i64, streak: &str) -> Result<()> {
    let update = format!(
        "UPDATE users_user SET current_streak = {streak}, longest_streak = greatest(longest_streak, {streak}), \
         last_activity = now() WHERE id = $1"
    );
    client.execute(&update, &[&user_id])?;
    Ok(())
}

/// Give a user a badge; the id of the `achievements_userbadge`.
pub fn award_badge(client: &mut impl GenericClient, user_id: i64, badge_id: i64) -> Result<i64> {
    let row = client.query_one(
        "INSERT INTO achievements_userbadge (user_id, badge_id, earned_at) VALUES ($1, $2, now()) RETURNING id",
        &[&user_id, &badge_id],
    )?;
    Ok(row.get(0))
}

/// Create a project, then its members, in one transaction; the project's id.
pub fn create_project(
    client: &mut Client,
    name: &str,
    description: &str,
    owner: i64,
    members: &[i64],
) -> Result<i64> {
    let mut transaction = client.transaction()?;
    let row = transaction.query_one(
        "INSERT INTO tasks_project (name, description, emoji, created_by_id, created_at, updated_at) \
         VALUES ($1, $2, '📁', $3, now(), now()) RETURNING id",
        &[&name, &description, &owner],
    )?;
    let project: i64 = row.get(0);
    transaction.execute(
        "INSERT INTO tasks_project_members (project_id, user_id) SELECT $1, unnest($2::bigint[])",
        &[&project, &members],
    )?;
    transaction.commit()?;
    Ok(project)
}

/// Insert `count` open tasks of `owner` into a project in one statement, as `bulk_create`; their ids.
pub fn bulk_create_tasks(
    client: &mut impl GenericClient,
    project_id: i64,
    owner: i64,
    count: i32,
) -> Result<Vec<i64>> {
    let rows = client.query(
        "INSERT INTO tasks_task (title, description, status, priority, emoji, experience_reward, created_at, \
         updated_at, assigned_to_id, created_by_id, project_id) \
         SELECT 'Task ' || n, '', 'todo', 'medium', '', 10, now(), now(), $2, $2, $1 \
         FROM generate_series(1, $3) AS n RETURNING id",
        &[&project_id, &owner, &count],
    )?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Complete tasks in one statement, as `QuerySet.update()`; how many there were.
pub fn bulk_complete(client: &mut impl GenericClient, tasks: &[i64]) -> Result<u64> {
    Ok(client.execute(
        "UPDATE tasks_task SET status = 'completed', completed_at = now(), updated_at = now() WHERE id = ANY ($1)",
        &[&tasks],
    )?)
}
