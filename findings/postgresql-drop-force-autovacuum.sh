#!/usr/bin/env bash
# PostgreSQL 15.20 and 18.4: DROP DATABASE ... WITH (FORCE) is refused where DROP DATABASE alone succeeds.
#
# Expected: FORCE is "attempt to terminate all existing connections to the target database", and it will fail "if the
# current user has no permissions to terminate other connections" (documentation, DROP DATABASE). Autovacuum is nobody's
# connection, and DROP DATABASE without FORCE ends it by itself.
#
# What happens: while autovacuum works in the database, its owner, who is alone in it otherwise and is no superuser, gets
# "must be a member of the role whose process is being terminated" (18: "permission denied to terminate process") for
# FORCE: an autovacuum worker belongs to no role, so nobody is a member of that role. Without FORCE, the owner's next
# statement drops the database.
#
# Bitten: test runners and previews that create and drop databases as a role of their own, and say FORCE to be sure: they
# fail now and then, when a minute's autovacuum has found what the tests wrote. A second try without FORCE succeeds.
#
# shellcheck source-path=SCRIPTDIR source=lib/common.bash
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.bash"

# drops VERSION BIN: an owner's statements while autovacuum, made slow, is in the owner's database.
drops() {
    server "$1" "$2" 'autovacuum_naptime = 1s' 'autovacuum_vacuum_threshold = 1' \
        'autovacuum_vacuum_cost_delay = 100ms' 'autovacuum_vacuum_cost_limit = 1'
    query <<<'CREATE ROLE owner LOGIN; CREATE DATABASE preview OWNER owner;'
    PGDATABASE=preview PGUSER=owner query <<'SQL'
CREATE SCHEMA own;
CREATE TABLE own.rows AS SELECT i, repeat('x', 500) FROM generate_series(1, 20000) i;
DELETE FROM own.rows WHERE i % 2 = 0;
SQL
    query <<'SQL'
DO $$
BEGIN
    WHILE NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = 'preview' AND query ~ '^autovacuum: VACUUM .*own.rows')
    LOOP
        PERFORM pg_sleep(0.05), pg_stat_clear_snapshot();
    END LOOP;
END
$$;
SELECT backend_type, coalesce(usename, 'no role') FROM pg_stat_activity WHERE datname = 'preview';
SQL
    PGUSER=owner query <<'SQL'
DROP DATABASE preview WITH (FORCE);
SELECT count(*) || ' database left' FROM pg_database WHERE datname = 'preview';
DROP DATABASE preview;
SELECT count(*) || ' databases left' FROM pg_database WHERE datname = 'preview';
SQL
}

postgresql_18_from_npm 18.4.0-beta.17
seen drops 15 "$postgresql_15"
seen drops 18 "$postgresql_18"

as_written_down <<'EOT'
autovacuum worker|no role
ERROR:  must be a member of the role whose process is being terminated or member of pg_signal_backend
1 database left
0 databases left
autovacuum worker|no role
ERROR:  permission denied to terminate process
DETAIL:  Only roles with privileges of the role whose process is being terminated or with privileges of the "pg_signal_backend" role may terminate this process.
1 database left
0 databases left
EOT
