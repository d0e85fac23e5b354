//! A directory with a file, and a database that it is applied to.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Result, ensure};
use zentry_e2e::emulator::Kind;
use zentry_e2e::scene::Scene;

use crate::support::{Directory, Ran, command};

pub const SIGNING: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// The command, a file, and the environment that it needs.
pub struct Desk {
    pub scene: Scene,
    pub directory: Directory,
    pub role: String,
    pub secrets: BTreeMap<&'static str, String>,
}

impl Desk {
    pub fn new() -> Result<Self> {
        Ok(Self {
            scene: Scene::start()?,
            directory: Directory::new()?,
            role: "postgres".to_owned(),
            secrets: BTreeMap::new(),
        })
    }

    /// With everything that can be set, each in some webhook, event type, wording or source.
    pub fn full() -> Result<Self> {
        let mut desk = Self::new()?;
        for (name, kind) in [
            ("ZENTRY_BACKEND_CHANNEL_URL", Kind::Discord),
            ("ZENTRY_OPS_URL", Kind::Discord),
            ("ZENTRY_SPACE_URL", Kind::GoogleChat),
            ("ZENTRY_BILLING_URL", Kind::Signed),
        ] {
            desk.secrets
                .insert(name, desk.scene.emulator.register(kind).url());
        }
        desk.secrets.insert("ZENTRY_BILLING_SECRET", SIGNING.to_owned());
        desk.secrets
            .insert("ZENTRY_BILLING_AUTHORIZATION", "Bearer swordfish".to_owned());
        let url = |name: &str| desk.secrets[name].clone();
        let client = &mut desk.scene.client;
        client.batch_execute(&format!(
            r#"
            SELECT zentry_register_event_type('release_published', 'Release {{{{ version }}}}', text => E'**{{{{ version }}}}**\n"quoted" ''''''', fields => '{{"Who": "{{{{ who }}}}", "A": "b"}}',
                   colour => '#112233', emoji => '🚀', footer => 'below', time_key => 'at', sample => '{{"version": "2.0", "who": null, "at": "2026-11-29T08:00:00Z", "n": 1.50}}',
                   url => '/releases/{{{{ version }}}}', thumbnail => 'https://app.example.com/a.png');
            SELECT zentry_register_webhook('Ops', 'discord', '{ops}', notices => true);
            SELECT zentry_register_webhook('Backend channel', 'discord', '{backend}', 1, '{{task_completed,daily_streak,milestone_reached}}', false, 3,
                   omit_keys => '{{task_description}}', filter => '$.points > 20', min_streak_days => 7, milestones => '{{50,100}}',
                   quiet_hours => '22:00-07:00 Europe/Berlin', mention => 'role:123456789012345678', username => 'Ops "bot"', avatar_url => 'https://app.example.com/b.png',
                   announce => true, thread_name => 'Releases', applied_tags => '{{123456789012345678}}', rate_limit => '25/5min', rate_group => 'anna',
                   notify_webhook_id => 1, digest => '0 9 * * 1-5 Europe/Berlin', max_events_per_message => 5, min_interval => '2 seconds', max_age => '1 day 02:00:00');
            SELECT zentry_register_webhook('Space', 'google_chat', '{space}', thread_by => 'task');
            SELECT zentry_register_webhook('Billing', 'webhook', '{billing}', secret => '{SIGNING}', headers => '{{"Authorization": "Bearer swordfish"}}');
            SELECT zentry_set_wording(e, w, title => 'T', text => 'x {{{{ project_name }}}}', fields => '{{"Project": "{{{{ project_name }}}}"}}', colour => '#445566', emoji => CASE WHEN w IS NULL THEN '' ELSE '🎉' END, footer => 'f',
                   url => '/x', thumbnail => '/y') FROM (VALUES ('milestone_reached', NULL), ('task_completed', 2)) v (e, w);
            SELECT zentry_set_language('de'); SELECT zentry_set_language('fr', 2);
            CREATE TABLE release (id bigint PRIMARY KEY, version text, author text, shipped boolean);
            SELECT zentry_attach('release_published', 'release', '{{"version": "upper(new.version)", "who": "author", "n": {{"value": 1.50}}, "at": null, "none": {{"value": null}}}}',
                   condition => $$NEW.shipped AND NEW.version <> 'x'$$, operation => 'insert, update', audience => '{{"all": true}}');
            CREATE TABLE job (id bigint PRIMARY KEY, title text, state text);
            SELECT zentry_attach('task_completed', 'job', done => 'finished');
            SELECT zentry_omit('task_completed', 'tasks_task', '{{task_description}}');
            SELECT zentry_omit('release_published', 'release', '{{who}}');
            "#,
            ops = url("ZENTRY_OPS_URL"),
            backend = url("ZENTRY_BACKEND_CHANNEL_URL"),
            space = url("ZENTRY_SPACE_URL"),
            billing = url("ZENTRY_BILLING_URL"),
        ))?;
        Ok(desk)
    }

    pub fn run(&self, arguments: &[&str]) -> Result<Ran> {
        let mut command = command(&self.scene, &self.role)?;
        command
            .args(arguments)
            .envs(&self.secrets)
            .current_dir(&self.directory.0);
        Ok(command.output()?.into())
    }

    pub fn export(&self) -> Result<String> {
        let ran = self.run(&["export"])?;
        ensure!(ran.code == 0, "{}", ran.err);
        Ok(ran.out)
    }

    pub fn write(&self, text: &str) -> Result<()> {
        Ok(fs::write(self.directory.0.join("zentry.toml"), text)?)
    }

    /// What the command says of the file.
    pub fn of(&self, command: &str, options: &[&str], text: &str) -> Result<Ran> {
        self.write(text)?;
        self.run(&[&[command], options, &["zentry.toml"]].concat())
    }

    pub fn applied(&self, options: &[&str], text: &str) -> Result<Ran> {
        let ran = self.of("apply", options, text)?;
        ensure!(ran.code == 0, "{}\n{text}", ran.err);
        Ok(ran)
    }

    /// Everything that is configuration, and which versions of rows it is.
    pub fn rows(&mut self) -> Result<String> {
        const ROWS: &str = "SELECT string_agg(r, E'\\n' ORDER BY r) FROM (
            SELECT concat_ws(' ', w.xmin, w::text) AS r FROM zentry_notify.webhook w
            UNION ALL SELECT concat_ws(' ', s.xmin, s::text) FROM zentry_notify.webhook_secret s
            UNION ALL SELECT concat_ws(' ', t.xmin, t::text) FROM zentry_notify.event_type t
            UNION ALL SELECT concat_ws(' ', w.xmin, w::text) FROM zentry_notify.event_wording w
            UNION ALL SELECT concat_ws(' ', s.xmin, s::text) FROM zentry_notify.event_source s
            UNION ALL SELECT concat_ws(' ', t.tgrelid::regclass, t.tgname, t.xmin) FROM pg_trigger t WHERE NOT t.tgisinternal
            UNION ALL SELECT a::text FROM zentry_notify.audit_entry a) x";
        Ok(self.scene.client.query_one(ROWS, &[])?.get(0))
    }
}
