"""How the pages look, and the one script that they have; what a page may load is neither."""

from __future__ import annotations

import base64
import hashlib
from typing import Final

STYLE: Final = """
:root { --back: #f6f7f9; --card: #fff; --ink: #1f2933; --soft: #5b6773; --line: #dfe4e8;
  --queue: #b6c0ca; --good: #1a7f4b; --bad: #c0322f; --busy: #1f66c1; --gone: #697580 }
@media (prefers-color-scheme: dark) {
  :root { --back: #11161c; --card: #1a212a; --ink: #e6eaee; --soft: #9fabb7; --line: #303b46;
    --queue: #53616f; --good: #4cc38a; --bad: #f2706b; --busy: #6aa9f4; --gone: #8c99a5 }
}
* { box-sizing: border-box } [hidden] { display: none !important }
body { margin: 0 auto; max-width: 100rem; padding: 1.2rem 1rem 3rem; color: var(--ink);
  background: var(--back); font: 14px/1.45 system-ui, "Segoe UI", "Noto Sans", sans-serif;
  overflow-wrap: anywhere }
h1 { font-size: 1.4rem; margin: 0 } h1 small { font-size: .9rem; font-weight: 400 }
h1 small, p, .none { color: var(--soft) } p { margin: .3rem 0 }
h2 { font-size: 1.02rem; margin: 0 0 .5rem } a { color: var(--busy) }
section { background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  padding: .8rem 1rem; margin: .8rem 0 0 }
ol, ul { list-style: none; margin: 0; padding: 0 }
code, pre, .id { font: 12px/1.45 ui-monospace, "Cascadia Mono", "DejaVu Sans Mono", monospace }
pre { margin: .4rem 0 0; white-space: pre-wrap }
summary { cursor: pointer; color: var(--soft) }
.figures { display: flex; flex-wrap: wrap; gap: .4rem 2rem; margin: .7rem 0 0 }
.figures b { display: block; font-size: 1.3rem; font-variant-numeric: tabular-nums }
.figures span { color: var(--soft) } .figures b { color: var(--ink) }
.badge { display: inline-block; color: var(--phase); border: 1px solid currentColor;
  border-radius: 99px; padding: 0 .55em; font-size: .85em; white-space: nowrap }
.succeeded { --phase: var(--good) } .failed, .terminated { --phase: var(--bad) }
.pending, .running { --phase: var(--busy) } .expired { --phase: var(--gone) }
table { border-collapse: collapse; width: 100%; font-size: .93em }
th { text-align: left; color: var(--soft); font-weight: 500; white-space: nowrap }
th, td { padding: .2rem .8rem .2rem 0; border-bottom: 1px solid var(--line); vertical-align: top }
tr:last-child td { border-bottom: 0 } td { font-variant-numeric: tabular-nums }
.time, .whole { white-space: nowrap } .template { width: 15.6rem }
.kind { color: var(--soft); font-size: .85em }
.chart { display: grid; grid-template-columns: minmax(7rem, 18rem) minmax(0, 1fr); gap: 0 .8rem }
#labels .badge { font-size: 11px; line-height: 1.4; padding: 0 .4em }
#labels { padding-top: 22px } #labels li { display: flex; align-items: center; gap: .4rem;
  height: 22px; font-size: .93em }
#labels a { min-width: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap }
.scroll { overflow-x: auto; direction: rtl; background: var(--back); border-radius: 6px }
.scroll svg { display: block; direction: ltr; margin-right: auto }
.queue { fill: var(--queue) } .work { fill: var(--phase) } .row { stroke: var(--line) }
.now { stroke: var(--ink); stroke-dasharray: 3 3 } svg text { fill: var(--soft); font-size: 11px }
.key { display: inline-block; width: 1.4em; height: .7em; border-radius: 2px;
  margin: 0 .3em 0 .9em }
.key:first-child { margin-left: 0 } .key.queue { background: var(--queue) }
.key.running { background: var(--busy) } .key.succeeded { background: var(--good) }
.key.failed { background: var(--bad) }
form { display: flex; flex-wrap: wrap; align-items: end; gap: .4rem .5rem; margin: 0 0 .6rem }
form b { flex: 0 0 5.5rem; padding: .25rem 0 } label { color: var(--soft); font-size: .85em }
label input, label select { display: block } details form { margin: .4rem 0 0 }
input, select, button { font: inherit; color: var(--ink); background: var(--back);
  border: 1px solid var(--line); border-radius: 6px; padding: .2rem .5rem; max-width: 100% }
input[type=number] { width: 6.5rem } button { cursor: pointer; background: var(--card) }
button:hover { border-color: var(--busy) } button.strong { color: var(--bad) }
#said { color: var(--soft) } #said.wrong { color: var(--bad) }
dl { margin: 0; display: grid; grid-template-columns: 10rem 1fr; gap: .15rem .8rem }
dt { color: var(--soft) } dd { margin: 0 }
@media (max-width: 46rem) {
  thead { display: none } table, tbody, tr, td { display: block }
  tr { padding: .4rem 0; border-bottom: 1px solid var(--line) } tr:last-child { border: 0 }
  td { border: 0; padding: .05rem 0; display: grid; grid-template-columns: 6.5rem 1fr; gap: .5rem }
  td::before { content: attr(data-label); color: var(--soft); font: 13px system-ui, sans-serif }
  td > * { justify-self: start } .whole { white-space: normal } .template { width: auto }
  .chart { grid-template-columns: 9rem minmax(0, 1fr) } form b { flex: 1 0 100%; padding: 0 }
  dl { grid-template-columns: 1fr; gap: 0 } dd { margin-bottom: .3rem }
}
"""

