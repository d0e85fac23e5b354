#!/usr/bin/env bash
# cloudevents 10.0.0 (npm) and 2.2.0 (PyPI): an event that only passes through loses digits of its time, and its offset.
#
# Expected: `time` is an RFC 3339 text of any precision (CloudEvents 1.0.2, "Type System", Timestamp), PostgreSQL has
# microseconds, and what reads an event to hand it on hands on what it read.
#
# What happens: JavaScript turns the text into a Date and back, in the constructor too: microseconds are cut to milliseconds, and
# an offset becomes UTC. Python keeps six digits and the offset, and cuts the rest. Neither says so.
#
# Bitten: who tells events apart or orders them by `source` and `time`, or signs or compares the text, with a relay in
# between: three changes within one millisecond are at the same time afterwards.
#
# shellcheck source-path=SCRIPTDIR source=lib/common.bash
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.bash"

from_npm cloudevents@10.0.0
from_pypi cloudevents==2.2.0

cat >"$work/relay.py" <<'PYTHON'
import json
import sys

from cloudevents.core.bindings.http import HTTPMessage, from_structured_event, to_structured_event

read = from_structured_event(HTTPMessage({"content-type": "application/cloudevents+json"}, sys.argv[1].encode()))
print(json.loads(to_structured_event(read).body)["time"])
PYTHON
cat >"$work/js/relay.mjs" <<'JAVASCRIPT'
import { HTTP } from "cloudevents";

const read = HTTP.toEvent({ headers: { "content-type": "application/cloudevents+json" }, body: process.argv[2] });
console.log(JSON.parse(HTTP.structured(read).body).time);
JAVASCRIPT

relays() {
    local time event
    for time in 2026-11-30T10:00:00Z 2026-11-30T10:00:00.123456Z 2026-11-30T10:00:00.123456789Z 2026-11-30T10:00:00.5+05:30; do
        event='{"specversion": "1.0", "id": "1", "source": "/s", "type": "t", "time": "'$time'"}'
        echo "$time -> js $(node "$work/js/relay.mjs" "$event"), py $(python "$work/relay.py" "$event")"
    done
}
seen relays
as_written_down <<'SEEN'
2026-11-30T10:00:00Z -> js 2026-11-30T10:00:00.000Z, py 2026-11-30T10:00:00Z
2026-11-30T10:00:00.123456Z -> js 2026-11-30T10:00:00.123Z, py 2026-11-30T10:00:00.123456Z
2026-11-30T10:00:00.123456789Z -> js 2026-11-30T10:00:00.123Z, py 2026-11-30T10:00:00.123456Z
2026-11-30T10:00:00.5+05:30 -> js 2026-11-30T04:30:00.500Z, py 2026-11-30T10:00:00.500000+05:30
SEEN
