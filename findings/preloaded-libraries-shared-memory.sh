#!/usr/bin/env bash
# plprofiler 4.2.1, plpgsql_check 2.3.0 and pglogical 2.4.2 (Debian, PostgreSQL 15.20): libraries that are preloaded together
# are not independent of each other.
#
# Expected: PostgreSQL, "Shared Memory and LWLocks", and its example pg_stat_statements: a library that sets shmem_request_hook keeps the value that was there, in a
# variable of its own, and calls it first.
#
# What happens: (1) plprofiler sets the hook and calls nobody: what the libraries before it in shared_preload_libraries asked for is not set aside. The
# server's shared memory is smaller by what pg_stat_statements wants when plprofiler comes after it. (2) plpgsql_check and pglogical both keep the previous value in
# a global variable that is called prev_shmem_request_hook and is exported: the server loads libraries into one name space, so that the
# second one's hook finds the first one's variable, which does not hold what it put there.
#
# Bitten: (1) who adds plprofiler at the end of the list: whatever asked for locks or much memory before it refuses to start, and others run on
# memory that the lock table counts on. (2) who has both: the server can't be started, in neither order.
#
# shellcheck source-path=SCRIPTDIR source=lib/common.bash
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.bash"

from_debian postgresql-15-plprofiler=4.2.1-2 postgresql-15-plpgsql-check=2.3.0-1 postgresql-15-pglogical=2.4.2-3
server pg "$postgresql_15"
runuser -u postgres -- "$postgresql_15/pg_ctl" -D "$PGHOST/data" -s -m fast stop
clusters=()
libraries=$work/deb/usr/lib/postgresql/15/lib
plprofiler=$libraries/plprofiler

# What the server would set aside, without being started, beyond what it does without libraries.
size() { runuser -u postgres -- "$postgresql_15/postgres" -D "$PGHOST/data" -c "shared_preload_libraries=$1" -c pg_stat_statements.max=1000000 -C shared_memory_size 2>/dev/null; }
bare=$(size '')
compare() {
    echo "plprofiler, pg_stat_statements: $(($(size "$plprofiler,pg_stat_statements") - bare > 200)) (1: more than 200 MB)"
    echo "pg_stat_statements, plprofiler: $(($(size "pg_stat_statements,$plprofiler") - bare > 200))"
}
exported() {
    local library
    for library in plpgsql_check pglogical pg_stat_statements; do
        nm -D --defined-only "$(find "$libraries" "${postgresql_15%bin}lib" -name "$library.so" -print -quit)" |
            awk -v library="$library" '$3 == "prev_shmem_request_hook" { found = 1 } END { print library ": " (found ? "exports" : "keeps to itself") }'
    done
}
seen compare
seen exported
as_written_down <<'SEEN'
plprofiler, pg_stat_statements: 1 (1: more than 200 MB)
pg_stat_statements, plprofiler: 0
plpgsql_check: exports
pglogical: exports
pg_stat_statements: keeps to itself
SEEN
