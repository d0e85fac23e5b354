#!/usr/bin/env bash
# PostgreSQL 15.20: WHEN (OLD.* IS DISTINCT FROM NEW.*) is false for rows that have visibly changed.
#
# Expected: the manual's example of a trigger that logs updates only if something changed ("CREATE TRIGGER", log_update)
# has this WHEN.
#
# What happens: rows are compared by the equality of the columns' types, not by what is stored. These updates change what
# every client shows, and no trigger fires: an interval from '30 days' to '1 mon' (which are added differently), numeric
# 1.0 to 1.000, jsonb {"price": 1.0} to {"price": 1}, double precision 0 to -0. `OLD.* *<> NEW.*`, the operator for
# materialized views, compares what is stored and fires for all of them.
#
# Bitten: audit and notification triggers, and caches that are refreshed by them: they show the old value until another
# column changes. A subscription of 30 days that becomes one of a month leaves no trace.
#
# shellcheck source-path=SCRIPTDIR source=lib/common.bash
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.bash"

server pg "$postgresql_15"
updates() {
    query <<'SQL'
CREATE TABLE item (renewal interval, amount numeric, details jsonb, balance float8);
INSERT INTO item VALUES ('30 days', 1.0, '{"price": 1.0}', 0);
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE NOTICE '%: % -> %', TG_NAME, OLD, NEW;
    RETURN NULL;
END $$;
CREATE TRIGGER distinct_from AFTER UPDATE ON item FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION tell();
CREATE TRIGGER image AFTER UPDATE ON item FOR EACH ROW WHEN (OLD.* *<> NEW.*) EXECUTE FUNCTION tell();
UPDATE item SET renewal = '1 mon';
UPDATE item SET amount = 1.000;
UPDATE item SET details = '{"price": 1}';
UPDATE item SET balance = '-0';
UPDATE item SET amount = 2;
SQL
}
seen updates
as_written_down <<'SEEN'
NOTICE:  image: ("30 days",1.0,"{""price"": 1.0}",0) -> ("1 mon",1.0,"{""price"": 1.0}",0)
NOTICE:  image: ("1 mon",1.0,"{""price"": 1.0}",0) -> ("1 mon",1.000,"{""price"": 1.0}",0)
NOTICE:  image: ("1 mon",1.000,"{""price"": 1.0}",0) -> ("1 mon",1.000,"{""price"": 1}",0)
NOTICE:  image: ("1 mon",1.000,"{""price"": 1}",0) -> ("1 mon",1.000,"{""price"": 1}",-0)
NOTICE:  distinct_from: ("1 mon",1.000,"{""price"": 1}",-0) -> ("1 mon",2,"{""price"": 1}",-0)
NOTICE:  image: ("1 mon",1.000,"{""price"": 1}",-0) -> ("1 mon",2,"{""price"": 1}",-0)
SEEN
