//! The application's migrations change every column as if we were not there: what is asked of Zentry's tables no trigger asks by a WHEN.

use anyhow::Result;
use zentry_e2e::emulator::Kind;
use zentry_e2e::scene::{Channel, SOON, Scene};
use zentry_e2e::zentry::{self, id};

/// Our triggers with all that there is to them, and the state of the sources.
const STATE: &str = "
    SELECT string_agg(concat_ws(' ', t.tgrelid::regclass, t.tgname, t.tgenabled, encode(t.tgargs, 'escape'), t.tgtype, obj_description(t.oid, 'pg_trigger'),
                                (SELECT string_agg(d.deptype::text, '') FROM pg_depend d WHERE d.classid = 'pg_trigger'::regclass AND d.objid = t.oid
                                    AND d.refclassid = 'pg_extension'::regclass)), E'\\n' ORDER BY t.tgrelid::regclass::text, t.tgname)
           || (SELECT string_agg(s.event_type || coalesce(s.suspended_reason, ''), E'\\n' ORDER BY s.event_type) FROM zentry_notify.event_source s)
      FROM pg_trigger t WHERE t.tgname LIKE 'zentry\\_notify\\_%'";

struct Story {
    scene: Scene,
    channel: Channel,
}

impl Story {
    fn start() -> Result<Self> {
        let mut scene = Scene::start()?;
        let channel = scene.channel_for(Kind::Discord, None, Some(&["task_completed", "daily_streak"]))?;
        Ok(Self { scene, channel })
    }

    fn state(&mut self) -> Result<String> {
        Ok(self.scene.client.query_one(STATE, &[])?.get(0))
    }

    fn run(&mut self, sql: &str) -> Result<()> {
        Ok(self.scene.client.batch_execute(sql)?)
    }

    /// `events` have arrived once a task was completed and a streak went on.
    fn fires(&mut self, events: u64) -> Result<()> {
        self.run("UPDATE tasks_task SET status = 'todo' WHERE id = 2; UPDATE tasks_task SET status = 'completed' WHERE id = 2")?;
        zentry::extend_streak(&mut self.scene.client, id::CHEN)?;
        self.channel.webhook.wait_for_events(events, SOON);
        assert_eq!(self.scene.settle()?.len() as u64, events);
        Ok(())
    }

    fn reason(&mut self, event_type: &str) -> Result<Option<String>> {
        const SQL: &str = "SELECT suspended_reason FROM zentry_notify.event_source WHERE event_type = $1";
        Ok(self.scene.client.query_one(SQL, &[&event_type])?.get(0))
    }
}

#[test]
fn another_type_leaves_everything_as_it_was() -> Result<()> {
    let mut story = Story::start()?;
    story.run(
        "ALTER TABLE tasks_task ENABLE ALWAYS TRIGGER zentry_notify_task_completed_update; \
         COMMENT ON TRIGGER zentry_notify_task_completed_insert ON tasks_task IS 'of a user'",
    )?;
    story.fires(2)?;
    let before = story.state()?;
    story.run("ALTER TABLE tasks_task ALTER COLUMN status TYPE varchar(30) USING status::varchar(30)")?;
    story.run("ALTER TABLE users_user ALTER current_streak TYPE bigint, ADD COLUMN nickname text")?;
    story.run("ALTER TABLE tasks_task ALTER project_id TYPE integer, ALTER status TYPE text")?;
    assert_eq!(story.state()?, before);
    story.fires(4)
}

#[test]
fn a_dropped_column_suspends_what_went_by_it_and_attaching_mends() -> Result<()> {
    // As Django drops a column, and as one does by hand.
    for cascade in ["CASCADE", ""] {
        let mut story = Story::start()?;
        let before = story.state()?;
        story.run(&format!("ALTER TABLE tasks_task DROP COLUMN status {cascade}"))?;
        story.run("UPDATE tasks_task SET title = 'no status'; DELETE FROM tasks_task WHERE id = 20")?;
        for event_type in ["task_completed", "milestone_reached"] {
            let reason = story.reason(event_type)?.expect("a reason");
            assert!(reason.contains("status"), "{reason}");
        }
        assert_eq!(story.reason("daily_streak")?, None);
        story.run("ALTER TABLE tasks_task ADD COLUMN status varchar(20) NOT NULL DEFAULT 'todo'; SELECT * FROM zentry_attach()")?;
        assert_eq!(story.state()?, before);
        story.fires(2)?;
    }
    Ok(())
}

