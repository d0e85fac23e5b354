#!/usr/bin/env bash
# adaptivecards-templating 2.3.1 and adaptivecards 3.0.6 (npm): a number that the one fills in is left out by the other.
#
# Expected: the two packages are of one project, and a template is written to be expanded and then rendered; its
# documentation fills the `text` of TextBlocks and the `value` of facts by expressions. A number in a text is a matter of
# course.
#
# What happens: an expression that is the whole string keeps the type of the data, so "${count}" becomes 5, not "5". The
# renderer takes `text` of a TextBlock and `value` of a fact only as strings: the number is not drawn, the title of the
# fact stands beside nothing, and a whole TextBlock is gone. "Count: ${count}" is drawn, since it is a string. Parsing
# reports nothing.
#
# Bitten: who fills a card from JSON with numbers or booleans, as from a database: the card is sent, taken and drawn,
# without the figures. String(...) in the data, or "${string(count)}", mends it.
#
# shellcheck source-path=SCRIPTDIR source=lib/common.bash
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.bash"

from_npm adaptivecards@3.0.6 adaptivecards-templating@2.3.1 adaptive-expressions@4.23.3 jsdom@24.1.3

cat >"$work/js/draw.cjs" <<'JAVASCRIPT'
const { JSDOM } = require("jsdom");
const { window } = new JSDOM("");
Object.assign(globalThis, { window, document: window.document, HTMLElement: window.HTMLElement });
const { AdaptiveCard, SerializationContext } = require("adaptivecards/dist/adaptivecards.js");
const { Template } = require("adaptivecards-templating/dist/adaptivecards-templating.js");

AdaptiveCard.onProcessMarkdown = (text, result) => { result.outputHtml = text; result.didProcess = true; };
const template = new Template({
  type: "AdaptiveCard", version: "1.4",
  body: [
    { type: "TextBlock", text: "${count}" },
    { type: "TextBlock", text: "Count: ${count}" },
    { type: "TextBlock", text: "${string(count)}" },
    { type: "FactSet", facts: [{ title: "Points", value: "${count}" }, { title: "Late", value: "${late}" }] },
  ],
});
const filled = template.expand({ $root: { count: 5, late: false } });
console.log("filled:", JSON.stringify(filled.body));

const card = new AdaptiveCard(), context = new SerializationContext();
card.parse(filled, context);
const drawn = card.render();
console.log("remarks of the parser:", context.eventCount);
console.log("text blocks drawn:", JSON.stringify(
  [...drawn.children].filter((child) => child.className === "ac-textBlock").map((block) => block.textContent)));
console.log("facts drawn:", JSON.stringify([...drawn.querySelectorAll("tr")].map((row) => row.textContent)));
JAVASCRIPT

seen node "$work/js/draw.cjs"
as_written_down <<'SEEN'
filled: [{"type":"TextBlock","text":5},{"type":"TextBlock","text":"Count: 5"},{"type":"TextBlock","text":"5"},{"type":"FactSet","facts":[{"title":"Points","value":5},{"title":"Late","value":false}]}]
remarks of the parser: 0
text blocks drawn: ["Count: 5","5"]
facts drawn: ["Points","Late"]
SEEN
