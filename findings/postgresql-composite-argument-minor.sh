#!/usr/bin/env bash
# PostgreSQL 15.20 (Debian 15.20-0+deb12u1) beside 15.18: an extension that was built with the one is not loaded by the other.
#
# Expected: PostgreSQL, "Server API and ABI Stability Guidance": an extension that was compiled against any minor release should work with any other
# of the same major version, past or future. This one uses nothing but PG_GETARG_HEAPTUPLEHEADER and heap_getattr, which every version has.
#
# What happens: until 15.19 both are macros; from 15.20 on (CVE-2026-6460; so are 16.16, 17.12 and 18.7) they are, or call, exported functions of
# the server, DatumGetHeapTupleHeader and heap_datum_check. A library of unchanged source that was compiled with the new headers is refused
# by a server that was not updated yet, and a server that preloads it does not start.
#
# Bitten: who builds an extension on an updated machine, or takes its packages from a repository that was, and runs it where the server is
# held back; packages depend on postgresql-15, not on postgresql-15 (>= 15.20). pgrx from 0.19.4 on makes every extension one of these.
#
# shellcheck source-path=SCRIPTDIR source=lib/common.bash
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.bash"

from_debian postgresql-15=15.18-0+deb12u1
old=$work/deb/usr/lib/postgresql/15/bin
mkdir "$work/new"
(cd "$work/new" && apt-get -qq -o APT::Sandbox::User=root download postgresql-server-dev-15=15.20-0+deb12u1 postgresql-15=15.20-0+deb12u1)
for package in "$work"/new/*.deb; do dpkg -x "$package" "$work/new"; done
chmod -R a+rX "$work/new"
new=$work/new/usr/lib/postgresql/15/bin

cat >"$work/first.c" <<'C'
#include "postgres.h"
#include "fmgr.h"
#include "access/htup_details.h"
#include "utils/typcache.h"

PG_MODULE_MAGIC;
PG_FUNCTION_INFO_V1(first_of);

Datum
first_of(PG_FUNCTION_ARGS)
{
	HeapTupleHeader row = PG_GETARG_HEAPTUPLEHEADER(0);
	TupleDesc	type = lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(row), HeapTupleHeaderGetTypMod(row));
	HeapTupleData tuple = {.t_len = HeapTupleHeaderGetDatumLength(row),.t_data = row};
	bool		null;
	Datum		value = heap_getattr(&tuple, 1, type, &null);

	ReleaseTupleDesc(type);
	if (null)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(value);
}
C
cc -shared -fPIC -I"$work/new/usr/include/postgresql/15/server" -o "$work/first.so" "$work/first.c"

ask() {
    query <<SQL | sed "s|$work|...|g"
\\set ON_ERROR_STOP on
CREATE FUNCTION first_of(record) RETURNS int LANGUAGE c STRICT AS '$work/first', 'first_of';
SELECT 'first_of: ' || first_of(ROW (7, 8));
SQL
}
server new "$new"
seen "$new/postgres" --version
seen ask
server old "$old"
seen "$old/postgres" --version
seen ask
as_written_down <<'SEEN'
postgres (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)
first_of: 7
postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)
ERROR:  could not load library ".../first.so": .../first.so: undefined symbol: heap_datum_check
SEEN
