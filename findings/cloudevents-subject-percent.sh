#!/usr/bin/env bash
# cloudevents 10.0.0 (npm) beside cloudevents 2.2.0 (PyPI): the two SDKs disagree about percent-encoding in headers.
#
# Expected: attributes in HTTP headers are percent-encoded (space, double quote, percent sign, and all that is not
# printable ASCII), and decoded by the receiver: CloudEvents HTTP binding 1.0.2, section 3.1.3.2.
#
# What happens: Python does both, JavaScript does neither. A subject from Python arrives in JavaScript as its encoded
# form. One from JavaScript with a percent sign is decoded by Python into something else, if the two characters behind the
# sign are hexadecimal digits; and one with a letter beyond Latin-1 can't be sent at all: node refuses the header.
#
# Bitten: who routes or filters by `subject` (a file name, a title, a name of a person) between the two languages.
# Everything works until the first blank, percent sign or accent.
#
# shellcheck source-path=SCRIPTDIR source=lib/common.bash
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.bash"

from_npm cloudevents@10.0.0
from_pypi cloudevents==2.2.0

cat >"$work/py.py" <<'PYTHON'
import json
import sys

from cloudevents.core.bindings.http import HTTPMessage, from_binary_event, to_binary_event
from cloudevents.core.v1.event import CloudEvent

attributes = {"type": "t", "source": "/s", "id": "1", "specversion": "1.0"}
if sys.argv[1] == "send":
    print(json.dumps(dict(to_binary_event(CloudEvent({**attributes, "subject": sys.argv[2]}, {})).headers)))
else:
    print(from_binary_event(HTTPMessage(json.loads(sys.argv[2]), b"{}")).get_attributes()["subject"])
PYTHON
cat >"$work/js/js.mjs" <<'JAVASCRIPT'
import { validateHeaderValue } from "node:http";
import { CloudEvent, HTTP } from "cloudevents";

const [direction, text] = process.argv.slice(2);
if (direction === "send") {
  const { headers } = HTTP.binary(new CloudEvent({ type: "t", source: "/s", id: "1", subject: text, data: {} }));
  try {
    validateHeaderValue("ce-subject", headers["ce-subject"]);
    console.log(JSON.stringify(headers));
  } catch (error) {
    console.log(error.code);
  }
} else {
  console.log(HTTP.toEvent({ headers: JSON.parse(text), body: "{}" }).subject);
}
JAVASCRIPT

both_ways() {
    local subject sent
    for subject in 'weekly report' '100% done' 'tab%20le'; do
        sent=$(python "$work/py.py" send "$subject")
        echo "py to js: $subject -> $(node "$work/js/js.mjs" receive "$sent")"
        sent=$(node "$work/js/js.mjs" send "$subject")
        echo "js to py: $subject -> $(python "$work/py.py" receive "$sent")"
    done
    echo "js, a subject with U+0142: $(node "$work/js/js.mjs" send $'z\u0142oty')"
}
export PYTHONUTF8=1 LC_ALL=C.UTF-8
seen both_ways
as_written_down <<'SEEN'
py to js: weekly report -> weekly%20report
js to py: weekly report -> weekly report
py to js: 100% done -> 100%25%20done
js to py: 100% done -> 100% done
py to js: tab%20le -> tab%2520le
js to py: tab%20le -> tab le
js, a subject with U+0142: ERR_INVALID_CHAR
SEEN
