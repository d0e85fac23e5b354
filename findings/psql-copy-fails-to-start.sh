#!/usr/bin/env bash
# psql 15.20 (Debian 15.20-0+deb12u1) beside psql 15.18: after a COPY FROM STDIN that fails before it begins, statements are skipped.
#
# Expected: psql's documentation of COPY FROM STDIN: data are read until \. once the server asks for them. When the statement is refused (a typing
# error in an option), the server asks for nothing, and the next line of the script is the next statement, as it is in 15.18.
#
# What happens: psql 15.20 takes every line after the refused statement for its data, up to the next line that is \. , and throws it away without a word:
# also where the script has no data for it. A COPY of other data that follows loses its own statement, and gives away its \. .
#
# Bitten: scripts that are run without ON_ERROR_STOP and count on errors that are survived; PostgreSQL's own regression tests of 15.18 (copy, copyselect,
# alter_table, privileges and five more) fail with the newer psql.
#
# shellcheck source-path=SCRIPTDIR source=lib/common.bash
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.bash"

unpack() {
    mkdir "$work/$1"
    (cd "$work/$1" && apt-get -qq -o APT::Sandbox::User=root download "postgresql-client-15=$1")
    dpkg -x "$work/$1"/*.deb "$work/$1"
}
unpack 15.18-0+deb12u1
unpack 15.20-0+deb12u1
server pg "$postgresql_15"

cat >"$work/script.sql" <<'SQL'
CREATE TEMPORARY TABLE t (a int);
COPY t FROM STDIN WITH (header wrong_choice);
SELECT 'a statement';
COPY t FROM STDIN;
1
\.
SELECT count(*) || ' rows' FROM t;
SQL
try() {
    echo "psql $1"
    "$work/$1/usr/lib/postgresql/15/bin/psql" -XqAt -f "$work/script.sql" 2>&1 | sed -E 's/^psql:[^ ]* //'
}
seen try 15.18-0+deb12u1
seen try 15.20-0+deb12u1
as_written_down <<'SEEN'
psql 15.18-0+deb12u1
ERROR:  header requires a Boolean value or "match"
a statement
1 rows
psql 15.20-0+deb12u1
ERROR:  header requires a Boolean value or "match"
0 rows
SEEN
