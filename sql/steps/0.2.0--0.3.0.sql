-- From 0.2.0 to 0.3.0. What is structural stands here; what can be run again comes from the files of the installation.

-- As in 01_schema.sql: nothing that somebody put into the extension's schema must become part of ours.
SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
SELECT pg_catalog.set_config('restrict_nonsystem_relation_kind', '', true)
 WHERE pg_catalog.current_setting('restrict_nonsystem_relation_kind', true) IS NOT NULL;

-- The library that is in memory says its version; a new one on disk is not the one that runs.
DO $$
BEGIN
    IF zentry_notify.library_version() OPERATOR(pg_catalog.<>) '0.3.0' THEN
        RAISE EXCEPTION 'zentry_notify: the server still runs the library of version %', zentry_notify.library_version()
            USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Restart the server, then repeat the command.';
    END IF;
END
$$;

--# include steps/lock.sql

-- It looks at every trigger that is made.
DROP EVENT TRIGGER zentry_notify_hear_every_update;

-- ---- The log: the table stays as it is, under another name. Its rows are moved by the worker. ----

-- Gives the constraints of a table the names that it would have, had it always been called so.
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
COMMENT ON COLUMN zentry_notify.legacy_delivery.id IS 'Ids of delivery go on above these';
COMMENT ON COLUMN zentry_notify.legacy_delivery.webhook_integration_id IS 'As in delivery';
COMMENT ON COLUMN zentry_notify.legacy_delivery.event_type IS 'As in delivery';
COMMENT ON COLUMN zentry_notify.legacy_delivery.payload IS 'The event''s data; JSON null: not kept';
COMMENT ON COLUMN zentry_notify.legacy_delivery.status IS 'pending, retry, sent or failed';
COMMENT ON COLUMN zentry_notify.legacy_delivery.response_status_code IS 'As in delivery';
COMMENT ON COLUMN zentry_notify.legacy_delivery.response_body IS 'As in delivery; empty: none';
COMMENT ON COLUMN zentry_notify.legacy_delivery.error_message IS 'As in delivery; empty: nothing';
COMMENT ON COLUMN zentry_notify.legacy_delivery.retry_count IS 'As in delivery';
COMMENT ON COLUMN zentry_notify.legacy_delivery.attempts IS 'As in delivery';
COMMENT ON COLUMN zentry_notify.legacy_delivery.created_at IS 'When the event happened';
COMMENT ON COLUMN zentry_notify.legacy_delivery.sent_at IS 'When the endpoint took it';
COMMENT ON COLUMN zentry_notify.legacy_delivery.next_attempt_at IS 'As in delivery';
COMMENT ON COLUMN zentry_notify.legacy_delivery.retry_of IS 'As in delivery';
COMMENT ON INDEX zentry_notify.legacy_delivery_waiting IS 'What waits, by webhook, in order of delivery';
COMMENT ON INDEX zentry_notify.legacy_delivery_finished IS 'What is finished, by webhook';
COMMENT ON INDEX zentry_notify.legacy_delivery_events IS 'What is finished, by event';
COMMENT ON INDEX zentry_notify.legacy_delivery_failed IS 'What was given up';

--# include 04_event.sql
--# include 05_delivery.sql

-- Ids go on above those that were given.
SELECT pg_catalog.setval('zentry_notify.delivery_id_seq', given.last)
  FROM (SELECT greatest(pg_catalog.pg_sequence_last_value('zentry_notify.notification_log_id_seq'),
                        (SELECT max(l.id) FROM zentry_notify.legacy_delivery l)) AS last) given
 WHERE given.last IS NOT NULL;
-- Only what is no member of the extension any more leaves the list of what is dumped.
ALTER EXTENSION zentry_notify DROP SEQUENCE zentry_notify.notification_log_id_seq;
ALTER TABLE zentry_notify.legacy_delivery ALTER COLUMN id DROP IDENTITY;

-- What was written since the library is the new one waits under no webhook.
INSERT INTO zentry_notify.event (created_at, source_id, event_type, data, context)
SELECT l.created_at, (l.payload OPERATOR(pg_catalog.->>) 'source_id')::pg_catalog.int8, l.event_type,
       (l.payload OPERATOR(pg_catalog.->) 'data')::pg_catalog.json,
       nullif(l.payload OPERATOR(pg_catalog.->) 'context', 'null')::pg_catalog.json
  FROM zentry_notify.legacy_delivery l
 WHERE l.webhook_integration_id OPERATOR(pg_catalog.=) 0 AND l.status IN ('pending', 'retry')
 ORDER BY l.id;
