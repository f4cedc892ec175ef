"use strict";
const message = document.getElementById("message");
function showMessage(text, wrong) {
  message.textContent = text;
  message.className = wrong ? "wrong" : "";
}
function replacePart(part, fresh) {
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
    const response = await fetch(location.pathname, {cache: "no-store"});
    if (!response.ok) return showMessage("The store has no such run any more.", true);
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    if (message.textContent === NO_RESPONSE) showMessage("");
    for (const part of document.querySelectorAll("[data-live]")) {
      const fresh = page.getElementById(part.id);
      if (fresh && fresh.innerHTML !== part.innerHTML) replacePart(part, fresh);
    }
  } catch {
    showMessage(NO_RESPONSE, true);
  }
}
const NO_RESPONSE = "The emulator does not respond.";
const NUMBERS = ["advanceSeconds", "speed", "times", "chance", "seconds"];
async function send(event) {
  event.preventDefault();
  const form = event.target, parts = {};
  for (const [name, text] of new FormData(form, event.submitter)) {
    if (text !== "") parts[name] = NUMBERS.includes(name) ? Number(text) : text;
  }
  try {
    const response = await fetch(`/_emulator/${form.dataset.control}`, {
      method: "POST", body: JSON.stringify(parts), headers: {"content-type": "application/json"},
    });
    const result = await response.json();
    showMessage(result.error ?? `Done: ${form.dataset.control} ${JSON.stringify(parts)}`, !response.ok);
    await refresh();
  } catch {
    showMessage(NO_RESPONSE, true);
  }
}
for (const form of document.querySelectorAll("form[data-control]")) {
  form.addEventListener("submit", send);
}
for (const part of document.querySelectorAll("[data-scripted]")) part.hidden = false;
setInterval(() => {
  if (!document.hidden && getSelection().isCollapsed) refresh();
}, 1000);
