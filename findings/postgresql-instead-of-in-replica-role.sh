#!/usr/bin/env bash
# PostgreSQL 15.20: in a session of the replica role, a write to a view with INSTEAD OF triggers says that it wrote, and writes nothing.
#
# Expected: the manual ("session_replication_role", "ALTER TABLE ... ENABLE TRIGGER") says that triggers of such a session do not fire
# unless they are ALWAYS or REPLICA. A view without its INSTEAD OF trigger refuses a write that it can't do by itself ("cannot insert
# into view"), and a simple view passes it on to its table; one of the two would be expected of a view whose trigger does not fire.
#
# What happens: INSERT 0 1 and UPDATE 1, RETURNING shows the row, and the table has not changed. That also holds for a view that is
# simple enough to be written without a trigger. ENABLE ALWAYS TRIGGER, the remedy for a table's trigger, is refused for views.
#
# Bitten: whoever loads data by a tool that sets session_replication_role for speed, or to leave foreign keys unchecked, through an
# updatable view, as of a renamed or split table: the counts are right, and the data are gone.
#
# shellcheck source-path=SCRIPTDIR source=lib/common.bash
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.bash"

server pg "$postgresql_15"
writes() {
    query <<'SQL'
CREATE TABLE stored (id int, name text);
INSERT INTO stored VALUES (1, 'one');
CREATE VIEW shown AS SELECT id, name FROM stored;
CREATE FUNCTION pass_on() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO stored VALUES (NEW.*);
    ELSE
        UPDATE stored SET name = NEW.name WHERE id = OLD.id;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER pass_on INSTEAD OF INSERT OR UPDATE ON shown FOR EACH ROW EXECUTE FUNCTION pass_on();
\set QUIET off
SET session_replication_role = replica;
INSERT INTO shown VALUES (2, 'two') RETURNING id, name;
UPDATE shown SET name = 'uno' WHERE id = 1;
SET session_replication_role = origin;
SELECT * FROM stored;
INSERT INTO shown VALUES (3, 'three');
SELECT * FROM stored;
ALTER TABLE shown ENABLE ALWAYS TRIGGER pass_on;
SQL
}
seen writes
as_written_down <<'SEEN'
SET
2|two
INSERT 0 1
UPDATE 1
SET
1|one
INSERT 0 1
1|one
3|three
ERROR:  ALTER action ENABLE ALWAYS TRIGGER cannot be performed on relation "shown"
DETAIL:  This operation is not supported for views.
SEEN
