-- From 0.2.0 to 0.3.0. Structure (tables, columns, indexes) is changed here; what can be run again is included from the files of the installation.

-- As in 01_schema.sql: names must not resolve to objects that somebody has put into the extension's schema.
SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
SELECT pg_catalog.set_config('restrict_nonsystem_relation_kind', '', true)
 WHERE pg_catalog.current_setting('restrict_nonsystem_relation_kind', true) IS NOT NULL;

-- library_version() is of the library in memory. The new one on disk is loaded by a restart.
DO $$
BEGIN
    IF zentry_notify.library_version() OPERATOR(pg_catalog.<>) '0.3.0' THEN
        RAISE EXCEPTION 'zentry_notify: the server still runs the library of version %', zentry_notify.library_version()
            USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Restart the server, then repeat the command.';
    END IF;
END
$$;

--# include steps/lock.sql

-- Before triggers are made: it runs for each.
DROP EVENT TRIGGER zentry_notify_hear_every_update;

-- ---- The log: the table is renamed and otherwise unchanged. The worker moves its rows. ----

-- Renames the constraints of a renamed table, so that they have the names that they have in a new installation.
CREATE FUNCTION zentry_notify.rename_constraints(renamed pg_catalog.regclass, before pg_catalog.text, after pg_catalog.text) RETURNS pg_catalog.void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    old name;
BEGIN
    FOR old IN SELECT c.conname FROM pg_constraint c WHERE c.conrelid = renamed AND starts_with(c.conname::text, before || '_') ORDER BY c.conname LOOP
        EXECUTE format('ALTER TABLE %s RENAME CONSTRAINT %I TO %I', renamed, old, after || substr(old, length(before) + 1));
    END LOOP;
END
$$;

ALTER TABLE zentry_notify.notification_log RENAME TO legacy_delivery;
SELECT zentry_notify.rename_constraints('zentry_notify.legacy_delivery', 'notification_log', 'legacy_delivery');
ALTER INDEX zentry_notify.notification_log_waiting RENAME TO legacy_delivery_waiting;
ALTER INDEX zentry_notify.notification_log_finished RENAME TO legacy_delivery_finished;
ALTER INDEX zentry_notify.notification_log_events RENAME TO legacy_delivery_events;
ALTER INDEX zentry_notify.notification_log_failed RENAME TO legacy_delivery_failed;
COMMENT ON TABLE zentry_notify.legacy_delivery IS 'The log of 0.2.0, until the worker has moved its rows to event and delivery';
COMMENT ON COLUMN zentry_notify.legacy_delivery.id IS 'Id of the delivery; ids in delivery continue above these';
COMMENT ON COLUMN zentry_notify.legacy_delivery.webhook_integration_id IS 'As in delivery';
COMMENT ON COLUMN zentry_notify.legacy_delivery.event_type IS 'As in delivery';
COMMENT ON COLUMN zentry_notify.legacy_delivery.payload IS 'The event''s data; JSON null: not stored';
COMMENT ON COLUMN zentry_notify.legacy_delivery.status IS 'pending, retry, sent or failed';
COMMENT ON COLUMN zentry_notify.legacy_delivery.response_status_code IS 'As in delivery';
COMMENT ON COLUMN zentry_notify.legacy_delivery.response_body IS 'As in delivery; empty: none';
COMMENT ON COLUMN zentry_notify.legacy_delivery.error_message IS 'As in delivery; empty: nothing';
COMMENT ON COLUMN zentry_notify.legacy_delivery.retry_count IS 'As in delivery';
COMMENT ON COLUMN zentry_notify.legacy_delivery.attempts IS 'As in delivery';
COMMENT ON COLUMN zentry_notify.legacy_delivery.created_at IS 'When the event happened';
COMMENT ON COLUMN zentry_notify.legacy_delivery.sent_at IS 'When the endpoint accepted it';
COMMENT ON COLUMN zentry_notify.legacy_delivery.next_attempt_at IS 'As in delivery';
COMMENT ON COLUMN zentry_notify.legacy_delivery.retry_of IS 'As in delivery';
COMMENT ON INDEX zentry_notify.legacy_delivery_waiting IS 'Waiting deliveries by webhook, in the order of sending';
COMMENT ON INDEX zentry_notify.legacy_delivery_finished IS 'Finished deliveries by webhook';
COMMENT ON INDEX zentry_notify.legacy_delivery_events IS 'Finished deliveries by event type';
COMMENT ON INDEX zentry_notify.legacy_delivery_failed IS 'Failed deliveries';

--# include 04_event.sql
--# include 05_delivery.sql

-- New ids are above those of the old table.
SELECT pg_catalog.setval('zentry_notify.delivery_id_seq', given.last)
  FROM (SELECT greatest(pg_catalog.pg_sequence_last_value('zentry_notify.notification_log_id_seq'),
                        (SELECT max(l.id) FROM zentry_notify.legacy_delivery l)) AS last) given
 WHERE given.last IS NOT NULL;
-- A sequence is removed from the list of what pg_dump dumps (extconfig) only when it is no longer a member of the extension.
ALTER EXTENSION zentry_notify DROP SEQUENCE zentry_notify.notification_log_id_seq;
ALTER TABLE zentry_notify.legacy_delivery ALTER COLUMN id DROP IDENTITY;

