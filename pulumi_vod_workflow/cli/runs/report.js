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

const STEP = 500; // rows that the page adds as the reader scrolls
const CHARACTERS = { lt: "<", gt: ">", amp: "&", quot: '"', "#x27": "'", times: "×" };
function plain(html) {
  const text = html.replace(/<[^>]*>/g, "");
  return text.replace(/&([^;]+);/g, (whole, name) => CHARACTERS[name] ?? whole);
}
function attribute(html, name) {
  return plain(html.match(new RegExp(` data-${name}="([^"]*)"`))?.[1] ?? "");
}
/* The rows of a table: those of the page, then those that the page has as text only. */
class Rows {
  constructor(table) {
    this.body = table.tBodies[0];
    const first = [...this.body.rows].map((node) => ({ run: node.dataset.run, node }));
    const store = document.querySelector(`noscript[data-of="${table.id}"]`);
    const lines = store ? store.textContent.split("\n").slice(1, -1) : [];
    const rest = lines.map((html) => ({ run: attribute(html, "run"), html }));
    this.all = [...first, ...rest];
    this.fitting = this.all;
    this.limit = first.length;
    if (!rest.length) return;
    this.more = table.insertAdjacentElement("afterend", document.createElement("p"));
    this.more.className = "more";
    this.count();
    const observer = new IntersectionObserver(
      ([entry]) => {
        if (!entry.isIntersecting) return;
        this.grow(this.limit + STEP);
        observer.unobserve(this.more); // it reports changes only, and the line may still be near
        observer.observe(this.more);
      },
      { rootMargin: "1000px" },
    );
    observer.observe(this.more);
  }
  node(row) {
    if (!row.node) {
      const body = document.createElement("tbody");
      body.innerHTML = row.html;
      row.node = body.rows[0];
    }
    return row.node;
  }
  text(row) {
    row.text ??= (row.node ? row.node.textContent : plain(row.html)).toLowerCase();
    return row.text;
  }
  phase(row) {
    row.phase ??= row.node ? row.node.dataset.phase : attribute(row.html, "phase");
    return row.phase;
  }
  count() {
    const hidden = this.fitting.length - this.limit;
    if (!this.more) return;
    this.more.hidden = hidden <= 0;
    this.more.textContent = `${hidden.toLocaleString("en")} more rows: scroll down, or filter`;
  }
  grow(limit) {
    const rows = this.fitting.slice(this.limit, limit);
    this.limit = limit;
    this.body.append(...rows.map((row) => this.node(row)));
    this.count();
    if (rows.length) showAges();
  }
  show(fits) {
    this.fitting = this.all.filter((row) => fits.has(row.run));
    this.body.replaceChildren();
    const limit = this.limit;
    this.limit = 0;
    this.grow(limit);
  }
}
const tables = all("table[id]").map((table) => new Rows(table));
const runs = tables.find((rows) => rows.body.parentElement.id === "runs");

function show() {
  const words = at("words").value.toLowerCase().split(/\s+/).filter(Boolean);
  const phase = at("phase").value;
  const fitting = runs.all.filter(
    (row) =>
      (!phase || runs.phase(row) === phase) &&
      words.every((word) => runs.text(row).includes(word)),
  );
  const fits = new Set(fitting.map((row) => row.run));
  for (const rows of tables) rows.show(fits);
  count(fits.size);
}
function count(shown) {
  at("shown").textContent = `${shown} of ${runs.all.length} shown`;
}
function jump() {
  const id = decodeURIComponent(location.hash.slice(1));
  const place = runs.all.findIndex((row) => `run-${row.run}` === id);
  if (place < 0 || at(id)) return;
  at("words").value = at("phase").value = "";
  show();
  runs.grow(Math.max(runs.limit, place + 1));
  location.replace(location.hash); // the row is the target now
}
if (at("filter")) {
  at("filter").hidden = false;
  at("words").addEventListener("input", show);
  at("phase").addEventListener("change", show);
  addEventListener("hashchange", jump);
  count(runs.all.length);
  jump();
}
