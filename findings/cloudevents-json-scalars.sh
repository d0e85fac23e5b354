#!/usr/bin/env bash
# cloudevents 10.0.0 (npm) and cloudevents 2.2.0 (PyPI): a JSON number, boolean or string does not survive binary mode.
#
# Expected: in the HTTP binding's binary mode the body is the data in the format that the content type names, here
# application/json (CloudEvents HTTP binding 1.0.2, 3.1.2). So `5`, `true` and `"abc"`, JSON texts all three (RFC 8259),
# are to arrive as a number, a boolean and a string, and to leave as they came.
#
# What happens, in JavaScript: only bodies that begin with {, [ or " are parsed. A number, true, false and null become
# strings, and are structured-encoded as such ("data":"5"). A string loses its quotes: handed on in binary mode, the body
# is the bare word abc under application/json, which no JSON parser takes. One blank before an object, and it is refused.
# In Python: the data is written by str() unless it is a dict or list: False leaves as the word False, "abc" without
# quotes.
#
# Bitten: who sends a count or a flag as an event's data, and brokers that take events apart and put them together: the
# receiver gets another type, or a body that it refuses, from a sender whose own tests pass.
#
# shellcheck source-path=SCRIPTDIR source=lib/common.bash
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.bash"

from_npm cloudevents@10.0.0
from_pypi cloudevents==2.2.0

cat >"$work/js/relay.mjs" <<'JAVASCRIPT'
import { HTTP } from "cloudevents";

const headers = {
  "content-type": "application/json",
  "ce-specversion": "1.0", "ce-id": "1", "ce-type": "t", "ce-source": "/s",
};
for (const body of ["5", "true", "null", '"abc"', ' {"a":1}', '{"a":1}']) {
  let event;
  try {
    event = HTTP.toEvent({ headers, body });
  } catch (error) {
    console.log(`js: ${body} is refused: ${error.name}`);
    continue;
  }
  const structured = JSON.parse(HTTP.structured(event).body);
  console.log(`js: ${body} is read as ${typeof event.data}, handed on as ${HTTP.binary(event).body}` +
    `, in structured mode as ${JSON.stringify(structured.data)}`);
}
JAVASCRIPT
cat >"$work/send.py" <<'PYTHON'
from cloudevents.core.bindings.http import HTTPMessage, from_binary_event, to_binary_event
from cloudevents.core.v1.event import CloudEvent

ATTRIBUTES = {"type": "t", "source": "/s", "id": "1", "specversion": "1.0", "datacontenttype": "application/json"}
for data in (5, False, "abc", {"a": 1}):
    message = to_binary_event(CloudEvent(ATTRIBUTES, data))
    try:
        back = repr(from_binary_event(HTTPMessage(message.headers, message.body)).get_data())
    except ValueError as error:
        back = type(error).__name__
    print(f"py: {data!r} is sent as {message.body.decode()}, read again: {back}")
PYTHON

seen node "$work/js/relay.mjs"
seen python "$work/send.py"
as_written_down <<'SEEN'
js: 5 is read as string, handed on as 5, in structured mode as "5"
js: true is read as string, handed on as true, in structured mode as "true"
js: null is read as string, handed on as null, in structured mode as "null"
js: "abc" is read as string, handed on as abc, in structured mode as "abc"
js:  {"a":1} is refused: SyntaxError
js: {"a":1} is read as object, handed on as {"a":1}, in structured mode as {"a":1}
py: 5 is sent as 5, read again: 5
py: False is sent as False, read again: 'False'
py: 'abc' is sent as abc, read again: 'abc'
py: {'a': 1} is sent as {"a": 1}, read again: {'a': 1}
SEEN