DELETE FROM zentry_notify.legacy_delivery l WHERE l.webhook_integration_id OPERATOR(pg_catalog.=) 0 AND l.status IN ('pending', 'retry');

-- What changed in projects and was not counted yet.
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
COMMENT ON TABLE zentry_notify.progress_note IS 'How routed events have changed projects that are still to be counted, while there are more events to route';
COMMENT ON COLUMN zentry_notify.progress_note.event_source_id IS 'The source of milestone_reached';
COMMENT ON COLUMN zentry_notify.progress_note.project_key IS 'The project''s id, as text';
COMMENT ON COLUMN zentry_notify.progress_note.done_change IS 'Tasks that were completed (negative: that are not any more)';
COMMENT ON COLUMN zentry_notify.progress_note.total_change IS 'Tasks that came (negative: that went)';
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
COMMENT ON TABLE zentry_notify.webhook IS 'Webhooks and what they hear of, without their URLs';
COMMENT ON COLUMN zentry_notify.webhook.id IS 'The number that zentry_test_webhook and the other functions take';
COMMENT ON COLUMN zentry_notify.webhook.name IS 'A name for people, 1 to 100 characters';
COMMENT ON COLUMN zentry_notify.webhook.webhook_type IS 'Which service it is of, or webhook for a program: zentry_webhook_types() lists them';
COMMENT ON COLUMN zentry_notify.webhook.project_id IS 'The project whose events are sent; null: every project''s';
COMMENT ON COLUMN zentry_notify.webhook.created_by_id IS 'The application''s user who registered it';
COMMENT ON COLUMN zentry_notify.webhook.event_types IS 'JSON array of names of zentry_notify.event_type; ["*"]: all, also those added later';
COMMENT ON COLUMN zentry_notify.webhook.is_active IS 'Off: nothing is captured for it, and what waits is held back';
COMMENT ON COLUMN zentry_notify.webhook.created_at IS 'When it was registered';
COMMENT ON COLUMN zentry_notify.webhook.updated_at IS 'When it was changed last; keeps itself';
COMMENT ON COLUMN zentry_notify.webhook.max_events_per_message IS 'How many waiting events may leave as one message, 1 to 10; 1: a message for each';
COMMENT ON COLUMN zentry_notify.webhook.min_interval IS 'The shortest time between two messages';
COMMENT ON COLUMN zentry_notify.webhook.max_age IS 'Deliveries older than this fail as expired; null: zentry_notify.max_age decides';
COMMENT ON COLUMN zentry_notify.webhook.activated_at IS 'When it was registered, switched on again or given another URL; what went wrong before is forgotten then. Keeps itself';
COMMENT ON COLUMN zentry_notify.webhook.switched_off_at IS 'When the extension switched it off because its endpoint is gone; cleared by a new URL or by setting is_active';
COMMENT ON COLUMN zentry_notify.webhook.switched_off_reason IS 'Why the extension switched it off';
COMMENT ON COLUMN zentry_notify.webhook.omit_keys IS
    'Keys of the events'' data that this webhook''s deliveries do not have, such as {task_description}: they are neither kept nor sent';
COMMENT ON COLUMN zentry_notify.webhook.filter IS 'Only events whose data this JSON path predicate is true of are heard, such as $.points > 20; null: all';
COMMENT ON COLUMN zentry_notify.webhook.min_streak_days IS 'Of daily_streak, only streaks of so many days are heard; null: all';
COMMENT ON COLUMN zentry_notify.webhook.milestones IS 'Of milestone_reached, only these are heard, in per cent; null: all';
COMMENT ON COLUMN zentry_notify.webhook.quiet_hours IS 'When nothing is sent, such as 22:00-07:00 Europe/Berlin, or Mon-Fri 20:00-08:00, Sat-Sun 00:00-24:00 UTC; what comes meanwhile is sent afterwards';
COMMENT ON COLUMN zentry_notify.webhook.mention IS 'Whom each message pings, such as role:ID or user:ID in Discord; zentry_webhook_types() has what each service knows';
COMMENT ON COLUMN zentry_notify.webhook.rate_limit IS 'How many messages it may get, and in what time, such as 25/5min; 0: no limit; null: zentry_notify.teams_rate for Microsoft''s hosts, and the vendor''s answers for others';
COMMENT ON COLUMN zentry_notify.webhook.rate_group IS 'Webhooks of the same group share their rate, the lowest of theirs: flows that one person owns; null: it is on its own';
COMMENT ON COLUMN zentry_notify.webhook.notify_webhook_id IS 'The webhook that is told when this one starts to fail, is switched off or lets deliveries expire; null: those with notices are';

