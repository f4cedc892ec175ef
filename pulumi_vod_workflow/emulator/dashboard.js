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