#[test]
fn a_type_that_cannot_rise_suspends_the_source() -> Result<()> {
    let mut story = Story::start()?;
    story.run("ALTER TABLE users_user ALTER current_streak TYPE json USING to_json(current_streak)")?;
    story.run("UPDATE users_user SET current_streak = '5'")?;
    let reason = story.reason("daily_streak")?.expect("a reason");
    assert!(
        reason.contains("another type than when the table was attached"),
        "{reason}"
    );
    assert_eq!(story.reason("task_completed")?, None);
    Ok(())
}

#[test]
fn a_migration_that_is_rolled_back_or_refused_leaves_the_triggers() -> Result<()> {
    let mut story = Story::start()?;
    let before = story.state()?;
    story.run("BEGIN; ALTER TABLE tasks_task DROP COLUMN status; ROLLBACK")?;
    assert_eq!(story.state()?, before);
    story.run("BEGIN; SAVEPOINT s; ALTER TABLE tasks_task ALTER status TYPE text; ROLLBACK TO s; COMMIT")?;
    assert_eq!(story.state()?, before);
    let error = story
        .run("ALTER TABLE tasks_task ALTER status TYPE integer")
        .unwrap_err();
    assert!(format!("{error:#?}").contains("cannot be cast"), "{error:#?}");
    assert_eq!(story.state()?, before);
    // A view of the application's own is its own business.
    story.run("CREATE VIEW open_tasks AS SELECT id FROM tasks_task WHERE status = 'todo'")?;
    let error = story
        .run("ALTER TABLE tasks_task DROP COLUMN status")
        .unwrap_err();
    assert!(format!("{error:#?}").contains("open_tasks"), "{error:#?}");
    assert_eq!(story.state()?, before);
    story.fires(2)
}

#[test]
fn an_owner_without_rights_on_ours_migrates_in_a_function_and_nobody_else_does() -> Result<()> {
    let mut story = Story::start()?;
    let database = story.scene.database.name().to_owned();
    let (owner, other) = (format!("{database}_owner"), format!("{database}_other"));
    story.run(&format!(
        "CREATE ROLE {owner}; CREATE ROLE {other}; GRANT CREATE ON SCHEMA public TO {owner}; ALTER TABLE tasks_task OWNER TO {owner}"
    ))?;
    let before = story.state()?;
    let error = story
        .run(&format!(
            "SET ROLE {other}; ALTER TABLE tasks_task ALTER status TYPE text"
        ))
        .unwrap_err();
    assert!(
        format!("{error:#?}").contains("must be owner of table tasks_task"),
        "{error:#?}"
    );
    assert_eq!(story.state()?, before);
    // A search path of one's own changes nothing.
    story.run(&format!(
        "SET ROLE {owner}; SET search_path = pg_temp, public; \
         DO $$ BEGIN ALTER TABLE tasks_task ALTER status TYPE text; END $$; RESET search_path; RESET ROLE"
    ))?;
    assert_eq!(story.state()?, before);
    story.run(&format!(
        "ALTER TABLE tasks_task OWNER TO postgres; REVOKE CREATE ON SCHEMA public FROM {owner}; DROP ROLE {owner}; DROP ROLE {other}"
    ))?;
    story.fires(2)
}

#[test]
fn columns_of_partitioned_and_inherited_tables_change_too() -> Result<()> {
    let mut scene = Scene::empty()?;
    zentry::load(&mut scene.client)?;
    scene.client.batch_execute(
        "ALTER TABLE tasks_task RENAME TO plain; \
         CREATE TABLE tasks_task (LIKE plain) PARTITION BY RANGE (id); \
         CREATE TABLE tasks_task_old PARTITION OF tasks_task FOR VALUES FROM (MINVALUE) TO (10); \
         CREATE TABLE tasks_task_new PARTITION OF tasks_task DEFAULT; \
         INSERT INTO tasks_task SELECT * FROM plain; DROP TABLE plain; \
         CREATE TABLE person (current_streak integer); \
         ALTER TABLE users_user INHERIT person",
    )?;
    scene.install()?;
    let channel = scene.channel_for(Kind::Discord, None, Some(&["task_completed", "daily_streak"]))?;
    let mut story = Story { scene, channel };
    let before = story.state()?;
    story.run("ALTER TABLE tasks_task ALTER status TYPE varchar(40); ALTER TABLE person ALTER current_streak TYPE bigint")?;
    assert_eq!(story.state()?, before);
    story.fires(2)
}