-- Since the restart, the new library has written events into the old table, with 0 as their webhook.
INSERT INTO zentry_notify.event (created_at, source_id, event_type, data, context)
SELECT l.created_at, (l.payload OPERATOR(pg_catalog.->>) 'source_id')::pg_catalog.int8, l.event_type,
       (l.payload OPERATOR(pg_catalog.->) 'data')::pg_catalog.json,
       nullif(l.payload OPERATOR(pg_catalog.->) 'context', 'null')::pg_catalog.json
  FROM zentry_notify.legacy_delivery l
 WHERE l.webhook_integration_id OPERATOR(pg_catalog.=) 0 AND l.status IN ('pending', 'retry')
 ORDER BY l.id;
DELETE FROM zentry_notify.legacy_delivery l WHERE l.webhook_integration_id OPERATOR(pg_catalog.=) 0 AND l.status IN ('pending', 'retry');

-- Changes of projects' tasks that were not counted yet.
INSERT INTO zentry_notify.event (created_at, source_id, event_type, data, context)
SELECT n.created_at, n.event_source_id, 'project_progress', '{}',
       pg_catalog.json_build_object('progress', pg_catalog.json_build_array(
           pg_catalog.json_build_object('project', n.project_key, 'done', n.done_change, 'total', n.total_change)))
  FROM zentry_notify.progress_note n
 ORDER BY n.id;
ALTER EXTENSION zentry_notify DROP SEQUENCE zentry_notify.progress_note_id_seq;
ALTER EXTENSION zentry_notify DROP TABLE zentry_notify.progress_note;
DROP TABLE zentry_notify.progress_note;
CREATE TABLE zentry_notify.progress_note (
    event_source_id bigint NOT NULL,
    project_key     text NOT NULL,
    done_change     bigint NOT NULL,
    total_change    bigint NOT NULL,
    PRIMARY KEY (event_source_id, project_key)
);
COMMENT ON TABLE zentry_notify.progress_note IS 'Changes of projects by routed events that are not counted yet, while more events are to be routed';
COMMENT ON COLUMN zentry_notify.progress_note.event_source_id IS 'The event source of milestone_reached';
COMMENT ON COLUMN zentry_notify.progress_note.project_key IS 'Id of the project, as text';
COMMENT ON COLUMN zentry_notify.progress_note.done_change IS 'Change of the number of completed tasks';
COMMENT ON COLUMN zentry_notify.progress_note.total_change IS 'Change of the number of tasks';
SELECT pg_catalog.pg_extension_config_dump('zentry_notify.progress_note', '');

-- ---- Webhooks: the URLs go to a table of their own. ----

DROP TRIGGER check_integration ON zentry_notify.webhook_integration;
DROP TRIGGER forget_integration ON zentry_notify.webhook_integration;
DROP FUNCTION zentry_notify.check_integration();
DROP FUNCTION zentry_notify.forget_integration();
ALTER TABLE zentry_notify.webhook_integration RENAME TO webhook;
SELECT zentry_notify.rename_constraints('zentry_notify.webhook', 'webhook_integration', 'webhook');
DROP FUNCTION zentry_notify.rename_constraints(pg_catalog.regclass, pg_catalog.text, pg_catalog.text);
ALTER TABLE zentry_notify.webhook ADD COLUMN rate_limit varchar(50), ADD COLUMN rate_group varchar(100),
    ADD COLUMN notify_webhook_id bigint;
COMMENT ON TABLE zentry_notify.webhook IS 'Webhooks and the events that they subscribe to, without their URLs';
COMMENT ON COLUMN zentry_notify.webhook.id IS 'Id of the webhook, as zentry_test_webhook and other functions take it';
COMMENT ON COLUMN zentry_notify.webhook.name IS 'Display name, 1 to 100 characters';
COMMENT ON COLUMN zentry_notify.webhook.webhook_type IS 'Service that the URL belongs to, such as discord; webhook: a program that checks signatures. zentry_webhook_types() lists them';
COMMENT ON COLUMN zentry_notify.webhook.project_id IS 'Only events of this project are sent; null: events of all projects';
COMMENT ON COLUMN zentry_notify.webhook.created_by_id IS 'Id of the application''s user who registered it';
COMMENT ON COLUMN zentry_notify.webhook.event_types IS 'JSON array of names of zentry_notify.event_type; ["*"]: all, also those added later';
COMMENT ON COLUMN zentry_notify.webhook.is_active IS 'Whether it is active; if not, no events are captured for it, and its waiting deliveries are held back';
COMMENT ON COLUMN zentry_notify.webhook.created_at IS 'When it was registered';
COMMENT ON COLUMN zentry_notify.webhook.updated_at IS 'When it was last changed; set by a trigger';
COMMENT ON COLUMN zentry_notify.webhook.max_events_per_message IS 'Maximum number of waiting events in one message, 1 to 10';
COMMENT ON COLUMN zentry_notify.webhook.min_interval IS 'Minimum time between two messages';
COMMENT ON COLUMN zentry_notify.webhook.max_age IS 'Deliveries older than this fail as expired; null: zentry_notify.max_age applies';
COMMENT ON COLUMN zentry_notify.webhook.activated_at IS 'When it was registered, switched on again or given another URL; set by a trigger. Earlier failures no longer count';
COMMENT ON COLUMN zentry_notify.webhook.switched_off_at IS 'When the extension switched it off because its endpoint no longer exists; cleared by a new URL or by setting is_active';
COMMENT ON COLUMN zentry_notify.webhook.switched_off_reason IS 'Why the extension switched it off';
COMMENT ON COLUMN zentry_notify.webhook.omit_keys IS
    'Keys of the events'' data that are neither stored with nor sent in this webhook''s deliveries, such as {task_description}';
