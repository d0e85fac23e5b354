#!/usr/bin/env bash
# @mattermost/commonmark 0.31.2-0 (npm) beside commonmark 0.31.2: a word, a colon and a word are a link.
#
# Expected: the fork's README adds "URL autolinking" to CommonMark, which makes no links of bare text. Mattermost's
# documentation of formatting names URLs that begin with http://, https:// and the like.
#
# What happens: any ASCII word counts as a scheme. TODO:fix, status:done and error:404 are drawn as links to the addresses
# TODO:fix, status:done, error:404, if two characters or more follow the colon without a blank. A backslash before the colon
# keeps text only if each colon of the word has one: user\:admin:read is a link from admin on, and with the backslash before
# the second alone it is a link whole, with the backslash in the address.
#
# Bitten: who posts what people and machines write: labels and key:value pairs, scopes (repo:read), URNs, image digests,
# names in front of a remark. They are shown as links that lead nowhere, beside real ones.
#
# shellcheck source-path=SCRIPTDIR source=lib/common.bash
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.bash"

from_npm @mattermost/commonmark@0.31.2-0 commonmark@0.31.2

cat >"$work/js/render.cjs" <<'JAVASCRIPT'
const texts = ["TODO:fix the lamp", "status:done", "error:404", "digest sha256:abcd", "task:7", "note: see below", "10:30",
  "user\\:admin:read", "user:admin\\:read", "user\\:admin\\:read", "`user:admin:read`"];
for (const text of texts) {
  const shown = ["commonmark", "@mattermost/commonmark"].map((name) => {
    const { HtmlRenderer, Parser } = require(name);
    return new HtmlRenderer().render(new Parser().parse(text)).trim();
  });
  console.log(`${text}\n  commonmark: ${shown[0]}\n  mattermost: ${shown[1] === shown[0] ? "the same" : shown[1]}`);
}
JAVASCRIPT

seen node "$work/js/render.cjs"
as_written_down <<'SEEN'
TODO:fix the lamp
  commonmark: <p>TODO:fix the lamp</p>
  mattermost: <p><a href="TODO:fix">TODO:fix</a> the lamp</p>
status:done
  commonmark: <p>status:done</p>
  mattermost: <p><a href="status:done">status:done</a></p>
error:404
  commonmark: <p>error:404</p>
  mattermost: <p><a href="error:404">error:404</a></p>
digest sha256:abcd
  commonmark: <p>digest sha256:abcd</p>
  mattermost: <p>digest <a href="sha256:abcd">sha256:abcd</a></p>
task:7
  commonmark: <p>task:7</p>
  mattermost: the same
note: see below
  commonmark: <p>note: see below</p>
  mattermost: the same
10:30
  commonmark: <p>10:30</p>
  mattermost: the same
user\:admin:read
  commonmark: <p>user:admin:read</p>
  mattermost: <p>user:<a href="admin:read">admin:read</a></p>
user:admin\:read
  commonmark: <p>user:admin:read</p>
  mattermost: <p><a href="user:admin%5C:read">user:admin\:read</a></p>
user\:admin\:read
  commonmark: <p>user:admin:read</p>
  mattermost: the same
`user:admin:read`
  commonmark: <p><code>user:admin:read</code></p>
  mattermost: the same
SEEN
