-- The functions that are written in Rust; src/ has them under the same names.

CREATE OR REPLACE FUNCTION zentry_notify.capture() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'capture_wrapper';
COMMENT ON FUNCTION zentry_notify.capture() IS 'Trigger on application tables: writes the event, if anybody wants to hear of it';

CREATE OR REPLACE FUNCTION zentry_notify.configuration_changed() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'configuration_changed_wrapper';
COMMENT ON FUNCTION zentry_notify.configuration_changed() IS 'Trigger on our own tables: every session and the worker read them again';

CREATE OR REPLACE FUNCTION zentry_notify.refuse(
    condition text, message text, hint text DEFAULT NULL, column_name text DEFAULT NULL, detail text DEFAULT NULL) RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'refuse_wrapper';
COMMENT ON FUNCTION zentry_notify.refuse(text, text, text, text, text) IS
    'Raises an error. As RAISE, but for the CONTEXT, which does not lead through our own functions';

CREATE OR REPLACE FUNCTION zentry_notify.check_webhook_url(webhook_type text, webhook_url text) RETURNS void
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'check_webhook_url_wrapper';
COMMENT ON FUNCTION zentry_notify.check_webhook_url(text, text) IS 'An error unless it is the URL of such a webhook and zentry_notify.allowed_hosts lets it pass';

CREATE OR REPLACE FUNCTION zentry_notify.check_webhook_type(webhook_type text) RETURNS void
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'check_webhook_type_wrapper';
COMMENT ON FUNCTION zentry_notify.check_webhook_type(text) IS 'An error that names the types of webhooks that there are, unless it is one of them';

CREATE OR REPLACE FUNCTION zentry_notify.check_room_for_webhook() RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'check_room_for_webhook_wrapper';
COMMENT ON FUNCTION zentry_notify.check_room_for_webhook() IS 'An error when there are as many webhooks as zentry_notify.max_webhooks allows';

CREATE OR REPLACE FUNCTION zentry_notify.type_has(webhook_type text, setting text) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'type_has_wrapper';
COMMENT ON FUNCTION zentry_notify.type_has(text, text) IS 'Whether webhooks of this type have a place for that: for one of the settings of zentry_webhook_types()';

CREATE OR REPLACE FUNCTION @extschema@.zentry_webhook_types()
    RETURNS TABLE (webhook_type text, label text, url text, mention text, settings text[], formats text[])
    LANGUAGE c STABLE PARALLEL SAFE ROWS 8 AS 'MODULE_PATHNAME', 'zentry_webhook_types_wrapper';
COMMENT ON FUNCTION @extschema@.zentry_webhook_types() IS
    'The types of webhooks that there are: what people call each, how its URL looks, how mention is written, which of the settings that not all have it has a place for, and in which formats zentry_preview shows its messages';

CREATE OR REPLACE FUNCTION zentry_notify.settings_in_the_way(
    webhook_type text, webhook_url text, allowed_hosts text, allow_http boolean, allow_private_addresses boolean) RETURNS TABLE (setting text, needed text)
    LANGUAGE c STABLE STRICT ROWS 1 AS 'MODULE_PATHNAME', 'settings_in_the_way_wrapper';
COMMENT ON FUNCTION zentry_notify.settings_in_the_way(text, text, text, boolean, boolean) IS
    'Which of these settings keep the URL from being called, and what each would have to be; of allowed_hosts, what it lacks';

CREATE OR REPLACE FUNCTION zentry_notify.check_mention(webhook_type text, webhook_url text, mention text) RETURNS void
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'check_mention_wrapper';
COMMENT ON FUNCTION zentry_notify.check_mention(text, text, text) IS 'An error unless messages to such a webhook can ping so';

CREATE OR REPLACE FUNCTION zentry_notify.check_quiet_hours(quiet_hours text) RETURNS void
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'check_quiet_hours_wrapper';
COMMENT ON FUNCTION zentry_notify.check_quiet_hours(text) IS 'An error for what is no quiet hours';