COMMENT ON COLUMN zentry_notify.webhook.filter IS 'JSON path predicate over the event''s data, such as $.points > 20: only events for which it is true are sent; null: all';
COMMENT ON COLUMN zentry_notify.webhook.min_streak_days IS 'For daily_streak: minimum length of a streak, in days; null: all are sent';
COMMENT ON COLUMN zentry_notify.webhook.milestones IS 'For milestone_reached: the milestones that are sent, in per cent; null: all';
COMMENT ON COLUMN zentry_notify.webhook.quiet_hours IS 'When nothing is sent, such as 22:00-07:00 Europe/Berlin, or Mon-Fri 20:00-08:00, Sat-Sun 00:00-24:00 UTC; events of these hours are sent afterwards';
COMMENT ON COLUMN zentry_notify.webhook.mention IS 'Who is mentioned in each message, such as role:ID or user:ID in Discord; zentry_webhook_types() lists the forms for each service';
COMMENT ON COLUMN zentry_notify.webhook.rate_limit IS 'Maximum number of messages in a time, such as 25/5min; 0: no limit; null: zentry_notify.teams_rate for Microsoft''s hosts, and for others what the service answers';
COMMENT ON COLUMN zentry_notify.webhook.rate_group IS 'Webhooks with the same rate_group share one rate limit, the lowest of theirs, such as Teams flows that one person owns; null: its limit is its own';
COMMENT ON COLUMN zentry_notify.webhook.notify_webhook_id IS 'Webhook that gets a notice when this one starts to fail, is switched off or has deliveries that expire; null: the webhooks with notices get it';

ALTER TABLE zentry_notify.webhook
    ADD COLUMN username text,
    ADD COLUMN avatar_url text,
    ADD COLUMN announce boolean NOT NULL DEFAULT false,
    ADD COLUMN thread_name text,
    ADD COLUMN applied_tags text[] NOT NULL DEFAULT '{}',
    ADD COLUMN notices boolean NOT NULL DEFAULT false,
    ADD COLUMN digest text,
    ADD COLUMN thread_by text;
COMMENT ON COLUMN zentry_notify.webhook.username IS 'Sender''s name of its messages in Discord and Mattermost; null: zentry_notify.username applies';
COMMENT ON COLUMN zentry_notify.webhook.avatar_url IS 'Sender''s picture of its messages in Discord and Mattermost, an https URL; null: zentry_notify.avatar_url applies';
COMMENT ON COLUMN zentry_notify.webhook.announce IS 'Whether messages to Discord, Google Chat and Mattermost begin with a line of text, which notifications on phones show (they show nothing of an embed or card). Slack messages always have it';
COMMENT ON COLUMN zentry_notify.webhook.thread_name IS 'For a Discord forum channel: each message becomes a post with this name; null: messages go to the channel, or to the thread of ?thread_id= in the URL';
COMMENT ON COLUMN zentry_notify.webhook.applied_tags IS 'For a Discord forum channel: ids of the tags of these posts';
COMMENT ON COLUMN zentry_notify.webhook.notices IS 'Whether it gets the notices about all other webhooks that have no notify_webhook_id';
COMMENT ON COLUMN zentry_notify.webhook.digest IS 'When waiting events are sent as one message with counts and the last ten events: a time after the first of them, such as 1 hour, or a cron expression, such as 0 9 * * 1-5 Europe/Berlin; null: they are sent at once, up to max_events_per_message in a message';
COMMENT ON COLUMN zentry_notify.webhook.thread_by IS 'For Google Chat: events of the same task or project go to one thread, and a message holds events of one thread only; null: each message begins a new thread';
ALTER TABLE zentry_notify.event_type ADD COLUMN url text, ADD COLUMN thumbnail text;
COMMENT ON COLUMN zentry_notify.event_type.url IS
    'Link to what the event is about; a template, such as /tasks/{{ task_id }} (relative to zentry_notify.link_base) or https://...';
COMMENT ON COLUMN zentry_notify.event_type.thumbnail IS 'URL of a picture; a template, as url';
ALTER TABLE zentry_notify.event_wording ADD COLUMN url text, ADD COLUMN thumbnail text, ADD COLUMN language text,
    ADD CHECK ((event_type OPERATOR(pg_catalog.=) '*') OPERATOR(pg_catalog.=) (language IS NOT NULL));
COMMENT ON TABLE zentry_notify.event_wording IS
    'Texts of messages that replace those of the event type, for all webhooks or for one. Order of precedence: the webhook''s wording, the webhook''s language, the wording for all, the language for all, the event type. Null columns leave the next one in force';
COMMENT ON COLUMN zentry_notify.event_wording.event_type IS 'The event type; *: all of them, for language';
COMMENT ON COLUMN zentry_notify.event_wording.language IS 'For *: language of the built-in events, of numbers and dates, and of the fixed texts of messages, such as de';
COMMENT ON COLUMN zentry_notify.event_wording.url IS 'As event_type.url; empty: none';
COMMENT ON COLUMN zentry_notify.event_wording.thumbnail IS 'As event_type.thumbnail; empty: none';

