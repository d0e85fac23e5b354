-- The functions that are written in Rust; src/ has them under the same names.

CREATE OR REPLACE FUNCTION zentry_notify.capture() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'capture_wrapper';
COMMENT ON FUNCTION zentry_notify.capture() IS 'Trigger on attached tables: records the event if a webhook hears it';

CREATE OR REPLACE FUNCTION zentry_notify.configuration_changed() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'configuration_changed_wrapper';
COMMENT ON FUNCTION zentry_notify.configuration_changed() IS 'Trigger: makes every session and the worker read the configuration again';

CREATE OR REPLACE FUNCTION zentry_notify.refuse(
    condition text, message text, hint text DEFAULT NULL, column_name text DEFAULT NULL, detail text DEFAULT NULL) RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'refuse_wrapper';
COMMENT ON FUNCTION zentry_notify.refuse(text, text, text, text, text) IS
    'Raises an error of that condition, as RAISE does, but without the extension''s own functions in its CONTEXT';

CREATE OR REPLACE FUNCTION zentry_notify.check_webhook_url(webhook_type text, webhook_url text) RETURNS void
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'check_webhook_url_wrapper';
COMMENT ON FUNCTION zentry_notify.check_webhook_url(text, text) IS 'Raises an error unless the URL is one that webhooks of this type have, and the settings permit its host';

CREATE OR REPLACE FUNCTION zentry_notify.check_webhook_type(webhook_type text) RETURNS void
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'check_webhook_type_wrapper';
COMMENT ON FUNCTION zentry_notify.check_webhook_type(text) IS 'Raises an error, which names the types of webhooks, unless this is one of them';

CREATE OR REPLACE FUNCTION zentry_notify.check_room_for_webhook() RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'check_room_for_webhook_wrapper';
COMMENT ON FUNCTION zentry_notify.check_room_for_webhook() IS 'Raises an error if there are as many webhooks as zentry_notify.max_webhooks allows';

CREATE OR REPLACE FUNCTION zentry_notify.type_has(webhook_type text, setting text) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'type_has_wrapper';
COMMENT ON FUNCTION zentry_notify.type_has(text, text) IS 'Whether webhooks of this type have this setting, one of those in zentry_webhook_types(); null: there is no such type';

CREATE OR REPLACE FUNCTION @extschema@.zentry_webhook_types()
    RETURNS TABLE (webhook_type text, label text, url text, mention text, settings text[], formats text[])
    LANGUAGE c STABLE PARALLEL SAFE ROWS 8 AS 'MODULE_PATHNAME', 'zentry_webhook_types_wrapper';
COMMENT ON FUNCTION @extschema@.zentry_webhook_types() IS
    'Returns the types of webhooks. label: what people call the type; url: the form of its URL; mention: how mention is written; settings: those that it has of the settings that not every type has; formats: those in which zentry_preview shows its messages';

CREATE OR REPLACE FUNCTION zentry_notify.settings_in_the_way(
    webhook_type text, webhook_url text, allowed_hosts text, allow_http boolean, allow_private_addresses boolean) RETURNS TABLE (setting text, needed text)
    LANGUAGE c STABLE STRICT ROWS 1 AS 'MODULE_PATHNAME', 'settings_in_the_way_wrapper';
COMMENT ON FUNCTION zentry_notify.settings_in_the_way(text, text, text, boolean, boolean) IS
    'Returns which of these settings forbid requests to the URL, and the value that each would need; of allowed_hosts, the entry that it lacks';

CREATE OR REPLACE FUNCTION zentry_notify.check_mention(webhook_type text, webhook_url text, mention text) RETURNS void
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'check_mention_wrapper';
COMMENT ON FUNCTION zentry_notify.check_mention(text, text, text) IS 'Raises an error unless messages to such a webhook can have this mention';

CREATE OR REPLACE FUNCTION zentry_notify.check_quiet_hours(quiet_hours text) RETURNS void
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'check_quiet_hours_wrapper';
COMMENT ON FUNCTION zentry_notify.check_quiet_hours(text) IS 'Raises an error unless the text is valid as quiet hours';