ALTER TABLE zentry_notify.webhook
    ADD COLUMN username text,
    ADD COLUMN avatar_url text,
    ADD COLUMN announce boolean NOT NULL DEFAULT false,
    ADD COLUMN thread_name text,
    ADD COLUMN applied_tags text[] NOT NULL DEFAULT '{}',
    ADD COLUMN notices boolean NOT NULL DEFAULT false,
    ADD COLUMN digest text,
    ADD COLUMN thread_by text;
COMMENT ON COLUMN zentry_notify.webhook.username IS 'The name that its messages in Discord and Mattermost come from; null: zentry_notify.username decides';
COMMENT ON COLUMN zentry_notify.webhook.avatar_url IS 'The picture that its messages in Discord and Mattermost come with, an https URL; null: zentry_notify.avatar_url decides';
COMMENT ON COLUMN zentry_notify.webhook.announce IS 'In Discord, Google Chat and Mattermost, a line of text stands above the events: a phone''s notification shows it, and of embeds alone it shows nothing. In Slack it always does';
COMMENT ON COLUMN zentry_notify.webhook.thread_name IS 'For a forum of Discord: each message becomes a post of this name; null: into the channel, or the thread of ?thread_id= in the URL';
COMMENT ON COLUMN zentry_notify.webhook.applied_tags IS 'For a forum of Discord: ids of the tags that these posts get';
COMMENT ON COLUMN zentry_notify.webhook.notices IS 'It is told of the trouble of every other webhook that names none of its own in notify_webhook_id';
COMMENT ON COLUMN zentry_notify.webhook.digest IS 'When what has gathered leaves, as one message with counts and the last ten events: 1 hour after the first of them, or by a cron expression such as 0 9 * * 1-5 Europe/Berlin; null: what waits leaves at once, up to max_events_per_message in a message';
COMMENT ON COLUMN zentry_notify.webhook.thread_by IS 'For Google Chat: what the messages of a thread have in common, task or project; a message holds events of one thread only; null: each message begins one of its own';
ALTER TABLE zentry_notify.event_type ADD COLUMN url text, ADD COLUMN thumbnail text;
COMMENT ON COLUMN zentry_notify.event_type.url IS
    'Address of the thing that the event is about; a template, such as /tasks/{{ task_id }} below zentry_notify.link_base, or https://...';
COMMENT ON COLUMN zentry_notify.event_type.thumbnail IS 'Address of a picture of it; a template like url';
ALTER TABLE zentry_notify.event_wording ADD COLUMN url text, ADD COLUMN thumbnail text, ADD COLUMN language text,
    ADD CHECK ((event_type OPERATOR(pg_catalog.=) '*') OPERATOR(pg_catalog.=) (language IS NOT NULL));
COMMENT ON TABLE zentry_notify.event_wording IS
    'What an event''s messages say instead of what its type has. An integration''s own wording goes before its language, that before the installation''s wording, that before its language, and that before the type''s; null: as before';
COMMENT ON COLUMN zentry_notify.event_wording.event_type IS 'The event; *: all of them, whose language it is';
COMMENT ON COLUMN zentry_notify.event_wording.language IS 'Of *: the language of the built-in events, of numbers and dates, and of what messages say themselves, such as de';
COMMENT ON COLUMN zentry_notify.event_wording.url IS 'As event_type.url; empty: none';
COMMENT ON COLUMN zentry_notify.event_wording.thumbnail IS 'As event_type.thumbnail; empty: none';

-- The secret stands apart: a change of the row beside does not repeat it, no trigger is handed it with that row, and it is written only when it
-- changes.
CREATE TABLE zentry_notify.webhook_secret (
    webhook_integration_id bigint PRIMARY KEY,
    -- Django's model has 500 characters; a Workflows URL may need more.
    webhook_url            varchar(2048) NOT NULL,
    -- Of type webhook.
    signing_secret         text,
    previous_secret        text,
    previous_until         timestamptz,
    headers                jsonb CHECK (pg_catalog.jsonb_typeof(headers) OPERATOR(pg_catalog.=) 'object')
);
COMMENT ON TABLE zentry_notify.webhook_secret IS 'The webhooks'' URLs, and what else of them is secret. Keep it out of publications';
COMMENT ON COLUMN zentry_notify.webhook_secret.webhook_integration_id IS 'The webhook';
COMMENT ON COLUMN zentry_notify.webhook_secret.webhook_url IS
    'Its address. A secret: who knows it can post to the channel. The view zentry_notify.webhooks shows it redacted';