-- A table of its own, as in 03_webhook.sql, which says why.
CREATE TABLE zentry_notify.webhook_secret (
    webhook_integration_id bigint PRIMARY KEY,
    -- Django's model has 500 characters; a Workflows URL may need more.
    webhook_url            varchar(2048) NOT NULL,
    -- For type webhook.
    signing_secret         text,
    previous_secret        text,
    previous_until         timestamptz,
    headers                jsonb CHECK (pg_catalog.jsonb_typeof(headers) OPERATOR(pg_catalog.=) 'object')
);
COMMENT ON TABLE zentry_notify.webhook_secret IS 'URLs and other secrets of the webhooks. Do not add it to publications';
COMMENT ON COLUMN zentry_notify.webhook_secret.webhook_integration_id IS 'The webhook';
COMMENT ON COLUMN zentry_notify.webhook_secret.webhook_url IS
    'URL of the webhook. A secret: whoever knows it can post to the channel. The view zentry_notify.webhooks shows it redacted';
COMMENT ON COLUMN zentry_notify.webhook_secret.signing_secret IS 'For type webhook: key with which requests are signed, whsec_ and Base64; for type nats: credentials';
COMMENT ON COLUMN zentry_notify.webhook_secret.previous_secret IS 'The previous signing secret: until previous_until, requests are signed with both';
COMMENT ON COLUMN zentry_notify.webhook_secret.previous_until IS 'When previous_secret is no longer used';
COMMENT ON COLUMN zentry_notify.webhook_secret.headers IS 'Additional headers of each request: a JSON object of names and values. Secret';
CREATE INDEX webhook_secret_url ON zentry_notify.webhook_secret USING hash (webhook_url);
COMMENT ON INDEX zentry_notify.webhook_secret_url IS 'Webhooks that have the same URL';
CREATE INDEX webhook_notify ON zentry_notify.webhook (notify_webhook_id) WHERE notify_webhook_id IS NOT NULL;
COMMENT ON INDEX zentry_notify.webhook_notify IS 'Webhooks by the webhook that gets their notices';
INSERT INTO zentry_notify.webhook_secret (webhook_integration_id, webhook_url) SELECT w.id, w.webhook_url FROM zentry_notify.webhook w;
SELECT pg_catalog.pg_extension_config_dump('zentry_notify.webhook_secret', '');
CREATE TABLE zentry_notify.webhook_state (
    webhook_integration_id bigint PRIMARY KEY,
    failures               integer NOT NULL DEFAULT 0,
    refusals               integer NOT NULL DEFAULT 0,
    limits                 integer NOT NULL DEFAULT 0,
    posted_at              timestamptz[] NOT NULL DEFAULT '{}',
    expired_at             timestamptz,
    stream_note            text
) WITH (fillfactor = 50);
COMMENT ON TABLE zentry_notify.webhook_state IS 'Counters of each webhook''s recent responses. They are stored because a worker exits when there is nothing to do, and the next one continues with them';
COMMENT ON COLUMN zentry_notify.webhook_state.webhook_integration_id IS 'The webhook';
COMMENT ON COLUMN zentry_notify.webhook_state.failures IS 'Number of consecutive failures; at five the webhook is failing';
COMMENT ON COLUMN zentry_notify.webhook_state.refusals IS 'Number of consecutive responses that refuse all messages (403, or a channel that accepts none); at ten the webhook is switched off';
COMMENT ON COLUMN zentry_notify.webhook_state.limits IS 'Number of consecutive responses that report a rate limit, as far as it is needed for the back-off';
COMMENT ON COLUMN zentry_notify.webhook_state.posted_at IS 'Times of the messages that count towards its rate limit';
COMMENT ON COLUMN zentry_notify.webhook_state.expired_at IS 'When the first delivery expired since the last one was sent';
COMMENT ON COLUMN zentry_notify.webhook_state.stream_note IS 'Problem found when the stream that it publishes to was last checked; null: none, or it publishes to no stream';
SELECT pg_catalog.pg_extension_config_dump('zentry_notify.webhook_state', '');
COMMENT ON COLUMN zentry_notify.webhook_circuit.failures IS 'Number of consecutive failures; 0: zentry_resume found no delivery to try';
CREATE TABLE zentry_notify.deleted_webhook (
    webhook_integration_id bigint PRIMARY KEY
);
COMMENT ON TABLE zentry_notify.deleted_webhook IS 'Deleted webhooks whose deliveries have not been deleted yet';
COMMENT ON COLUMN zentry_notify.deleted_webhook.webhook_integration_id IS 'Id of the deleted webhook';
SELECT pg_catalog.pg_extension_config_dump('zentry_notify.deleted_webhook', '');

-- ---- Sources and tokens. ----

DROP VIEW zentry_notify.zentry_source;
ALTER TABLE zentry_notify.event_source DROP COLUMN update_of;
ALTER TABLE zentry_notify.event_source ADD COLUMN written_by name, ADD COLUMN written_by_oid oid;
UPDATE zentry_notify.event_source s SET written_by = pg_catalog.pg_get_userbyid(c.relowner), written_by_oid = c.relowner
  FROM pg_catalog.pg_class c WHERE c.oid OPERATOR(pg_catalog.=) s.relation;