CREATE OR REPLACE FUNCTION zentry_notify.check_rate_limit(rate_limit text) RETURNS void
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'check_rate_limit_wrapper';
COMMENT ON FUNCTION zentry_notify.check_rate_limit(text) IS 'Raises an error unless the text is a rate, such as 25/5min';

CREATE OR REPLACE FUNCTION zentry_notify.rate_of(webhook_type text, webhook_url text, rate_limit text) RETURNS text
    LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'rate_of_wrapper';
COMMENT ON FUNCTION zentry_notify.rate_of(text, text, text) IS
    'Returns the rate at which messages are sent to such a webhook: its own, or zentry_notify.teams_rate for Microsoft''s hosts; null: neither limits it';

CREATE OR REPLACE FUNCTION zentry_notify.rate_opens_at(rates text[], posted_at timestamptz[]) RETURNS timestamptz
    LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'rate_opens_at_wrapper';
COMMENT ON FUNCTION zentry_notify.rate_opens_at(text[], timestamptz[]) IS
    'Returns when the lowest of the rates permits the next message, after those that were posted at these times; null: at once';

CREATE OR REPLACE FUNCTION zentry_notify.lowest_rate(rates text[]) RETURNS text
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'lowest_rate_wrapper';
COMMENT ON FUNCTION zentry_notify.lowest_rate(text[]) IS 'Returns the lowest of the rates; null: none limits anything';

CREATE OR REPLACE FUNCTION zentry_notify.check_digest(digest text, quiet_hours text) RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'check_digest_wrapper';
COMMENT ON FUNCTION zentry_notify.check_digest(text, text) IS 'Raises an error unless the text is valid as a digest; its time zone is that of the quiet hours unless it names one';

CREATE OR REPLACE FUNCTION zentry_notify.digest_due(digest text, quiet_hours text, first_event timestamptz) RETURNS timestamptz
    LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'digest_due_wrapper';
COMMENT ON FUNCTION zentry_notify.digest_due(text, text, timestamptz) IS 'Returns when the digest is due whose first event happened at that time; null: the webhook has no digest';

CREATE OR REPLACE FUNCTION zentry_notify.over_age(event_at timestamptz, seconds double precision, digest text, quiet_hours text) RETURNS boolean
    LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'over_age_wrapper';
COMMENT ON FUNCTION zentry_notify.over_age(timestamptz, double precision, text, text) IS
    'Whether a delivery of an event of that time is older than so many seconds. The time before its digest is due, and in quiet hours, does not count';

CREATE OR REPLACE FUNCTION zentry_notify.has_expired(event_at timestamptz, max_age interval, digest text, quiet_hours text) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT event_at < now() - max_age AND zentry_notify.over_age(event_at, extract(epoch FROM max_age)::double precision, digest, quiet_hours)
$$;
COMMENT ON FUNCTION zentry_notify.has_expired(timestamptz, interval, text, text) IS
    'Whether a delivery of an event of that time has expired for a webhook with that digest and these quiet hours';

CREATE OR REPLACE FUNCTION zentry_notify.quiet_until(quiet_hours text) RETURNS timestamptz
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'quiet_until_wrapper';
COMMENT ON FUNCTION zentry_notify.quiet_until(text) IS 'Returns when the quiet hours of now end; null: there are none now';

CREATE OR REPLACE FUNCTION zentry_notify.redact_url(webhook_url text) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'redact_url_wrapper';
COMMENT ON FUNCTION zentry_notify.redact_url(text) IS 'Returns the URL without its secret';

CREATE OR REPLACE FUNCTION zentry_notify.built_in_event_types() RETURNS TABLE (definition jsonb, sample jsonb)
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'built_in_event_types_wrapper';
COMMENT ON FUNCTION zentry_notify.built_in_event_types() IS 'Returns the definition and a sample of each built-in event type';