CREATE OR REPLACE FUNCTION zentry_notify.check_rate_limit(rate_limit text) RETURNS void
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'check_rate_limit_wrapper';
COMMENT ON FUNCTION zentry_notify.check_rate_limit(text) IS 'An error for what is no rate';

CREATE OR REPLACE FUNCTION zentry_notify.rate_of(webhook_type text, webhook_url text, rate_limit text) RETURNS text
    LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'rate_of_wrapper';
COMMENT ON FUNCTION zentry_notify.rate_of(text, text, text) IS
    'The rate at which messages leave to such a webhook: its own, or zentry_notify.teams_rate for Microsoft''s hosts; null: nobody counts';

CREATE OR REPLACE FUNCTION zentry_notify.rate_opens_at(rates text[], posted_at timestamptz[]) RETURNS timestamptz
    LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'rate_opens_at_wrapper';
COMMENT ON FUNCTION zentry_notify.rate_opens_at(text[], timestamptz[]) IS
    'When the lowest of the rates lets the next message leave, after those that were posted; null: it does not hold it back';

CREATE OR REPLACE FUNCTION zentry_notify.lowest_rate(rates text[]) RETURNS text
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'lowest_rate_wrapper';
COMMENT ON FUNCTION zentry_notify.lowest_rate(text[]) IS 'The rate that allows the least of them; null: none limits anything';

CREATE OR REPLACE FUNCTION zentry_notify.check_digest(digest text, quiet_hours text) RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'check_digest_wrapper';
COMMENT ON FUNCTION zentry_notify.check_digest(text, text) IS 'An error for what is no time of a digest; its time zone is that of the quiet hours unless it names one';

CREATE OR REPLACE FUNCTION zentry_notify.digest_due(digest text, quiet_hours text, first_event timestamptz) RETURNS timestamptz
    LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'digest_due_wrapper';
COMMENT ON FUNCTION zentry_notify.digest_due(text, text, timestamptz) IS 'When the digest leaves that begins with an event of that moment; null: there is no digest';

CREATE OR REPLACE FUNCTION zentry_notify.over_age(event_at timestamptz, seconds double precision, digest text, quiet_hours text) RETURNS boolean
    LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'over_age_wrapper';
COMMENT ON FUNCTION zentry_notify.over_age(timestamptz, double precision, text, text) IS
    'Whether a delivery of an event of that moment has waited for so long; what a digest gathers, and what waits in quiet hours, grows no older';

CREATE OR REPLACE FUNCTION zentry_notify.has_expired(event_at timestamptz, max_age interval, digest text, quiet_hours text) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT event_at < now() - max_age AND zentry_notify.over_age(event_at, extract(epoch FROM max_age)::double precision, digest, quiet_hours)
$$;
COMMENT ON FUNCTION zentry_notify.has_expired(timestamptz, interval, text, text) IS
    'Whether a delivery of an event of that moment is too old to be sent to a webhook with that digest and these quiet hours';

CREATE OR REPLACE FUNCTION zentry_notify.quiet_until(quiet_hours text) RETURNS timestamptz
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'quiet_until_wrapper';
COMMENT ON FUNCTION zentry_notify.quiet_until(text) IS 'When the quiet that there is now is over; null: there is none now';

CREATE OR REPLACE FUNCTION zentry_notify.redact_url(webhook_url text) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'redact_url_wrapper';
COMMENT ON FUNCTION zentry_notify.redact_url(text) IS 'The URL without its secret';

CREATE OR REPLACE FUNCTION zentry_notify.built_in_event_types() RETURNS TABLE (definition jsonb, sample jsonb)
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'built_in_event_types_wrapper';
COMMENT ON FUNCTION zentry_notify.built_in_event_types() IS 'What the messages of Zentry''s five events say, and a sample of each';

