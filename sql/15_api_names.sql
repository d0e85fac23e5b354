-- Names that Zentry's clients expect beside ids. They are read with the caller's rights: who may not read the
-- application's table sees none.

CREATE FUNCTION zentry_notify.look_up(data_key text, ids bigint[]) RETURNS TABLE (id bigint, shown text)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    lookup   jsonb;
    relation regclass;
BEGIN
    SELECT s.columns -> data_key INTO lookup
      FROM zentry_notify.event_source s
     WHERE jsonb_typeof(s.columns -> data_key) = 'object'
       AND s.columns -> data_key ?& ARRAY['from', 'match', 'column']
     ORDER BY s.id LIMIT 1;
    relation := to_regclass(lookup ->> 'from');
    -- A view or a policy of the table's owner would run its code with the caller's rights.
    IF relation IS NULL OR NOT EXISTS (
        SELECT FROM pg_class c
          JOIN pg_attribute key ON key.attrelid = c.oid AND key.attname = lookup ->> 'match'
               AND key.atttypid IN ('smallint'::regtype, 'integer'::regtype, 'bigint'::regtype)
          JOIN pg_attribute shown ON shown.attrelid = c.oid AND shown.attname = lookup ->> 'column'
         WHERE c.oid = relation AND c.relkind IN ('r', 'p') AND NOT c.relrowsecurity
           AND has_schema_privilege(c.relnamespace, 'USAGE')
           AND has_column_privilege(c.oid, key.attnum, 'SELECT') AND has_column_privilege(c.oid, shown.attnum, 'SELECT'))
    THEN
        RETURN;
    END IF;
    RETURN QUERY EXECUTE format('SELECT t.%1$I::bigint, t.%2$I::text FROM %3$s t WHERE t.%1$I OPERATOR(pg_catalog.=) ANY ($1)',
                                lookup ->> 'match', lookup ->> 'column', relation)
           USING ids;
END
$$;
COMMENT ON FUNCTION zentry_notify.look_up(text, bigint[]) IS
    'What the attached tables'' look-ups (project_name, user_name) give for these ids, as far as the caller may read it';
