-- What messages say: event types combined with wordings and languages, and the rules for both.

CREATE OR REPLACE VIEW zentry_notify.event_definition AS
WITH type AS (
    SELECT t.name, pg_catalog.jsonb_strip_nulls(pg_catalog.to_jsonb(t) - '{built_in,created_at,sample}'::pg_catalog.text[]) AS definition
      FROM zentry_notify.event_type t),
wording AS (
    SELECT w.event_type, w.webhook_integration_id,
           pg_catalog.jsonb_strip_nulls(pg_catalog.to_jsonb(w) - '{id,event_type,webhook_integration_id,created_at,language}'::pg_catalog.text[]) AS words
      FROM zentry_notify.event_wording w WHERE w.event_type <> '*'),
language AS (
    SELECT w.language, w.webhook_integration_id FROM zentry_notify.event_wording w WHERE w.event_type = '*'),
-- language_words has no text for event types of users: of the language these have its numbers, dates and buttons.
spoken AS (
    SELECT t.name, l.webhook_integration_id, pg_catalog.jsonb_build_object('language', l.language) || coalesce(p.words, '{}') AS words
      FROM language l CROSS JOIN type t
      LEFT JOIN LATERAL zentry_notify.language_words(l.language) p ON p.event_type = t.name),
common AS (
    SELECT t.name, t.definition || coalesce(s.words, '{}') || coalesce(w.words, '{}') AS definition
      FROM type t
      LEFT JOIN spoken s ON s.name = t.name AND s.webhook_integration_id IS NULL
      LEFT JOIN wording w ON w.event_type = t.name AND w.webhook_integration_id IS NULL),
own AS (
    SELECT w.event_type AS name, w.webhook_integration_id FROM wording w WHERE w.webhook_integration_id IS NOT NULL
     UNION
    SELECT s.name, s.webhook_integration_id FROM spoken s WHERE s.webhook_integration_id IS NOT NULL)
SELECT e.name AS event_type, NULL::bigint AS webhook_integration_id, e.definition
  FROM common e
UNION ALL
SELECT e.name, o.webhook_integration_id, e.definition || coalesce(s.words, '{}') || coalesce(w.words, '{}')
  FROM own o
  JOIN common e ON e.name = o.name
  LEFT JOIN spoken s ON s.name = o.name AND s.webhook_integration_id = o.webhook_integration_id
  LEFT JOIN wording w ON w.event_type = o.name AND w.webhook_integration_id = o.webhook_integration_id
UNION ALL
-- The test message has no row in event_type, because no webhook can subscribe to it.
SELECT p.event_type::pg_catalog.varchar(50), l.webhook_integration_id, pg_catalog.jsonb_build_object('name', p.event_type, 'language', l.language) || p.words
  FROM language l CROSS JOIN LATERAL zentry_notify.language_words(l.language) p WHERE p.event_type = 'test';
COMMENT ON VIEW zentry_notify.event_definition IS 'What the messages of each event type say: the type''s own texts, replaced by the language and the wording of the installation, and by those of the webhook. The event type test is the test message, if a language is set';
COMMENT ON COLUMN zentry_notify.event_definition.event_type IS 'The event type; test: the test message';
COMMENT ON COLUMN zentry_notify.event_definition.webhook_integration_id IS 'The webhook that has a wording or a language of its own; null: what the messages of the others say';
COMMENT ON COLUMN zentry_notify.event_definition.definition IS 'Object with name, title, text, fields, colour, emoji, footer, time_key, url, thumbnail and language; what is null is left out';

CREATE OR REPLACE FUNCTION zentry_notify.sample_event(event_type text) RETURNS jsonb
    LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
    SELECT coalesce(t.sample, zentry_notify.placeholder_event(d.definition))
      FROM zentry_notify.event_type t
      JOIN zentry_notify.event_definition d ON d.event_type = t.name AND d.webhook_integration_id IS NULL
     WHERE t.name = sample_event.event_type
