#!/usr/bin/env bash
# postgres 3.4.9 (npm, "Postgres.js"): in subscribe(), null and undefined stand for values that are neither.
#
# Expected: the protocol of logical replication tells apart a null, a column that is not sent (a delete has the key alone,
# with the default replica identity) and an unchanged value that is stored out of line. So the row would, too, or the
# README's section on realtime subscriptions would say that it does not.
#
# What happens: a delete holds every column of the table, those beside the key as null. An update of another column has a
# long text (stored out of line, not sent again) as a key with the value undefined: JSON.stringify drops it, and the
# library's own insert helper refuses the row. A timestamp 'infinity' is an Invalid Date, null in JSON.
#
# Bitten: mirrors and caches that are kept by subscribe(): a handler that shows what was deleted shows empty fields, and
# one that writes the row on works until the first text over 2 kB.
#
# shellcheck source-path=SCRIPTDIR source=lib/common.bash
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.bash"

from_npm postgres@3.4.9
server pg "$postgresql_15" 'wal_level = logical'
query <<'SQL'
CREATE TABLE item (id integer PRIMARY KEY, state text, note text, until timestamptz);
CREATE TABLE copy (LIKE item);
ALTER TABLE item ALTER note SET STORAGE EXTERNAL;
CREATE PUBLICATION items FOR TABLE item;
SQL

cat >"$work/js/follow.mjs" <<'JAVASCRIPT'
import postgres from "postgres";

const sql = postgres({ path: `${process.env.PGHOST}/.s.PGSQL.5432`, username: "postgres", database: "postgres", publications: "items" });
const shown = (row) => Object.entries(row)
  .map(([name, value]) => `${name}: ${typeof value === "string" && value.length > 20 ? `${value.length} characters` : value}`).join(", ");
let done;
const finished = new Promise((resolve) => { done = resolve; });
let updated;
await sql.subscribe("*", (row, { command }) => {
  console.log(command + ":", shown(row));
  if (command === "update") updated = row;
  if (command === "delete") done();
});
await sql`INSERT INTO item VALUES (1, 'new', ${"x".repeat(9000)}, 'infinity')`;
await sql`UPDATE item SET state = 'done'`;
await sql`DELETE FROM item`;
await finished;
console.log("the update as JSON:", JSON.stringify(updated));
await sql`INSERT INTO copy ${sql(updated)}`.catch((error) => console.log("the update inserted into a copy:", error.code));
await sql.end({ timeout: 1 });
process.exit();
JAVASCRIPT
seen timeout 60 node "$work/js/follow.mjs"
as_written_down <<'SEEN'
insert: id: 1, state: new, note: 9000 characters, until: Invalid Date
update: id: 1, state: done, note: undefined, until: Invalid Date
delete: id: 1, state: null, note: null, until: null
the update as JSON: {"id":1,"state":"done","until":null}
the update inserted into a copy: UNDEFINED_VALUE
SEEN