COMMENT ON COLUMN zentry_notify.webhook_secret.signing_secret IS 'What the receiver checks signatures by, whsec_ and Base64, of type webhook; credentials, of type nats';
COMMENT ON COLUMN zentry_notify.webhook_secret.previous_secret IS 'The one before: what is sent is signed by both until previous_until';
COMMENT ON COLUMN zentry_notify.webhook_secret.previous_until IS 'When the time of grace of previous_secret is over';
COMMENT ON COLUMN zentry_notify.webhook_secret.headers IS 'Headers that each request has besides, an object of names and values, which are secrets';
CREATE INDEX webhook_secret_url ON zentry_notify.webhook_secret USING hash (webhook_url);
COMMENT ON INDEX zentry_notify.webhook_secret_url IS 'Webhooks that have the same URL';
CREATE INDEX webhook_notify ON zentry_notify.webhook (notify_webhook_id) WHERE notify_webhook_id IS NOT NULL;
COMMENT ON INDEX zentry_notify.webhook_notify IS 'Who is told of the trouble of which webhooks';
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
COMMENT ON TABLE zentry_notify.webhook_state IS 'What is counted of a webhook''s last answers, for workers to come: one leaves when nothing is to be done';
COMMENT ON COLUMN zentry_notify.webhook_state.webhook_integration_id IS 'The webhook';
COMMENT ON COLUMN zentry_notify.webhook_state.failures IS 'Failures in a row; five make it failing';
COMMENT ON COLUMN zentry_notify.webhook_state.refusals IS 'Answers in a row that take no message of ours; ten switch it off';
COMMENT ON COLUMN zentry_notify.webhook_state.limits IS 'Answers in a row that we are too fast, as far as that matters';
COMMENT ON COLUMN zentry_notify.webhook_state.posted_at IS 'When the messages were posted that count for its rate';
COMMENT ON COLUMN zentry_notify.webhook_state.expired_at IS 'When one of its deliveries expired first since one was sent';
COMMENT ON COLUMN zentry_notify.webhook_state.stream_note IS 'What was not as it should be of the stream that it publishes to, when it was looked at last; null: nothing, or it has none';
SELECT pg_catalog.pg_extension_config_dump('zentry_notify.webhook_state', '');
COMMENT ON COLUMN zentry_notify.webhook_circuit.failures IS 'Failures in a row; 0: zentry_resume had nothing to try it with';
CREATE TABLE zentry_notify.deleted_webhook (
    webhook_integration_id bigint PRIMARY KEY
);
COMMENT ON TABLE zentry_notify.deleted_webhook IS 'Webhooks that were deleted and whose log is still to be removed';
COMMENT ON COLUMN zentry_notify.deleted_webhook.webhook_integration_id IS 'The number that it had';
SELECT pg_catalog.pg_extension_config_dump('zentry_notify.deleted_webhook', '');

-- ---- Sources and tokens. ----

DROP VIEW zentry_notify.zentry_source;
ALTER TABLE zentry_notify.event_source DROP COLUMN update_of;
ALTER TABLE zentry_notify.event_source ADD COLUMN written_by name, ADD COLUMN written_by_oid oid;
UPDATE zentry_notify.event_source s SET written_by = pg_catalog.pg_get_userbyid(c.relowner), written_by_oid = c.relowner
  FROM pg_catalog.pg_class c WHERE c.oid OPERATOR(pg_catalog.=) s.relation;
COMMENT ON COLUMN zentry_notify.event_source.written_by IS
    'The owner of the table when this was attached, as it was called then: expressions run as that role, and not at all while the table belongs to another one. So that a dump can be restored';
COMMENT ON COLUMN zentry_notify.event_source.written_by_oid IS
    'That role itself: another one that takes over its name is another one';
COMMENT ON COLUMN zentry_notify.event_source.progress IS
    'Of milestone_reached: {"group": column of the project, "status": column, "done": its value}; the trigger notes the change, the worker counts';