$$;
COMMENT ON FUNCTION zentry_notify.sample_event(text) IS
    'Returns the event type''s sample, or words in the place of data if it has none; null: there is no such type';

CREATE OR REPLACE FUNCTION zentry_notify.event_keys(event_type text) RETURNS text[]
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
    SELECT array_agg(DISTINCT key ORDER BY key)
      FROM (SELECT jsonb_object_keys(t.sample) FROM zentry_notify.event_type t
             WHERE t.name = event_keys.event_type AND jsonb_typeof(t.sample) = 'object'
             UNION ALL
            SELECT jsonb_object_keys(s.columns) FROM zentry_notify.event_source s WHERE s.event_type = event_keys.event_type) AS known (key)
$$;
COMMENT ON FUNCTION zentry_notify.event_keys(text) IS 'Returns the keys that the event''s data have according to its sample and its sources; null: it has neither';

CREATE OR REPLACE FUNCTION zentry_notify.check_event_type() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NEW.name IS NULL OR NEW.name !~ '^[a-z][a-z0-9_]{0,39}$' OR NEW.name IN ('test', 'project_progress')
       OR NEW.name = 'webhook_trouble' AND NOT NEW.built_in THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value', format('an event type cannot have the name "%s"', coalesce(NEW.name, '(null)')),
            'A name has up to 40 lower-case letters, digits and underscores and begins with a letter, such as release_published. "test", "project_progress" and "webhook_trouble" are taken.', 'name');
    END IF;
    IF jsonb_typeof(NEW.sample) <> 'object' THEN
        PERFORM zentry_notify.refuse('invalid_parameter_value', format('the sample of event type "%s" must be a JSON object', NEW.name),
            'For example {"release_name": "2.0"}.', 'sample');
    END IF;
    PERFORM zentry_notify.check_definition(jsonb_strip_nulls(to_jsonb(NEW) - '{built_in,created_at,sample}'::text[]), NEW.sample,
        ARRAY(SELECT jsonb_object_keys(NEW.sample)
              UNION SELECT jsonb_object_keys(s.columns) FROM zentry_notify.event_source s WHERE s.event_type = NEW.name));
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION zentry_notify.check_event_type() IS 'Trigger: checks a row of event_type';

CREATE OR REPLACE FUNCTION zentry_notify.check_event_wording() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    type zentry_notify.event_type;
BEGIN
    IF NEW.event_type = '*' THEN
        IF NEW.language <> ALL (zentry_notify.languages()) THEN
            PERFORM zentry_notify.refuse('invalid_parameter_value', format('unknown language "%s"', left(NEW.language, 50)),
                format('The languages are %s.', array_to_string(zentry_notify.languages(), ', ')), 'language');
        END IF;
        RETURN NEW;
    END IF;
    SELECT t.* INTO type FROM zentry_notify.event_type t WHERE t.name = NEW.event_type;
    IF NOT FOUND AND NOT zentry_notify.is_restoring() THEN
        PERFORM zentry_notify.refuse('foreign_key_violation', format('unknown event type "%s"', NEW.event_type),
            'SELECT zentry_register_event_type(name, title) adds one.');
    END IF;
    -- The event type is still to be restored: the wording is checked by itself.
    IF type.name IS NULL THEN
        type.name := NEW.event_type;
        type.title := NEW.event_type;
        type.text := '';
        type.fields := '[]';
        type.colour := '#808080';
        type.emoji := '';
    END IF;
    PERFORM zentry_notify.check_definition(
        jsonb_strip_nulls(to_jsonb(type) - '{built_in,created_at,sample}'::text[])
          || jsonb_strip_nulls(to_jsonb(NEW) - '{id,event_type,webhook_integration_id,created_at,language}'::text[]),
        type.sample, zentry_notify.event_keys(NEW.event_type));
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION zentry_notify.check_event_wording() IS 'Trigger: checks a row of event_wording';