COMMENT ON COLUMN zentry_notify.event_source.written_by IS
    'Name of the table''s owner when it was attached: expressions run as that role, and not at all while another role owns the table. The name is stored so that a dump can be restored';
COMMENT ON COLUMN zentry_notify.event_source.written_by_oid IS
    'OID of that role: another role that gets its name later is not trusted';
COMMENT ON COLUMN zentry_notify.event_source.progress IS
    'For milestone_reached: {"group": column of the project, "status": column, "done": its value}; the trigger records the change, and the worker counts';

COMMENT ON COLUMN zentry_notify.event_source.suspended_at IS 'Since when its columns or lookups fail: its events are captured without the values that those gave. zentry_attach resumes it';
COMMENT ON COLUMN zentry_notify.event_source.insert_when IS 'Condition of the insert trigger, as it was given; for display, never executed; null: there is no such trigger';

COMMENT ON COLUMN zentry_notify.event_source.update_when IS 'Condition of the update trigger, as it was given; null: there is no such trigger';

COMMENT ON COLUMN zentry_notify.event_source.delete_when IS 'Condition of the delete trigger, as it was given; null: there is no such trigger';

DROP TRIGGER check_api_token ON zentry_notify.api_token;
ALTER TABLE zentry_notify.api_token ADD COLUMN role_oid oid;
UPDATE zentry_notify.api_token t SET role_oid = r.oid FROM pg_catalog.pg_roles r WHERE r.rolname OPERATOR(pg_catalog.=) t.role_name;
COMMENT ON COLUMN zentry_notify.api_token.role_name IS 'Name, when the token was created, of the role that requests with it run as. It is stored so that a dump can be restored';
COMMENT ON COLUMN zentry_notify.api_token.role_oid IS
    'OID of that role: the token stays with the role when it is renamed, and never passes to another role of the same name';

CREATE TABLE zentry_notify.audit_entry (
    id           uuid PRIMARY KEY DEFAULT pg_catalog.gen_random_uuid(),
    changed_at   timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    transaction  xid8 NOT NULL DEFAULT pg_catalog.pg_current_xact_id(),
    session_role name NOT NULL,
    role_name    name NOT NULL,
    api_token    varchar(100),
    object_type  text NOT NULL,
    object_key   text,
    object_name  text,
    webhook_id   bigint,
    operation    text NOT NULL,
    changes      jsonb NOT NULL DEFAULT '{}' CHECK (pg_catalog.jsonb_typeof(changes) OPERATOR(pg_catalog.=) 'object')
);
CREATE INDEX audit_entry_age ON zentry_notify.audit_entry (changed_at);
COMMENT ON TABLE zentry_notify.audit_entry IS
    'Audit log: who changed which configuration, and when, without secrets. Triggers on the tables write it; entries older than zentry_notify.log_retention are deleted';
COMMENT ON INDEX zentry_notify.audit_entry_age IS 'Entries by age';
COMMENT ON COLUMN zentry_notify.audit_entry.id IS 'Id of the entry';
COMMENT ON COLUMN zentry_notify.audit_entry.changed_at IS 'When the change was made';
COMMENT ON COLUMN zentry_notify.audit_entry.transaction IS 'Transaction id; changes of one transaction have the same';
COMMENT ON COLUMN zentry_notify.audit_entry.session_role IS 'The role that logged in; for the REST API and the admin pages, the server''s role';
COMMENT ON COLUMN zentry_notify.audit_entry.role_name IS
    'The role that made the change: the same, or the one set by SET ROLE; zentry_notify_agent: the worker, when it switches off a webhook';
COMMENT ON COLUMN zentry_notify.audit_entry.api_token IS 'Name of the token, if the change came through the REST API or the admin pages; null: it did not';
COMMENT ON COLUMN zentry_notify.audit_entry.object_type IS 'webhook (includes its secrets), event_type, wording, event_source or api_token';
COMMENT ON COLUMN zentry_notify.audit_entry.object_key IS
    'Key of the object: a webhook''s id, an event type''s name, the event type of a wording or event source, a token''s key; null: all (TRUNCATE)';
COMMENT ON COLUMN zentry_notify.audit_entry.object_name IS
    'Name of the object at that time: a webhook''s name, the name of a wording''s webhook, an event source''s table, a token''s name';
COMMENT ON COLUMN zentry_notify.audit_entry.webhook_id IS 'The webhook that was changed or that the wording is for; null: none, or all';
COMMENT ON COLUMN zentry_notify.audit_entry.operation IS 'insert, update, delete or truncate';
COMMENT ON COLUMN zentry_notify.audit_entry.changes IS
    'Column -> {"old": value, "new": value}. Secrets are not shown: a URL without its secret part, names of headers, *** for a secret or a hash';

SELECT pg_catalog.pg_extension_config_dump('zentry_notify.audit_entry', '');

-- ---- New CHECK constraints. Rows that do not fulfil them were written without the checks of the functions, and are changed or deleted. ----