SCRIPT: Final = """
"use strict";
const said = document.getElementById("said");
function say(text, wrong) {
  said.textContent = text;
  said.className = wrong ? "wrong" : "";
}
function put(part, fresh) {
  const open = [...part.querySelectorAll("details[open]")].map((each) => each.id);
  const scroll = part.querySelector(".scroll");
  const [left, width] = scroll ? [scroll.scrollLeft, scroll.scrollWidth] : [0, 0];
  part.replaceChildren(...fresh.childNodes);
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  const now = part.querySelector(".scroll");
  if (now && left) now.scrollLeft = left - (now.scrollWidth - width);
}
async function refresh() {
  try {
    const answer = await fetch(location.pathname, {cache: "no-store"});
    if (!answer.ok) return say("This run is not there any more.", true);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (said.textContent === SILENT) say("");
    for (const part of document.querySelectorAll("[data-live]")) {
      const fresh = page.getElementById(part.id);
      if (fresh && fresh.innerHTML !== part.innerHTML) put(part, fresh);
    }
  } catch {
    say(SILENT, true);
  }
}
const SILENT = "The emulator does not answer.";
const NUMBERS = ["advanceSeconds", "speed", "times", "chance", "seconds"];
async function send(event) {
  event.preventDefault();
  const form = event.target, parts = {};
  for (const [name, text] of new FormData(form, event.submitter)) {
    if (text !== "") parts[name] = NUMBERS.includes(name) ? Number(text) : text;
  }
  try {
    const answer = await fetch(`/_emulator/${form.dataset.control}`, {
      method: "POST", body: JSON.stringify(parts), headers: {"content-type": "application/json"},
    });
    const told = await answer.json();
    say(told.error ?? `Done: ${form.dataset.control} ${JSON.stringify(parts)}`, !answer.ok);
    await refresh();
  } catch {
    say(SILENT, true);
  }
}
for (const form of document.querySelectorAll("form[data-control]")) {
  form.addEventListener("submit", send);
}
for (const part of document.querySelectorAll("[data-scripted]")) part.hidden = false;
setInterval(() => {
  if (!document.hidden && getSelection().isCollapsed) refresh();
}, 1000);
"""


def _hash(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


HEADERS: Final = {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": (
        f"default-src 'none'; style-src {_hash(STYLE)}; script-src {_hash(SCRIPT)}; "
        "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
"""Of every page: nothing but this style and script, and in no frame of another page."""