CREATE OR REPLACE FUNCTION zentry_notify.languages() RETURNS text[]
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'languages_wrapper';
COMMENT ON FUNCTION zentry_notify.languages() IS 'The languages that there are words in';

CREATE OR REPLACE FUNCTION zentry_notify.language_words(language text) RETURNS TABLE (event_type text, words jsonb)
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE ROWS 6 AS 'MODULE_PATHNAME', 'language_words_wrapper';
COMMENT ON FUNCTION zentry_notify.language_words(text) IS 'What the messages of Zentry''s five events, and the test message, say in a language';

CREATE OR REPLACE FUNCTION zentry_notify.check_definition(definition jsonb, sample jsonb, known text[]) RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'check_definition_wrapper';
COMMENT ON FUNCTION zentry_notify.check_definition(jsonb, jsonb, text[]) IS
    'An error unless messages can be made by the definition; a warning for each key that its templates ask for and that is not among those known';

CREATE OR REPLACE FUNCTION zentry_notify.ordered_fields(fields text) RETURNS jsonb
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'ordered_fields_wrapper';
COMMENT ON FUNCTION zentry_notify.ordered_fields(text) IS 'The fields of a message as an array, in the order in which they were written';

CREATE OR REPLACE FUNCTION zentry_notify.placeholder_event(definition jsonb) RETURNS jsonb
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'placeholder_event_wrapper';
COMMENT ON FUNCTION zentry_notify.placeholder_event(jsonb) IS 'For each key that the definition''s templates ask for, its name in words';

CREATE OR REPLACE FUNCTION zentry_notify.event_message(definition jsonb, format text, data jsonb, stored text, mention text) RETURNS text
    LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'event_message_wrapper';
COMMENT ON FUNCTION zentry_notify.event_message(jsonb, text, jsonb, text, text) IS
    'The message of an event, byte for byte, in a format of zentry_webhook_types() or that of a type. stored: what appearance_of gives of a webhook';

CREATE OR REPLACE FUNCTION zentry_notify.check_appearance(username text, avatar_url text, thread_name text, applied_tags text[], thread_by text) RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'check_appearance_wrapper';
COMMENT ON FUNCTION zentry_notify.check_appearance(text, text, text, text[], text) IS 'An error unless the services take messages that appear so';

CREATE OR REPLACE FUNCTION zentry_notify.check_thread(webhook_type text, webhook_url text, thread_name text) RETURNS void
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'check_thread_wrapper';
COMMENT ON FUNCTION zentry_notify.check_thread(text, text, text) IS 'An error if the URL names a thread of Discord already: a message goes to one or the other';

CREATE OR REPLACE FUNCTION zentry_notify.make_secret() RETURNS text
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'make_secret_wrapper';
COMMENT ON FUNCTION zentry_notify.make_secret() IS 'A secret to sign by that nobody knows';

CREATE OR REPLACE FUNCTION zentry_notify.check_signing(webhook_type text, secret text, headers text) RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'check_signing_wrapper';
COMMENT ON FUNCTION zentry_notify.check_signing(text, text, text) IS
    'An error for what is no secret of such a webhook, to sign by or as credentials, or for headers that no request could have';

CREATE OR REPLACE FUNCTION zentry_notify.check_keys(parameter text, keys text[], known text[], certain boolean) RETURNS void
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'check_keys_wrapper';
COMMENT ON FUNCTION zentry_notify.check_keys(text, text[], text[], boolean) IS
    'An error for a key that is a slip of a known one, if it is certain which there are; else a warning';

CREATE OR REPLACE FUNCTION zentry_notify.filter_keys(filter text) RETURNS text[]
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'filter_keys_wrapper';
COMMENT ON FUNCTION zentry_notify.filter_keys(text) IS 'The keys of the data that a filter asks for';

