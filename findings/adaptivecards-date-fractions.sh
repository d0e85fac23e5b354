#!/usr/bin/env bash
# adaptivecards 3.0.6 (npm): DATE() and TIME() do not know a time with fractions of a second, such as every toISOString().
#
# Expected: the functions of a card's texts, `{{DATE(2017-02-14T06:08:00Z, SHORT)}}` and `{{TIME(...)}}`, take a time "in
# strict RFC 3339 formatting" (documentation of Adaptive Cards, "Text features", "Date/Time function rules"), and RFC 3339
# (section 5.6, `time-secfrac`) allows a fraction of a second. JavaScript's Date.prototype.toISOString() always writes one;
# Python's isoformat() and PostgreSQL's to_json() do whenever there are microseconds.
#
# What happens: only whole seconds are recognised. With ".000Z" the reader sees the function itself, braces and all, in a
# text and in a fact. Parsing reports nothing. (Known as microsoft/AdaptiveCards#6318, open since 2021.)
#
# Bitten: who fills a card with what JSON.stringify() makes of a Date: with the times of the documentation, written by
# hand, it worked. Without the fraction it is shown in the reader's own time.
#
# shellcheck source-path=SCRIPTDIR source=lib/common.bash
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.bash"

from_npm adaptivecards@3.0.6 jsdom@24.1.3

cat >"$work/js/draw.cjs" <<'JAVASCRIPT'
const { JSDOM } = require("jsdom");
const { window } = new JSDOM("");
Object.assign(globalThis, { window, document: window.document, HTMLElement: window.HTMLElement });
const { AdaptiveCard, SerializationContext } = require("adaptivecards/dist/adaptivecards.js");

AdaptiveCard.onProcessMarkdown = (text, result) => { result.outputHtml = text; result.didProcess = true; };
const at = new Date(Date.UTC(2026, 10, 30, 10, 0, 0));
const texts = [
  "{{DATE(2026-11-30T10:00:00Z, SHORT)}}",
  `{{DATE(${JSON.parse(JSON.stringify(at))}, SHORT)}}`,
  `{{TIME(${at.toISOString()})}}`,
  "{{TIME(2026-11-30T10:00:00.5+00:00)}}",
  "{{TIME(2026-11-30T10:00:00+00:00)}}",
];
const card = new AdaptiveCard(), context = new SerializationContext();
card.parse({ type: "AdaptiveCard", version: "1.4", body: [
  ...texts.map((text) => ({ type: "TextBlock", text })),
  { type: "FactSet", facts: [{ title: "Due", value: texts[1] }] },
] }, context);
const drawn = card.render();
console.log("remarks of the parser:", context.eventCount);
for (const element of drawn.children) if (element.textContent) console.log(element.textContent);
JAVASCRIPT

seen env TZ=UTC LC_ALL=en_US.UTF-8 node "$work/js/draw.cjs"
as_written_down <<'SEEN'
remarks of the parser: 0
Mon, Nov 30, 2026
{{DATE(2026-11-30T10:00:00.000Z, SHORT)}}
{{TIME(2026-11-30T10:00:00.000Z)}}
{{TIME(2026-11-30T10:00:00.5+00:00)}}
10:00 AM
Due{{DATE(2026-11-30T10:00:00.000Z, SHORT)}}
SEEN
