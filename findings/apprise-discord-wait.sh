#!/usr/bin/env bash
# apprise 2.3.0 (PyPI): two of the keys that its Discord plugin sends are not Discord's.
#
# Expected: Discord's documentation of "Execute Webhook" has `wait` as a parameter of the query ("waits for server
# confirmation of message send before response"), and `allowed_mentions` as a key of the body. Without ?wait=true the
# answer is 204 whether or not the message was saved.
#
# What happens: `wait` is put into the JSON body, where Discord knows no such key, and the URL has no query. So every
# answer is the unconfirmed 204, which apprise reports as a success. Beside it, with ?format=markdown, a mention in the
# text goes into `content` with a list of whom to ping under the key `allow_mentions`, which Discord does not have either.
#
# Bitten: who reads apprise's result as "delivered": a message that Discord took and did not save is a success. And who
# copies the payload as an example of how it is done.
#
# Nothing leaves the machine: the one function that posts is replaced by one that keeps its arguments.
#
# shellcheck source-path=SCRIPTDIR source=lib/common.bash
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.bash"

from_pypi apprise==2.3.0

cat >"$work/post.py" <<'PYTHON'
import json
from unittest import mock

import apprise


class Answer:
    """What Discord answers to a request without ?wait=true."""
    status_code, content, text, headers = 204, b"", "", {}


def send(url, body):
    posts = []
    with mock.patch("requests.post", lambda url, **sent: posts.append((url, sent)) or Answer()):
        notifier = apprise.Apprise()
        notifier.add(url)
        result = notifier.notify(body=body)
    (target, sent), = posts
    message = json.loads(sent["data"])
    print("query of the request:", target.partition("?")[2] or sent.get("params"))
    print("wait in the body:", message.get("wait"))
    print("keys about mentions:", [key for key in message if "mention" in key])
    print("content:", ascii(message.get("content")))
    print("answer 204 is a success:", bool(result))


webhook = "discord://" + "1" * 18 + "/" + "a" * 64
send(webhook, "backup done")
print()
send(webhook + "?format=markdown", "task 7 was done by <@123>")
PYTHON

seen python "$work/post.py"
as_written_down <<'SEEN'
query of the request: None
wait in the body: True
keys about mentions: []
content: 'backup done'
answer 204 is a success: True

query of the request: None
wait in the body: True
keys about mentions: ['allow_mentions']
content: '\U0001f449 <@123>'
answer 204 is a success: True
SEEN
