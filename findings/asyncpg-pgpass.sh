#!/usr/bin/env bash
# asyncpg 0.32.0 (PyPI) beside libpq 15 (psql): one password file, other passwords.
#
# Expected: PostgreSQL, "The Password File": a colon or a backslash in a field is escaped by a backslash. asyncpg
# documents `passfile` as that file. psql, and pgpass 1.0.6 of npm, log in with every password below.
#
# What happens: asyncpg takes the escapes for a part of the password (the file's \: is given to the server as \:), and
# strips blanks at the end of the line.
#
# Bitten: who rotates passwords by a generator that makes colons and backslashes, and tries the file with psql: the same
# file then fails in the service with "password authentication failed".
#
# shellcheck source-path=SCRIPTDIR source=lib/common.bash
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.bash"

from_pypi asyncpg==0.32.0
server pg "$postgresql_15"
query <<'SQL'
CREATE ROLE colon LOGIN PASSWORD 'a:b';
CREATE ROLE backslash LOGIN PASSWORD E'a\\b';
CREATE ROLE blank LOGIN PASSWORD 'ab ';
SQL
hba=$PGHOST/data/pg_hba.conf
echo 'local all all scram-sha-256' >"$hba"
runuser -u postgres -- "$postgresql_15/pg_ctl" -D "$PGHOST/data" -s reload

export PGPASSFILE=$work/passwords
cat >"$PGPASSFILE" <<'PASSWORDS'
*:*:*:colon:a\:b
*:*:*:backslash:a\\b
PASSWORDS
printf '*:*:*:blank:ab \n' >>"$PGPASSFILE"
chmod 600 "$PGPASSFILE"

cat >"$work/login.py" <<'PYTHON'
import asyncio
import sys

import asyncpg


async def main():
    for role in sys.argv[1:]:
        try:
            connection = await asyncpg.connect(user=role)
            await connection.close()
            print("asyncpg", role + ": logged in")
        except asyncpg.InvalidPasswordError:
            print("asyncpg", role + ": password authentication failed")


asyncio.run(main())
PYTHON

libpq() {
    local role
    for role in "$@"; do
        psql -XAtw -U "$role" -c "SELECT 'libpq ' || current_user || ': logged in'" || echo "libpq $role: failed"
    done
}
seen libpq colon backslash blank
seen python "$work/login.py" colon backslash blank
as_written_down <<'SEEN'
libpq colon: logged in
libpq backslash: logged in
libpq blank: logged in
asyncpg colon: password authentication failed
asyncpg backslash: password authentication failed
asyncpg blank: password authentication failed
SEEN
