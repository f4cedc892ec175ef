"""How the page looks: light and dark, wide and narrow."""

from __future__ import annotations

from typing import Final

STYLE: Final = """
:root { --back: #f6f7f9; --card: #fff; --ink: #1f2933; --soft: #5b6773; --line: #dfe4e8;
  --track: #eceff2; --queue: #b6c0ca; --good: #1a7f4b; --bad: #c0322f; --warn: #9a6200;
  --busy: #1f66c1; --gone: #697580; --mark: #fdf3d0 }
@media (prefers-color-scheme: dark) {
  :root { --back: #11161c; --card: #1a212a; --ink: #e6eaee; --soft: #9fabb7; --line: #303b46;
    --track: #27303a; --queue: #53616f; --good: #4cc38a; --bad: #f2706b; --warn: #e0a742;
    --busy: #6aa9f4; --gone: #8c99a5; --mark: #3a3420 }
}
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 108rem; padding: 1.5rem 1rem 3rem; color: var(--ink);
  background: var(--back); font: 15px/1.5 system-ui, "Segoe UI", "Noto Sans", sans-serif;
  overflow-wrap: anywhere }
h1 { font-size: 1.5rem; margin: 0 } h2 { font-size: 1.05rem; margin: 0 0 .6rem }
header p { color: var(--soft); margin: .3rem 0 1.2rem }
code { font: 12.5px/1.5 ui-monospace, "Cascadia Mono", "DejaVu Sans Mono", monospace }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  padding: 1rem 1.2rem; margin: 0 0 1rem }
ul, ol { list-style: none; margin: 0; padding: 0 }
.figures { display: flex; flex-wrap: wrap; gap: .6rem; margin: 0 0 1rem }
.figures li { background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  padding: .45rem .9rem; display: flex; align-items: baseline; gap: .45rem; color: var(--soft) }
.figures b { font-size: 1.25rem; color: var(--ink); font-variant-numeric: tabular-nums }
.failed, .terminated { --phase: var(--bad) } .unclear, .rejected { --phase: var(--warn) }
.running, .pending, .submitted { --phase: var(--busy) }
.expired { --phase: var(--gone) } .succeeded { --phase: var(--good) }
.badge { display: inline-block; color: var(--phase); border: 1px solid currentColor;
  border-radius: 99px; padding: 0 .55em; font-size: .82rem; white-space: nowrap }
.badge i { font-style: normal }
.legend { color: var(--soft); font-size: .85rem; margin: 0 0 .8rem }
.key { display: inline-block; width: 1.4em; height: .7em; border-radius: 3px;
  margin: 0 .4em 0 1em } .key:first-child { margin-left: 0 }
.key.queue { background: var(--queue) } .key.work { background: var(--good) }
.key.open { --phase: var(--busy) }
.key.open, .bar.open { background: repeating-linear-gradient(-45deg, var(--phase) 0 5px,
  transparent 5px 8px) }
.bar.queue.open { --phase: var(--queue) }
.tools { display: flex; flex-wrap: wrap; align-items: center; gap: .6rem; margin: 0 0 .6rem }
#filter { display: flex; flex: 1; flex-wrap: wrap; align-items: center; gap: .6rem }
#filter input { flex: 1 1 14rem; min-width: 0 } #filter output { color: var(--soft) }
input, select { font: inherit; color: inherit; background: var(--back);
  border: 1px solid var(--line); border-radius: 6px; padding: .25rem .5rem }
[hidden], #filter[hidden] { display: none }
a { color: var(--busy) } :target { background: var(--mark); scroll-margin-top: 4rem }
#runs { table-layout: fixed; font-size: .84rem }
#runs th, #runs td { padding: .2rem .6rem .2rem 0 } #runs tbody tr:hover { background: var(--back) }
#runs th:nth-child(1) { width: 6.9rem } #runs th:nth-child(2) { width: 14% }
#runs th:nth-child(4), #runs th:nth-child(8) { width: 7% } #runs th:nth-child(5) { width: 8.2rem }
#runs th:nth-child(6) { width: 4.4rem } #runs th:nth-child(7) { width: 16% }
#runs th.axis { width: 15%; padding-right: 0 } #runs td { vertical-align: middle }
#runs td > span:not(.badge) { display: -webkit-box; -webkit-box-orient: vertical;
  -webkit-line-clamp: 2; overflow: hidden; line-height: 1.3 }
#runs td.workflow > span:not(.badge), #runs td.id > span:not(.badge) { -webkit-line-clamp: 1;
  word-break: break-all }
#runs td.axis { padding-right: 0 } #runs .result code { font-size: .95em }
#runs .name { font-weight: 600 } #runs .id { font-family: ui-monospace, "Cascadia Mono",
  "DejaVu Sans Mono", monospace; font-size: .76rem }
.ticks { display: flex; justify-content: space-between; font-size: .74rem; font-weight: 400;
  font-variant-numeric: tabular-nums }
.track { position: relative; height: 1.2rem; border-radius: 4px; overflow: hidden;
  background: repeating-linear-gradient(to right, var(--line) 0 1px, var(--track) 1px 50%) }
.bar { position: absolute; top: .22rem; bottom: .22rem; min-width: 3px; border-radius: 3px }
.bar.queue:not(.open) { background: var(--queue) }
.bar.work:not(.open) { background: var(--phase) }
.cards li { border-left: 4px solid var(--phase); padding: .1rem 0 .1rem .9rem; margin: .6rem 0 0 }
.cards p { margin: 0 0 .1rem } .cards details { display: inline } dl { margin: 0 }
dl div { display: grid; grid-template-columns: 7.5rem 1fr; gap: .6rem }
dt { color: var(--soft) } dd { margin: 0 }
table { border-collapse: collapse; width: 100%; font-size: .9rem }
th { text-align: left; color: var(--soft); font-weight: 500; white-space: nowrap }
th, td { padding: .35rem .7rem .35rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top } tr:last-child td { border-bottom: 0 }
td { font-variant-numeric: tabular-nums } summary { color: var(--soft); cursor: pointer }
@media (max-width: 60rem) {
  thead { display: none } table, tbody, tr, td { display: block }
  tr { padding: .5rem 0; border-bottom: 1px solid var(--line) } tr:last-child { border: 0 }
  td { border: 0; padding: .1rem 0; display: grid; grid-template-columns: 5.5rem 1fr; gap: .6rem }
  td::before { content: attr(data-label); color: var(--soft) }
  td > code { grid-column: 2 } td > br { display: none } td > details { grid-column: 2 }
  dl div { grid-template-columns: 1fr; gap: 0 } dd { margin-bottom: .3rem }
  #runs thead, #runs thead tr { display: block; border: 0; padding: 0 }
  #runs th:not(.axis), #runs .none { display: none } #runs th.axis { display: block; width: auto }
  #runs tbody tr { display: flex; flex-wrap: wrap; gap: 0 .7rem; align-items: baseline }
  #runs td { display: block; padding: 0; color: var(--soft) }
  #runs td::before { content: attr(data-label) " "; font: .76rem system-ui, sans-serif }
  #runs .name::before, #runs .phase::before, #runs .axis::before { content: none }
  #runs td > span:not(.badge) { display: inline }
  #runs td.name { color: inherit; flex: 1 1 60%; font-size: .95rem } #runs td.phase { order: -1 }
  #runs td.axis { flex: 1 1 100%; padding-top: .2rem }
}
@media print { body { background: none } section { break-inside: avoid } }
"""