CREATE OR REPLACE FUNCTION zentry_notify.languages() RETURNS text[]
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'languages_wrapper';
COMMENT ON FUNCTION zentry_notify.languages() IS 'Returns the languages that messages can be in, such as de';

CREATE OR REPLACE FUNCTION zentry_notify.language_words(language text) RETURNS TABLE (event_type text, words jsonb)
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE ROWS 6 AS 'MODULE_PATHNAME', 'language_words_wrapper';
COMMENT ON FUNCTION zentry_notify.language_words(text) IS 'Returns what the messages of the built-in event types, and the test message, say in a language';

CREATE OR REPLACE FUNCTION zentry_notify.check_definition(definition jsonb, sample jsonb, known text[]) RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'check_definition_wrapper';
COMMENT ON FUNCTION zentry_notify.check_definition(jsonb, jsonb, text[]) IS
    'Raises an error unless the definition makes messages, of the sample too, and warns of each key that its templates use and that is not a known one';

CREATE OR REPLACE FUNCTION zentry_notify.ordered_fields(fields text) RETURNS jsonb
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'ordered_fields_wrapper';
COMMENT ON FUNCTION zentry_notify.ordered_fields(text) IS 'Returns the fields of a message, a JSON object, as an array in the order in which they were written';

CREATE OR REPLACE FUNCTION zentry_notify.placeholder_event(definition jsonb) RETURNS jsonb
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'placeholder_event_wrapper';
COMMENT ON FUNCTION zentry_notify.placeholder_event(jsonb) IS 'Returns an object with each key that the definition''s templates use; its value is the key''s name in words';

CREATE OR REPLACE FUNCTION zentry_notify.event_message(definition jsonb, format text, data jsonb, stored text, mention text) RETURNS text
    LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'event_message_wrapper';
COMMENT ON FUNCTION zentry_notify.event_message(jsonb, text, jsonb, text, text) IS
    'Returns the message of an event as it is posted, in a format of zentry_webhook_types() or in that of a type. stored: what appearance_of returns';

CREATE OR REPLACE FUNCTION zentry_notify.check_appearance(username text, avatar_url text, thread_name text, applied_tags text[], thread_by text) RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'check_appearance_wrapper';
COMMENT ON FUNCTION zentry_notify.check_appearance(text, text, text, text[], text) IS 'Raises an error unless the services accept messages with this appearance';

CREATE OR REPLACE FUNCTION zentry_notify.check_thread(webhook_type text, webhook_url text, thread_name text) RETURNS void
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'check_thread_wrapper';
COMMENT ON FUNCTION zentry_notify.check_thread(text, text, text) IS 'Raises an error if the URL names a thread of Discord already: a message goes either there or to a new one';

CREATE OR REPLACE FUNCTION zentry_notify.make_secret() RETURNS text
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'make_secret_wrapper';
COMMENT ON FUNCTION zentry_notify.make_secret() IS 'Returns a new random secret to sign by';

CREATE OR REPLACE FUNCTION zentry_notify.check_signing(webhook_type text, secret text, headers text) RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'check_signing_wrapper';
COMMENT ON FUNCTION zentry_notify.check_signing(text, text, text) IS
    'Raises an error unless webhooks of this type can have the secret (to sign by, or as credentials), and requests the headers';

CREATE OR REPLACE FUNCTION zentry_notify.check_keys(parameter text, keys text[], known text[], certain boolean) RETURNS void
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'check_keys_wrapper';
COMMENT ON FUNCTION zentry_notify.check_keys(text, text[], text[], boolean) IS
    'Warns of each key that is not a known one. Raises an error for one that is a misspelling of a known one, if certain says that all keys are known';

CREATE OR REPLACE FUNCTION zentry_notify.filter_keys(filter text) RETURNS text[]
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'filter_keys_wrapper';
COMMENT ON FUNCTION zentry_notify.filter_keys(text) IS 'Returns the keys of the data that a filter uses';

CREATE OR REPLACE FUNCTION zentry_notify.has_variables(filter text) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'has_variables_wrapper';
COMMENT ON FUNCTION zentry_notify.has_variables(text) IS 'Whether a filter has variables, such as $name: nothing gives them a value';