COMMENT ON COLUMN zentry_notify.event_source.suspended_at IS 'Since when its columns or look-ups do not work any more: its events are told without what they gave; zentry_attach mends it';
COMMENT ON COLUMN zentry_notify.event_source.insert_when IS 'The condition of the insert trigger as it was given, for people: it is never executed again; null: there is none';

COMMENT ON COLUMN zentry_notify.event_source.update_when IS 'The condition of the update trigger as it was given; null: there is none';

COMMENT ON COLUMN zentry_notify.event_source.delete_when IS 'The condition of the delete trigger as it was given; null: there is none';

DROP TRIGGER check_api_token ON zentry_notify.api_token;
ALTER TABLE zentry_notify.api_token ADD COLUMN role_oid oid;
UPDATE zentry_notify.api_token t SET role_oid = r.oid FROM pg_catalog.pg_roles r WHERE r.rolname OPERATOR(pg_catalog.=) t.role_name;
COMMENT ON COLUMN zentry_notify.api_token.role_name IS 'The role that requests with it run as, as it was called when the token was made. So that a dump can be restored';
COMMENT ON COLUMN zentry_notify.api_token.role_oid IS
    'That role itself: a token follows it when it is renamed, and never becomes that of another role of its name';

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
    'Who changed what of the configuration, and when, without secrets. Triggers of the tables write it; what is older than zentry_notify.log_retention goes';
COMMENT ON INDEX zentry_notify.audit_entry_age IS 'What is old is found first';
COMMENT ON COLUMN zentry_notify.audit_entry.id IS 'The entry';
COMMENT ON COLUMN zentry_notify.audit_entry.changed_at IS 'When it was changed';
COMMENT ON COLUMN zentry_notify.audit_entry.transaction IS 'The transaction: what was changed together has the same';
COMMENT ON COLUMN zentry_notify.audit_entry.session_role IS 'The role that had logged in: of the REST API and the pages, the server''s';
COMMENT ON COLUMN zentry_notify.audit_entry.role_name IS
    'The role that it acted as: the same, or what SET ROLE had made of it; zentry_notify_agent: the worker, which switches off what is gone';
COMMENT ON COLUMN zentry_notify.audit_entry.api_token IS 'The name of the token of the REST API or the pages; null: by another way';
COMMENT ON COLUMN zentry_notify.audit_entry.object_type IS 'webhook (its secrets are of it), event_type, wording, event_source or api_token';
COMMENT ON COLUMN zentry_notify.audit_entry.object_key IS
    'Which one: a webhook''s id, an event type''s name, the event of a wording or a source, a token''s key; null: all';
COMMENT ON COLUMN zentry_notify.audit_entry.object_name IS
    'What it was called: a webhook''s name, of a wording its webhook''s, a source''s table, a token''s name';
COMMENT ON COLUMN zentry_notify.audit_entry.webhook_id IS 'The webhook that it is about; null: none, or all';
COMMENT ON COLUMN zentry_notify.audit_entry.operation IS 'insert, update, delete or truncate';
COMMENT ON COLUMN zentry_notify.audit_entry.changes IS
    'Column -> {"old": value, "new": value}. Of secrets only that they changed: a URL without its secret, names of headers, *** for a secret or a hash';

SELECT pg_catalog.pg_extension_config_dump('zentry_notify.audit_entry', '');

-- ---- What has always been so, and is a rule now. What somebody has written past the checks goes. ----

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

-- ---- Functions that there are no more. ----

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
-- Those that have other parameters now.
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

--# include 12_senders.sql

--# include 13_rust_functions.sql
--# include 14_rules.sql
--# include 15_event_definition.sql
--# include 16_views.sql

-- The view webhooks had it until now.
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
-- Everybody may call the trigger's function now, so that what managers were granted says nothing any more.
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

-- The structure that the above leads to, as digests of its files.
--# structure 01_schema.sql 9644aaa7488d6366
--# structure 02_event_type.sql 300d31e4bce1296f
--# structure 03_webhook.sql 65623f887cdbf366
--# structure 06_legacy_delivery.sql 4e594d666bb17293
--# structure 07_webhook_state.sql 1e95ff075f60298b
--# structure 08_event_source.sql 426184cabd82c950
--# structure 09_delivery_stat.sql 975f394c8f1c4fc4
--# structure 10_event_wording.sql abc35a2f0dcc42c8
--# structure 11_api_token.sql 75e91431a803e2f0
--# structure 40_install.sql 27dd5ff20664d98e
