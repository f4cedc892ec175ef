"use strict";
const all = (selector) => [...document.querySelectorAll(selector)];
const at = (id) => document.getElementById(id);

function age(time) {
  const seconds = Math.max(0, Math.round((Date.now() - Date.parse(time.dateTime)) / 1000));
  const minutes = Math.round(seconds / 60);
  if (seconds < 90) return `${seconds} s ago`;
  if (minutes < 90) return `${minutes} min ago`;
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min ago`;
  return `${Math.floor(minutes / 60 / 24)} days ago`;
}
function showAges() {
  for (const time of all("time")) {
    if (time.className === "age") time.textContent = ` (${age(time)})`;
    else time.title = `${time.dateTime}, ${age(time)}`;
  }
}
showAges();
setInterval(showAges, 10000);

const rows = all("#runs tbody tr");
const texts = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
function show() {
  const words = at("words").value.toLowerCase().split(/\s+/);
  const phase = at("phase").value;
  const hidden = new Set();
  for (const row of rows) {
    const fits = words.every((word) => texts.get(row).includes(word));
    if (!fits || (phase && row.dataset.phase !== phase)) hidden.add(row.dataset.run);
  }
  for (const part of all("[data-run]")) part.hidden = hidden.has(part.dataset.run);
  at("shown").textContent = `${rows.length - hidden.size} of ${rows.length} shown`;
}
function jump() {
  const target = at(decodeURIComponent(location.hash.slice(1)));
  if (!target || !target.closest("[hidden]")) return;
  at("words").value = at("phase").value = "";
  show();
  target.scrollIntoView();
}
if (at("filter")) {
  at("filter").hidden = false;
  at("words").addEventListener("input", show);
  at("phase").addEventListener("change", show);
  addEventListener("hashchange", jump);
  show();
}