UPDATE zentry_notify.event_type SET fields = '[]' WHERE pg_catalog.jsonb_typeof(fields) OPERATOR(pg_catalog.<>) 'array';
UPDATE zentry_notify.event_type SET sample = NULL WHERE pg_catalog.jsonb_typeof(sample) OPERATOR(pg_catalog.<>) 'object';
UPDATE zentry_notify.event_wording SET fields = NULL WHERE pg_catalog.jsonb_typeof(fields) OPERATOR(pg_catalog.<>) 'array';
UPDATE zentry_notify.webhook SET event_types = '[]' WHERE pg_catalog.jsonb_typeof(event_types) OPERATOR(pg_catalog.<>) 'array';
DELETE FROM zentry_notify.event_source
 WHERE 'object' OPERATOR(pg_catalog.<>) ANY (ARRAY[pg_catalog.jsonb_typeof(columns), pg_catalog.jsonb_typeof(audience),
                                                   pg_catalog.jsonb_typeof(coalesce(progress, '{}')), pg_catalog.jsonb_typeof(coalesce(transition, '{}'))]);
ALTER TABLE zentry_notify.event_type ADD CHECK (pg_catalog.jsonb_typeof(fields) OPERATOR(pg_catalog.=) 'array'),
    ADD CHECK (pg_catalog.jsonb_typeof(sample) OPERATOR(pg_catalog.=) 'object');
ALTER TABLE zentry_notify.event_wording ADD CHECK (pg_catalog.jsonb_typeof(fields) OPERATOR(pg_catalog.=) 'array');
ALTER TABLE zentry_notify.webhook ADD CHECK (pg_catalog.jsonb_typeof(event_types) OPERATOR(pg_catalog.=) 'array');
ALTER TABLE zentry_notify.event_source ADD CHECK (pg_catalog.jsonb_typeof(columns) OPERATOR(pg_catalog.=) 'object'),
    ADD CHECK (pg_catalog.jsonb_typeof(audience) OPERATOR(pg_catalog.=) 'object'),
    ADD CHECK (pg_catalog.jsonb_typeof(progress) OPERATOR(pg_catalog.=) 'object'),
    ADD CHECK (pg_catalog.jsonb_typeof(transition) OPERATOR(pg_catalog.=) 'object');

-- ---- Functions that no longer exist. ----

DROP FUNCTION zentry_notify.hear_every_update();
DROP FUNCTION zentry_notify.set_aside_triggers(pg_catalog.regclass, pg_catalog.text[]);
DROP FUNCTION zentry_notify.put_back_triggers(pg_catalog.jsonb);
DROP FUNCTION zentry_notify.of_clause(pg_catalog.regclass, pg_catalog.text[]);
DROP FUNCTION zentry_notify.require_membership(pg_catalog.name);
DROP FUNCTION zentry_notify.attach_source(pg_catalog.text, pg_catalog.regclass, pg_catalog.jsonb, pg_catalog.jsonb, pg_catalog.jsonb, pg_catalog.text,
    pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.jsonb, pg_catalog.text[], pg_catalog.bool);
DROP FUNCTION zentry_notify.put_trigger(pg_catalog.regclass, pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.text);
DROP FUNCTION zentry_notify.inheritors(pg_catalog.regclass);
DROP FUNCTION zentry_notify.render_event(pg_catalog.jsonb, pg_catalog.text, pg_catalog.jsonb);
-- Functions that have other parameters now.
DROP FUNCTION zentry_notify.status_worker(pg_catalog.bool, pg_catalog.timestamptz, pg_catalog.int4, pg_catalog.timestamptz);
DROP FUNCTION @extschema@.zentry_register_webhook(pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.int8, pg_catalog.text[], pg_catalog.bool,
    pg_catalog.int8, pg_catalog.text[], pg_catalog.text, pg_catalog.int4, pg_catalog.int4[], pg_catalog.text, pg_catalog.text);
DROP FUNCTION @extschema@.zentry_update_webhook(pg_catalog.int8, pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.int8, pg_catalog.text[],
    pg_catalog.bool, pg_catalog.text[], pg_catalog.text, pg_catalog.int4, pg_catalog.int4[], pg_catalog.text, pg_catalog.text);
DROP FUNCTION @extschema@.zentry_register_event_type(pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.json, pg_catalog.text, pg_catalog.text,
    pg_catalog.text, pg_catalog.text, pg_catalog.jsonb);
DROP FUNCTION @extschema@.zentry_set_wording(pg_catalog.text, pg_catalog.int8, pg_catalog.text, pg_catalog.text, pg_catalog.json, pg_catalog.text,
    pg_catalog.text, pg_catalog.text);
DROP FUNCTION zentry_notify.put_wording(pg_catalog.text, pg_catalog.int8, pg_catalog.text, pg_catalog.text, pg_catalog.json, pg_catalog.text,
    pg_catalog.text, pg_catalog.text);
DROP FUNCTION @extschema@.zentry_preview(pg_catalog.text, pg_catalog.text, pg_catalog.jsonb, pg_catalog.int8);

-- ---- Comments of tables that 0.2.0 has, in other words. ----

