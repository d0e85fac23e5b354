#!/usr/bin/env bash
# PostgreSQL 18.4: a trigger's WHEN computes virtual generated columns; its function reads null for them.
#
# Expected: from 18 on a generated column is virtual unless it says STORED. The manual says of triggers that virtual
# columns "are not computed when triggers fire" and that higher-level languages should prevent access to them: an error,
# then.
#
# What happens: PL/pgSQL prevents nothing. NEW.total is null, to_jsonb(NEW) has "total": null, a valid value, and
# transition tables, which are read by ordinary queries, have the same null. The WHEN of the trigger computes the column,
# and so does RETURNING: the trigger fires because total > 10, and its function reads null.
#
# Bitten: audit, outbox and notification triggers with to_jsonb(NEW), which took generated columns along as long as all of
# them were STORED: a new column, or a schema that is written for 18 without the word, is logged as null, without an
# error.
#
# shellcheck source-path=SCRIPTDIR source=lib/common.bash
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.bash"

postgresql_18_from_npm 18.4.0-beta.17
server pg "$postgresql_18"
triggers() {
    query <<'SQL'
CREATE TABLE line (price integer, total integer GENERATED ALWAYS AS (price * 2), stored integer GENERATED ALWAYS AS (price * 2) STORED);
CREATE FUNCTION tell_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE NOTICE 'row:              NEW.total %, %', NEW.total, to_jsonb(NEW);
    RETURN NULL;
END $$;
CREATE FUNCTION tell_statement() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE NOTICE 'transition table: total %, %', (SELECT total FROM rows), (SELECT to_jsonb(rows) FROM rows);
    RETURN NULL;
END $$;
CREATE TRIGGER tell_row AFTER INSERT ON line FOR EACH ROW WHEN (NEW.total > 10) EXECUTE FUNCTION tell_row();
CREATE TRIGGER tell_statement AFTER INSERT ON line REFERENCING NEW TABLE AS rows FOR EACH STATEMENT EXECUTE FUNCTION tell_statement();
INSERT INTO line VALUES (6) RETURNING 'RETURNING:        ' || to_jsonb(line)::text;
SQL
}
seen triggers
as_written_down <<'SEEN'
NOTICE:  row:              NEW.total <NULL>, {"price": 6, "total": null, "stored": 12}
NOTICE:  transition table: total <NULL>, {"price": 6, "total": null, "stored": 12}
RETURNING:        {"price": 6, "total": 12, "stored": 12}
SEEN
