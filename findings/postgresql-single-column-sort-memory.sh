#!/usr/bin/env bash
# PostgreSQL 18.4 beside 15.20: a sort of a single column keeps its values in memory, whatever work_mem says.
#
# Expected: work_mem is "the base maximum amount of memory to be used by a query operation (such as a sort or hash table)
# before writing to temporary disk files" (documentation, 20.4.1 "Memory").
#
# What happens: 40 MB of texts are sorted with a work_mem of 64 kB. If they are the only column that the sort returns, or
# are sorted within an aggregate (DISTINCT, ORDER BY), 18 writes no temporary file and EXPLAIN says "Memory: 25kB", while
# the process takes all of them. With a second column, it writes them to disk, as 15 does in each case. 18.6 does the same
# as 18.4; 16.14 and 19rc1 do as 15.
#
# Bitten: who relies on work_mem, or on temp_file_limit, to hold in what a report or a user's expression takes:
# count(DISTINCT body), string_agg(body, ... ORDER BY body), SELECT body ... ORDER BY body. The plan that one looks at says
# that it took next to nothing.
#
# shellcheck source-path=SCRIPTDIR source=lib/common.bash
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.bash"

sorts() {
    echo "$1"
    query <<'SQL' | sed -nE 's/^ *Sort Method: (external merge).*/  EXPLAIN: on disk/p; s/^ *Sort Method: quicksort *(.*)/  EXPLAIN: \1/p; s/^=/ /p'
SET work_mem = '64kB';
-- A thousand texts of 40 kB.
CREATE FUNCTION bodies(OUT body text, OUT id integer) RETURNS SETOF record LANGUAGE sql VOLATILE
    AS $$SELECT repeat(chr(97 + i % 26), 40000) || i, i FROM generate_series(1, 1000) i$$;
CREATE FUNCTION body() RETURNS SETOF text LANGUAGE sql VOLATILE AS 'SELECT body FROM bodies()';
SELECT '=one column';
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, BUFFERS OFF) SELECT body FROM body() body ORDER BY body;
SELECT '=two columns';
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, BUFFERS OFF) SELECT body, id FROM bodies() ORDER BY body;
SQL
}

# How often the 40 MB of texts are written to temporary files for the aggregate $1: twice for the rows of both functions, and
# once more if they are sorted on disk.
writes() {
    local before after
    before=$(written)
    query <<<"SET work_mem = '64kB'; SELECT $1 FROM body() body" >"$work/answer"
    after=$(written)
    echo "  $1: $(cat "$work/answer"), $(((after - before + 20000000) / 40000000)) times 40 MB to temporary files"
}
written() { query <<<"SELECT pg_stat_get_db_temp_bytes(oid) FROM pg_database WHERE datname = 'postgres'"; }

postgresql_18_from_npm 18.4.0-beta.17
server old "$postgresql_15"
seen sorts "15.20"
seen writes "count(body)"
seen writes "count(DISTINCT body)"
server new "$postgresql_18"
seen sorts "18.4"
seen writes "count(body)"
seen writes "count(DISTINCT body)"
as_written_down <<'SEEN'
15.20
 one column
  EXPLAIN: on disk
 two columns
  EXPLAIN: on disk
  count(body): 1000, 2 times 40 MB to temporary files
  count(DISTINCT body): 1000, 3 times 40 MB to temporary files
18.4
 one column
  EXPLAIN: Memory: 25kB
 two columns
  EXPLAIN: on disk
  count(body): 1000, 2 times 40 MB to temporary files
  count(DISTINCT body): 1000, 2 times 40 MB to temporary files
SEEN