COMMENT ON SCHEMA zentry_notify IS 'Tables and views of zentry_notify, which turns writes to application tables into messages to Discord, Microsoft Teams, Slack and other webhooks';
COMMENT ON TABLE zentry_notify.event_type IS 'Event types: what webhooks subscribe to, and what the messages say. title, text and the values in fields are templates in Jinja''s language over the event''s data';
COMMENT ON COLUMN zentry_notify.event_type.name IS 'Name of the event type, used in deliveries, filters and payloads';
COMMENT ON COLUMN zentry_notify.event_type.title IS 'Title of the message; a template';
COMMENT ON COLUMN zentry_notify.event_type.built_in IS 'Whether the event type comes with the extension';
COMMENT ON COLUMN zentry_notify.event_type.text IS 'Text of the message; a template in which ** switches bold on and off';
COMMENT ON COLUMN zentry_notify.event_type.fields IS 'Fields of the message: array of {"name", "value"}, where value is a template; a field whose value is empty is left out';
COMMENT ON COLUMN zentry_notify.event_type.colour IS 'Colour of the message, #rrggbb';
COMMENT ON COLUMN zentry_notify.event_type.emoji IS 'Emoji before the title';
COMMENT ON COLUMN zentry_notify.event_type.footer IS 'Footer of the message';
COMMENT ON COLUMN zentry_notify.event_type.time_key IS 'Key of the data that holds the event''s own time; null: the time of the write is used';
COMMENT ON COLUMN zentry_notify.event_type.sample IS 'Sample data, used for previews and test messages';
COMMENT ON TABLE zentry_notify.webhook_circuit IS 'Failing webhooks: one delivery at a time is tried, at growing intervals';
COMMENT ON COLUMN zentry_notify.webhook_circuit.webhook_integration_id IS 'The webhook';
COMMENT ON COLUMN zentry_notify.webhook_circuit.opened_at IS 'Since when the webhook is failing';
COMMENT ON COLUMN zentry_notify.webhook_circuit.next_try_at IS 'Time of the next try';
COMMENT ON COLUMN zentry_notify.webhook_circuit.error_message IS 'Last error';
COMMENT ON TABLE zentry_notify.webhook_count IS 'Totals of each webhook''s deliveries since it was registered; they are kept when rows of the log are deleted';
COMMENT ON COLUMN zentry_notify.webhook_count.webhook_integration_id IS 'The webhook';
COMMENT ON COLUMN zentry_notify.webhook_count.sent IS 'Number of sent deliveries';
COMMENT ON COLUMN zentry_notify.webhook_count.failed IS 'Number of failed deliveries';
COMMENT ON COLUMN zentry_notify.webhook_count.last_sent_at IS 'When the last delivery was sent';
COMMENT ON COLUMN zentry_notify.webhook_count.last_failed_at IS 'When the last delivery failed for good';
COMMENT ON COLUMN zentry_notify.webhook_count.last_error IS 'Error of the last delivery that failed for good';
COMMENT ON TABLE zentry_notify.event_source IS 'Event sources: attached tables, and how their triggers turn a row into an event';
COMMENT ON COLUMN zentry_notify.event_source.id IS 'Id of the event source';
COMMENT ON COLUMN zentry_notify.event_source.event_type IS 'The event type that a write to the table fires';
COMMENT ON COLUMN zentry_notify.event_source.relation IS 'The attached table';
COMMENT ON COLUMN zentry_notify.event_source.columns IS 'Where the data come from: key of the event''s data -> column name, or {"old": column name} for the value before the write, or {"from": table, "match": its key, "key": column or another lookup, "column": its column}, or {"value": constant}, or {"expression": SQL over the row "new", "columns": the columns that it uses}';
COMMENT ON COLUMN zentry_notify.event_source.audience IS 'Whose webhooks get the event: {"all": true}, {"project": key of the data}, or {"person": key of the data, "projects": [{"from", "match", "column"}]} for the projects of that person';
COMMENT ON COLUMN zentry_notify.event_source.suspended_reason IS 'Error of the columns or lookups';
COMMENT ON COLUMN zentry_notify.event_source.by_hand IS 'Whether it was attached with arguments of its own, which zentry_attach() does not replace';
COMMENT ON COLUMN zentry_notify.event_source.rider IS 'Another event type of the same table that these triggers fire as well, to save a second trigger';
COMMENT ON COLUMN zentry_notify.event_source.omit IS 'Keys that are left out of the data for all webhooks, such as {task_description}: their columns are not read. zentry_attach keeps it';
COMMENT ON COLUMN zentry_notify.event_source.transition IS 'The change that fires the event: {"column": column, "to": text}. The trigger function checks it, because PostgreSQL parses a WHEN again for each statement; null: WHEN alone decides';
COMMENT ON TABLE zentry_notify.project_progress IS 'Highest progress seen of each project: a milestone at or below it is not fired again';
COMMENT ON COLUMN zentry_notify.project_progress.event_source_id IS 'The event source of milestone_reached';
COMMENT ON COLUMN zentry_notify.project_progress.project_key IS 'Id of the project, as text';
COMMENT ON COLUMN zentry_notify.project_progress.highest IS 'Highest progress, 0 to 100 per cent';
COMMENT ON TABLE zentry_notify.delivery_stat IS 'Counters of each webhook and event type: by the minute for the last hours, by the hour for as long as the log is kept, and in total. The worker updates them';
COMMENT ON COLUMN zentry_notify.delivery_stat.span IS 'Period that the row covers: minute, hour or ever';
COMMENT ON COLUMN zentry_notify.delivery_stat.since IS 'When the minute or hour began; -infinity for ever';
COMMENT ON COLUMN zentry_notify.delivery_stat.webhook_integration_id IS 'The webhook';
COMMENT ON COLUMN zentry_notify.delivery_stat.event_type IS 'The event type; *: all of them. (A request whose message holds several event types counts once for each of them and once for *)';
COMMENT ON COLUMN zentry_notify.delivery_stat.sent IS 'Number of sent deliveries';
COMMENT ON COLUMN zentry_notify.delivery_stat.failed IS 'Number of failed deliveries';
COMMENT ON COLUMN zentry_notify.delivery_stat.retried IS 'Number of times that a delivery failed and was scheduled again';
COMMENT ON COLUMN zentry_notify.delivery_stat.requests IS 'Number of requests that held such an event, whatever the response';
COMMENT ON COLUMN zentry_notify.delivery_stat.messages IS 'Number of requests that the endpoint accepted';
COMMENT ON COLUMN zentry_notify.delivery_stat.rate_limited IS 'Number of requests that met a rate limit';
COMMENT ON COLUMN zentry_notify.delivery_stat.latency_sum IS 'Sum of the latencies of all sent deliveries, from the event to the response, in seconds';
COMMENT ON COLUMN zentry_notify.delivery_stat.latency IS 'Histogram of the latencies: a count for each of zentry_notify.latency_bounds(), and one for longer ones';
COMMENT ON INDEX zentry_notify.event_wording_of IS 'At most one wording for an event type and a webhook';
COMMENT ON COLUMN zentry_notify.event_wording.id IS 'Id of the wording';
COMMENT ON COLUMN zentry_notify.event_wording.webhook_integration_id IS 'The webhook whose messages it applies to; null: all';
COMMENT ON COLUMN zentry_notify.event_wording.fields IS 'As event_type.fields, and replaces all of them';
COMMENT ON COLUMN zentry_notify.event_wording.created_at IS 'When it was created';
COMMENT ON TABLE zentry_notify.api_token IS 'Tokens of the REST API, as hashes. zentry_create_api_token and zentry_revoke_api_token write them';
COMMENT ON COLUMN zentry_notify.api_token.token_key IS 'First part of the token, after "zentry_". Not secret: it identifies the token in lists and logs';
COMMENT ON COLUMN zentry_notify.api_token.name IS 'What the token is for, 1 to 100 characters';
COMMENT ON COLUMN zentry_notify.api_token.token_hash IS 'SHA-256 of the whole token. There is no salt, because the token''s secret is 256 random bits';
COMMENT ON COLUMN zentry_notify.api_token.created_by IS 'The role that created it';
COMMENT ON COLUMN zentry_notify.api_token.created_at IS 'When it was created';
COMMENT ON COLUMN zentry_notify.api_token.expires_at IS 'When it expires; null: it is valid until it is revoked';
COMMENT ON COLUMN zentry_notify.api_token.last_used_at IS 'When a request last used it, to the minute';