CREATE OR REPLACE FUNCTION zentry_notify.has_variables(filter text) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'has_variables_wrapper';
COMMENT ON FUNCTION zentry_notify.has_variables(text) IS 'Whether a filter asks for variables such as $name, which nobody gives a value';

CREATE OR REPLACE FUNCTION zentry_notify.ended_service(webhook_type text, webhook_url text) RETURNS text
    LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'ended_service_wrapper';
COMMENT ON FUNCTION zentry_notify.ended_service(text, text) IS 'What there is no more of what the URL is of, and what to do; null: nothing that is known has ended';

CREATE OR REPLACE FUNCTION zentry_notify.webhook_format(webhook_type text, webhook_url text) RETURNS text
    LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'webhook_format_wrapper';
COMMENT ON FUNCTION zentry_notify.webhook_format(text, text) IS 'The format that a webhook''s URL takes: one of zentry_webhook_types()';

CREATE OR REPLACE FUNCTION zentry_notify.wake(webhook_ids bigint[], overdue boolean DEFAULT false) RETURNS void
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'wake_wrapper';
COMMENT ON FUNCTION zentry_notify.wake(bigint[], boolean) IS
    'At commit, lets the worker look at what waits for these integrations; overdue: also at those that wait to be tried again';

CREATE OR REPLACE FUNCTION zentry_notify.resume(webhook_id bigint) RETURNS void
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'resume_wrapper';
COMMENT ON FUNCTION zentry_notify.resume(bigint) IS 'At commit, lets the worker try the integration''s endpoint, whatever that has asked for';

CREATE OR REPLACE FUNCTION zentry_notify.wake_for_senders() RETURNS void
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'wake_for_senders_wrapper';
COMMENT ON FUNCTION zentry_notify.wake_for_senders() IS 'At commit, lets the worker read the configuration again: which queues are for senders, and which it has back';

CREATE OR REPLACE FUNCTION zentry_notify.lost_events() RETURNS bigint
    LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'lost_events_wrapper';
COMMENT ON FUNCTION zentry_notify.lost_events() IS 'Events of this database that could not be written, since the server started';

CREATE OR REPLACE FUNCTION zentry_notify.warn_unless_preloaded() RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'warn_unless_preloaded_wrapper';
COMMENT ON FUNCTION zentry_notify.warn_unless_preloaded() IS 'A warning when nothing will be sent because shared_preload_libraries lacks zentry_notify';

CREATE OR REPLACE FUNCTION zentry_notify.library_version() RETURNS text
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'library_version_wrapper';
COMMENT ON FUNCTION zentry_notify.library_version() IS
    'The version of the library that this session has loaded; pg_extension.extversion is that of the SQL, and both have to be the same';

CREATE OR REPLACE FUNCTION zentry_notify.put_api_token(token_key text, name text, role oid, token_hash bytea, expires_at timestamptz) RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'put_api_token_wrapper';
COMMENT ON FUNCTION zentry_notify.put_api_token(text, text, oid, bytea, timestamptz) IS
    'Writes a token of the REST API, if who calls has the privileges of its role';

CREATE OR REPLACE FUNCTION zentry_notify.drop_api_token(name text) RETURNS boolean
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'drop_api_token_wrapper';
COMMENT ON FUNCTION zentry_notify.drop_api_token(text) IS
    'Takes a token of the REST API away, if who calls has the privileges of its role or the role is gone; false: there is none';

CREATE OR REPLACE FUNCTION @extschema@.zentry_test_webhook(webhook_id bigint, test_message text DEFAULT 'Test message from Zentry!')
    RETURNS TABLE (log_id bigint, status text, response_status_code integer, error_message text)
    LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET session_replication_role = origin ROWS 1
    AS 'MODULE_PATHNAME', 'zentry_test_webhook_wrapper';
COMMENT ON FUNCTION @extschema@.zentry_test_webhook(bigint, text) IS
    'Posts a message to the webhook at once, waits for the answer and returns what became of it; the log has it too';
