#!/usr/bin/env bash
# PostgreSQL 15.20: to a query a column of a domain has its base type's OID, in logical replication the domain's with the
# base type's name. With pg 8.23.1 and pg-logical-replication 2.5.0 (npm) one value comes as an object and as a string.
#
# Expected: "Logical Replication Message Formats": a Type message holds the OID of a data type and "Name of the data
# type". One expects the domain's name for the domain's OID; or, as in query results, no trace of the domain.
#
# What happens: the Relation message has the domain's OID, and the Type message for that OID names jsonb in pg_catalog, or
# the enum under a domain over an enum. A consumer that parses values by OID, as it does in queries, finds no parser for
# the column and keeps the text: {"a":1} of SELECT is '{"a": 1}' of the stream. One that keeps types by name meets one
# name with several OIDs.
#
# Bitten: who has domains over jsonb, numbers, timestamps or booleans ("type positive_int") and reads changes: after a
# first load by SELECT the types of the same column differ, row by row.
#
# shellcheck source-path=SCRIPTDIR source=lib/common.bash
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.bash"

from_npm pg@8.23.1 pg-logical-replication@2.5.0
server pg "$postgresql_15" 'wal_level = logical'
query <<'SQL'
CREATE DOMAIN document AS jsonb;
CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
CREATE TYPE mood AS ENUM ('fine');
CREATE DOMAIN state AS mood;
CREATE TABLE item (id integer PRIMARY KEY, plain jsonb, document document, count positive, state state);
CREATE PUBLICATION items FOR TABLE item;
SELECT FROM pg_create_logical_replication_slot('items', 'pgoutput');
INSERT INTO item VALUES (1, '{"a": 1}', '{"a": 1}', 5, 'fine');
SQL

cat >"$work/js/read.cjs" <<'JAVASCRIPT'
const { Client } = require("pg");
const { LogicalReplicationService, PgoutputPlugin } = require("pg-logical-replication");

(async () => {
  const client = new Client();
  await client.connect();
  const { rows, fields } = await client.query("SELECT * FROM item");
  const names = await client.query("SELECT oid, typname FROM pg_type WHERE typname IN ('document', 'positive', 'state')");
  const nameOf = new Map(names.rows.map((row) => [row.oid, row.typname]));
  await client.end();
  console.log("domains in the query's columns:", fields.filter((field) => nameOf.has(field.dataTypeID)).length);
  console.log("query:  ", JSON.stringify(rows[0]));

  const service = new LogicalReplicationService({}, { acknowledge: { auto: false, timeoutSeconds: 0 } });
  service.on("data", async (_lsn, message) => {
    if (message.tag === "type")
      console.log(`Type:    the OID of ${nameOf.get(message.typeOid) ?? "no domain"} is named ${message.typeSchema || "pg_catalog"}.${message.typeName}`);
    if (message.tag !== "insert") return;
    console.log("stream: ", JSON.stringify(message.new));
    await service.stop();
    process.exit();
  });
  await service.subscribe(new PgoutputPlugin({ protoVersion: 1, publicationNames: ["items"] }), "items");
})();
JAVASCRIPT
seen timeout 30 node "$work/js/read.cjs"
as_written_down <<'SEEN'
domains in the query's columns: 0
query:   {"id":1,"plain":{"a":1},"document":{"a":1},"count":5,"state":"fine"}
Type:    the OID of document is named pg_catalog.jsonb
Type:    the OID of positive is named pg_catalog.int4
Type:    the OID of state is named public.mood
stream:  {"id":1,"plain":{"a":1},"document":"{\"a\": 1}","count":"5","state":"fine"}
SEEN
