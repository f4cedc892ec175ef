"""The page at `/`: runs, their timeline and the ledger, for a person in front of a browser."""

from __future__ import annotations

from html import escape
from typing import Any, Final

from pulumi_vod_workflow.emulator.outputs import source_name
from pulumi_vod_workflow.emulator.service import Service
from pulumi_vod_workflow.emulator.store import Run, iso

SHOWN: Final = 200
"""How many runs the page shows."""
WIDTH: Final = 320

_STYLE: Final = """
body { font: 14px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem;
       color: #1f2933; background: #fff }
h1 { font-size: 1.4rem } h2 { font-size: 1.1rem; margin-top: 2rem }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #e4e7eb;
         vertical-align: middle }
td.time { white-space: nowrap }
td.id { font-family: ui-monospace, monospace; font-size: 12px; word-break: break-all }
.bar { fill: #cbd2d9 } .PendingStart { fill: #cbd2d9 } .Running, .Paused { fill: #2f80ed }
.ok { fill: #27ae60 } .failed { fill: #d64545 } .now { stroke: #1f2933; stroke-dasharray: 2 2 }
.figures { display: flex; gap: 2rem; margin: 1rem 0 }
.figures b { display: block; font-size: 1.6rem }
@media (prefers-color-scheme: dark) {
  body { background: #12181f; color: #e4e7eb } th, td { border-color: #323f4b }
  .now { stroke: #e4e7eb }
}
"""


def render(service: Service) -> bytes:
    """Return the page; it loads nothing and asks for itself again every two seconds."""
    store = service.store
    now, ledger, runs = store.now(), store.ledger(), store.runs(SHOWN)
    waiting = sum(not run.has_ended(now) for run in runs)
    failed = sum(run.has_ended(now) and run.status(now) != "0" for run in runs)
    figures = {
        "starts in the ledger": len(ledger),
        "unfinished": waiting,
        "failed or terminated": failed,
        "the emulator's time": iso(now),
    }
    shown = "".join(f"<span><b>{value}</b>{name}</span>" for name, value in figures.items())
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="2">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>VOD emulator</title><style>{_STYLE}</style></head><body>
<h1>VOD emulator <small>- nothing here is real or paid</small></h1>
<div class="figures">{shown}</div>
<h2>Runs</h2>{_runs(runs, now)}
<h2>Ledger</h2>{_ledger(ledger[-SHOWN:])}
</body></html>""".encode()


def _runs(runs: list[Run], now: float) -> str:
    if not runs:
        return "<p>No run yet: point a client here and start one.</p>"
    begin = min(run.accepted for run in runs)
    end = max(now, *(run.ended for run in runs if run.outcome != "Paused"), begin + 1)
    rows = "".join(
        f"<tr><td class=id>{escape(run.run_id)}</td><td>{escape(source_name(run.start))}</td>"
        f"<td class=id>{escape(run.start['TemplateId'])}</td><td>{escape(run.status(now))}</td>"
        f"<td class=time>{iso(run.accepted)}</td><td>{_timeline(run, now, begin, end)}</td></tr>"
        for run in runs
    )
    return (
        "<table id=runs><thead><tr><th>RunId<th>source<th>TemplateId<th>Status<th>accepted"
        f"<th>timeline</tr></thead><tbody>{rows}</tbody></table>"
    )


def _timeline(run: Run, now: float, begin: float, end: float) -> str:
    """Draw a run: pending in grey, running in blue, ended in green or red; a dashed line is now."""

    def x(moment: float) -> float:
        return round((min(max(moment, begin), end) - begin) / (end - begin) * WIDTH, 1)

    status = run.status(now)
    until = run.ended if run.outcome != "Paused" else end
    parts = [("PendingStart", run.accepted, min(run.started, now))]
    if now >= run.started:
        kind = "ok" if status == "0" else "failed" if run.has_ended(now) else "Running"
        parts.append((kind, run.started, min(until, now)))
    bars = "".join(
        f'<rect class="{kind}" x="{x(start)}" width="{max(2.0, x(stop) - x(start)):.1f}" y="3" '
        'height="10" rx="2"/>'
        for kind, start, stop in parts
    )
    return (
        f'<svg width="{WIDTH}" height="16" role="img" aria-label="{escape(status)}">'
        f'<line class="now" x1="{x(now)}" x2="{x(now)}" y1="0" y2="16"/>{bars}</svg>'
    )


def _ledger(entries: list[dict[str, Any]]) -> str:
    rows = "".join(
        f"<tr><td>{entry['acceptedAt']}</td><td class=id>{escape(entry['runId'])}</td>"
        f"<td class=id>{escape(entry['clientToken'] or '-')}</td></tr>"
        for entry in entries
    )
    return (
        "<table id=ledger><thead><tr><th>accepted<th>RunId<th>ClientToken</tr></thead>"
        f"<tbody>{rows}</tbody></table>"
    )
