#!/usr/bin/env bash
# asyncpg 0.32.0 (PyPI) beside libpq 15 (psql): a connection service is read by other rules, and sometimes not at all.
#
# Expected: asyncpg.connect() documents `service` as the name of a service of the connection service file and
# `servicefile` as that file; the file's rules are libpq's (PostgreSQL, "The Connection Service File"): every connection
# parameter may stand there, and a value is what stands behind the equals sign.
#
# What happens:
# - connect(service="app") without a DSN ignores the service, even one that does not exist, and goes to the default
#   server.
# - `options` and `application_name` of the service are dropped.
# - a percent sign in the password is an error: the file is read as Python's configparser does, with interpolation.
#
# Bitten: a job that was to reach another server by its service connects to the one on this machine as long as there is
# one, and writes there; a statement_timeout or search_path in `options`, which psql has shown to work, is not in force.
#
# shellcheck source-path=SCRIPTDIR source=lib/common.bash
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.bash"

from_pypi asyncpg==0.32.0
server default "$postgresql_15" "cluster_name = 'default'"
default=$PGHOST
server other "$postgresql_15" "cluster_name = 'other'"
other=$PGHOST
export PGHOST=$default

cat >"$work/services" <<SERVICES
[app]
host=$other
application_name=reports
options=-c statement_timeout=5s
[percent]
host=$other
password=50%off
SERVICES

cat >"$work/connect.py" <<'PYTHON'
import asyncio
import sys

import asyncpg

QUESTION = """SELECT format('server "%s", application_name "%s", statement_timeout %s', current_setting('cluster_name'),
                            current_setting('application_name'), current_setting('statement_timeout'))"""


async def ask(said, **arguments):
    try:
        connection = await asyncpg.connect(**arguments)
        print("asyncpg", said + ":", await connection.fetchval(QUESTION))
        await connection.close()
    except Exception as error:
        print("asyncpg", said + ":", type(error).__name__)


async def main():
    file = sys.argv[1]
    await ask("service='app'", service="app", servicefile=file)
    await ask("service='no such'", service="no such", servicefile=file)
    await ask("dsn='postgresql://?service=app'", dsn="postgresql://?service=app", servicefile=file)
    await ask("dsn='postgresql://?service=percent'", dsn="postgresql://?service=percent", servicefile=file)


asyncio.run(main())
PYTHON

libpq() {
    echo "libpq service=$1: $(PGSERVICEFILE=$work/services psql -XAt "service=$1" -c "
        SELECT format('server \"%s\", application_name \"%s\", statement_timeout %s', current_setting('cluster_name'),
                      current_setting('application_name'), current_setting('statement_timeout'))")"
}
unset PGAPPNAME
export PGHOST=$default
seen libpq app
seen libpq percent
seen python "$work/connect.py" "$work/services"
as_written_down <<'SEEN'
libpq service=app: server "other", application_name "reports", statement_timeout 5s
libpq service=percent: server "other", application_name "psql", statement_timeout 0
asyncpg service='app': server "default", application_name "", statement_timeout 0
asyncpg service='no such': server "default", application_name "", statement_timeout 0
asyncpg dsn='postgresql://?service=app': server "other", application_name "", statement_timeout 0
asyncpg dsn='postgresql://?service=percent': InterpolationSyntaxError
SEEN