CREATE OR REPLACE FUNCTION zentry_notify.ended_service(webhook_type text, webhook_url text) RETURNS text
    LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'ended_service_wrapper';
COMMENT ON FUNCTION zentry_notify.ended_service(text, text) IS 'Returns why the service that the URL belongs to no longer exists, and what to do; null: it is not known to have ended';

CREATE OR REPLACE FUNCTION zentry_notify.webhook_format(webhook_type text, webhook_url text) RETURNS text
    LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'webhook_format_wrapper';
COMMENT ON FUNCTION zentry_notify.webhook_format(text, text) IS 'Returns the format of the messages to that URL, one of those in zentry_webhook_types()';

CREATE OR REPLACE FUNCTION zentry_notify.wake(webhook_ids bigint[], overdue boolean DEFAULT false) RETURNS void
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'wake_wrapper';
COMMENT ON FUNCTION zentry_notify.wake(bigint[], boolean) IS
    'Wakes the worker at commit to look at what waits for these webhooks; overdue: also at what waits for its next attempt';

CREATE OR REPLACE FUNCTION zentry_notify.resume(webhook_id bigint) RETURNS void
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'resume_wrapper';
COMMENT ON FUNCTION zentry_notify.resume(bigint) IS 'Makes the worker try the webhook''s endpoint at commit, even if that has asked it to wait';

CREATE OR REPLACE FUNCTION zentry_notify.wake_for_senders() RETURNS void
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'wake_for_senders_wrapper';
COMMENT ON FUNCTION zentry_notify.wake_for_senders() IS 'Makes the worker read at commit which queues are for senders, and which are its own again';

CREATE OR REPLACE FUNCTION zentry_notify.lost_events() RETURNS bigint
    LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'lost_events_wrapper';
COMMENT ON FUNCTION zentry_notify.lost_events() IS 'Returns how many events of this database could not be written since the server started';

CREATE OR REPLACE FUNCTION zentry_notify.warn_unless_preloaded() RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'warn_unless_preloaded_wrapper';
COMMENT ON FUNCTION zentry_notify.warn_unless_preloaded() IS 'Warns that nothing will be sent if shared_preload_libraries lacks zentry_notify';

CREATE OR REPLACE FUNCTION zentry_notify.library_version() RETURNS text
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'library_version_wrapper';
COMMENT ON FUNCTION zentry_notify.library_version() IS
    'Returns the version of the library that this session has loaded; pg_extension.extversion is that of the SQL, and both have to be the same';

CREATE OR REPLACE FUNCTION zentry_notify.put_api_token(token_key text, name text, role oid, token_hash bytea, expires_at timestamptz) RETURNS void
    LANGUAGE c AS 'MODULE_PATHNAME', 'put_api_token_wrapper';
COMMENT ON FUNCTION zentry_notify.put_api_token(text, text, oid, bytea, timestamptz) IS
    'Writes a token of the REST API; an error unless the caller has the privileges of its role';

CREATE OR REPLACE FUNCTION zentry_notify.drop_api_token(name text) RETURNS boolean
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'drop_api_token_wrapper';
COMMENT ON FUNCTION zentry_notify.drop_api_token(text) IS
    'Removes a token of the REST API; an error unless the caller has the privileges of its role, or that role is gone. Returns false if there is no such token';

CREATE OR REPLACE FUNCTION @extschema@.zentry_test_webhook(webhook_id bigint, test_message text DEFAULT 'Test message from Zentry!')
    RETURNS TABLE (log_id bigint, status text, response_status_code integer, error_message text)
    LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET session_replication_role = origin ROWS 1
    AS 'MODULE_PATHNAME', 'zentry_test_webhook_wrapper';
COMMENT ON FUNCTION @extschema@.zentry_test_webhook(bigint, text) IS
    'Posts a message to the webhook at once, waits for the answer, and returns the outcome, which is also in the log';
