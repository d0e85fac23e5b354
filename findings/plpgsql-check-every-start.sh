#!/usr/bin/env bash
# plpgsql_check 2.3.0 (Debian postgresql-15-plpgsql-check 2.3.0-1): to check a trigger's function makes it fail.
#
# Expected: README, "Passive mode": with plpgsql_check.mode = every_start "functions are checked on start", and what is wrong in them is shown; a function in
# which nothing is wrong runs as without it.
#
# What happens: the function of a BEFORE trigger that assigns a field of NEW, as nearly all of them do, fails with "record "new" is not assigned to
# tuple structure": the check leaves the record empty behind. With mode = by_function the same statement works.
#
# Bitten: who switches the passive mode on in a test system, and has every INSERT refused there.
#
# shellcheck source-path=SCRIPTDIR source=lib/common.bash
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.bash"

from_debian postgresql-15-plpgsql-check=2.3.0-1
server pg "$postgresql_15" "shared_preload_libraries = '$work/deb/usr/lib/postgresql/15/lib/plpgsql_check'"
try() {
    query <<'SQL'
CREATE TABLE page (title text, changed date);
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.changed := '2026-01-01';
    RETURN NEW;
END $$;
CREATE TRIGGER stamp BEFORE INSERT ON page FOR EACH ROW EXECUTE FUNCTION stamp();
SET plpgsql_check.mode = every_start;
INSERT INTO page VALUES ('every_start');
SET plpgsql_check.mode = by_function;
INSERT INTO page VALUES ('by_function');
SELECT title, changed FROM page;
SQL
}
seen try
as_written_down <<'SEEN'
ERROR:  record "new" is not assigned to tuple structure
CONTEXT:  PL/pgSQL function stamp() line 3 at assignment to field "changed" of variable "new" declared on line 0
by_function|2026-01-01
SEEN