--# include 12_senders.sql

--# include 13_rust_functions.sql
--# include 14_rules.sql
--# include 15_event_definition.sql
--# include 16_views.sql

-- The view webhooks used it until now.
ALTER TABLE zentry_notify.webhook DROP COLUMN webhook_url;

--# include 17_webhook_integration.sql
--# include 18_webhook_functions.sql
--# include 19_delivery_functions.sql
--# include 20_notices.sql
--# include 21_delivery_log.sql
--# include 22_attach.sql
--# include 23_route_cursor.sql
--# include 24_replication.sql
--# include 25_audit.sql
--# include 26_api.sql
--# include 27_sender_sessions.sql
--# include 28_sender_queues.sql
--# include 29_sender_deliveries.sql
--# include 30_statistics.sql
--# include 31_own_objects.sql
--# include 32_status_server.sql
--# include 33_status_worker.sql
--# include 34_status_tables.sql
--# include 35_status_events.sql
--# include 36_status.sql
--# include 37_import.sql
--# include 38_event_types.sql
-- PUBLIC may call capture() now, so the grants to managers are superfluous.
DO $$
DECLARE
    grantee pg_catalog.regrole;
BEGIN
    FOR grantee IN
        SELECT a.grantee FROM pg_catalog.pg_proc p CROSS JOIN LATERAL pg_catalog.aclexplode(p.proacl) a
         WHERE p.oid OPERATOR(pg_catalog.=) 'zentry_notify.capture()'::pg_catalog.regprocedure AND a.grantee NOT IN (0, p.proowner)
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON FUNCTION zentry_notify.capture() FROM %s', grantee);
    END LOOP;
END
$$;

--# include 39_privileges.sql

-- Digests of the files with the structure that this step leads to.
--# structure 01_schema.sql 275ccfea4fa38699
--# structure 02_event_type.sql 9bfa6c37a4619f5a
--# structure 03_webhook.sql 8b7d726f02672822
--# structure 06_legacy_delivery.sql 59f27fe16bb30d62
--# structure 07_webhook_state.sql d2d673dbc3efa3b0
--# structure 08_event_source.sql 0262f9eca6f5b67d
--# structure 09_delivery_stat.sql 40b13bcc7ec62a54
--# structure 10_event_wording.sql 61f93eec91bae6a2
--# structure 11_api_token.sql 2487b9c1c2525c67
--# structure 40_install.sql 19dee192601e9111
