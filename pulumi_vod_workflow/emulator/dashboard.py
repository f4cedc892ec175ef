"""The pages for a browser: `/` has runs, timeline, ledger and controls; each run has its own."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any, Final
from urllib.parse import quote

from pulumi_vod_workflow.emulator.dashboard_assets import HEADERS, SCRIPT, STYLE
from pulumi_vod_workflow.emulator.errors import TABLE, ServiceError
from pulumi_vod_workflow.emulator.faults import Fault
from pulumi_vod_workflow.emulator.http import VERSIONS, HttpResponse
from pulumi_vod_workflow.emulator.service import Service
from pulumi_vod_workflow.emulator.settings import Rule
from pulumi_vod_workflow.emulator.store import RETENTION, EmulatedRun, format_time, ledger_entry
from pulumi_vod_workflow.emulator.timeline import Axis

RUN_PATH: Final = "/_emulator/runs/"
"""Before a RunId: where the page of that run is."""
MAX_RUNS: Final = 200
"""How many runs the page shows."""
MAX_REQUESTS: Final = 50
"""How many requests the page shows."""
ROW_HEIGHT: Final = 22
"""Height of a run in the timeline, in pixels."""
TICK_WIDTH: Final = 110
"""Pixels for a time on the axis."""
MARGIN: Final = 12
"""Pixels to the right of the axis."""
STATUSES: Final = ("0", *(f"100{n}" for n in range(1, 7)), *(f"200{n}" for n in range(6)),
                   "Terminated", "Paused")  # fmt: skip
"""The outcomes to choose from: the documented ones, and one that no client knows."""

Cells = Sequence[tuple[str, str]]
"""Cells: a class, and what is in it."""


def is_page(path: str) -> bool:
    """Tell whether a path is a page's."""
    return path == "/" or path.startswith(RUN_PATH)


def render_page(service: Service, path: str) -> HttpResponse:
    """Return the page of a path."""
    if path == "/":
        return HttpResponse(200, _overview(service), HEADERS)
    run = service.store.run(path.removeprefix(RUN_PATH))
    if run is None:
        body = '<p>There is no such run. <a href="/">All runs</a></p>'
        return HttpResponse(404, _page("No such run", "<h1>VOD emulator</h1>", body), HEADERS)
    return HttpResponse(200, _run_page(service, run), HEADERS)


def _page(title: str, head: str, body: str) -> bytes:
    # Without scripts the browser itself loads the page again.
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<noscript><meta http-equiv="refresh" content="2"></noscript>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><link rel="icon" href="data:,">
<title>{_html_text(title)}</title><style>{STYLE}</style></head><body>
<header>{head}<output id="said"></output></header>
<main>{body}</main>
<script>{SCRIPT}</script></body></html>
""".encode()


def _html_text(value: Any) -> str:
    """Return a text as one that is only shown: no markup, and nothing that hides or turns it."""
    return escape("".join(
        char if char.isprintable() or char == "\n" else char.encode("unicode_escape").decode()
        for char in str(value).encode(errors="backslashreplace").decode()
    ))  # fmt: skip


# -- all runs ----------------------------------------------------------------------------------


def _overview(service: Service) -> bytes:
    store = service.store
    now, starts, runs = store.now(), store.count_starts(), store.runs(MAX_RUNS)
    head = "<h1>VOD emulator <small>nothing here is real or paid</small></h1>"
    most = f"<p>The newest {MAX_RUNS} of {starts:,}.</p>" if starts > MAX_RUNS else ""
    body = f"""{_live("figures", _figures(service, runs, now, starts))}
<section hidden data-scripted><h2>Controls</h2>{_clock_form()}{_outcome_and_fault_forms()}
{_live("decided", _pending_list(service))}</section>
<noscript><p>The buttons need JavaScript; what they do, <code>POST /_emulator/...</code> does.</p>
</noscript>
<section><h2>Timeline</h2>{_chart(runs, now)}</section>
<section><h2>Runs</h2>{_live("runs", most + _runs(runs, now))}</section>
<section><h2>Ledger</h2>{_live("ledger", most + _ledger(runs))}</section>
<section><h2>Requests of this process</h2>{
        _live("requests", _requests([*service.requests][-MAX_REQUESTS:]))
    }</section>"""
    return _page("VOD emulator", head, body)


def _live(name: str, content: str) -> str:
    """Mark a part that the script takes from a fresh page."""
    return f'<div id="{name}" data-live>{content}</div>'


def _figures(service: Service, runs: Sequence[EmulatedRun], now: float, starts: int) -> str:
    ended = [run for run in runs if run.has_ended(now)]
    speed, step = service.store.pace()
    pace = "" if speed == 1 else ", frozen" if speed == 0 else f", {speed:g} times as fast"
    pace += f", {step:g} s at each request" if step else ""
    figures = {
        "starts in the ledger": f"{starts:,}",
        "unfinished": f"{len(runs) - len(ended):,}",
        "failed or terminated": f"{sum(run.status(now) != '0' for run in ended):,}",
        f"the emulator's time{pace}": format_time(now),
    }
    told = "".join(f"<span><b>{value}</b>{name}</span>" for name, value in figures.items())
    return f'<div class="figures">{told}</div>'


def phase(run: EmulatedRun, now: float) -> str:
    """Return the word that the Pulumi provider has for where a run stands."""
    status = run.status(now)
    if run.accepted <= now - RETENTION:
        return "expired"
    known = {"PendingStart": "pending", "0": "succeeded", "Terminated": "terminated"}
    return known.get(status) or ("failed" if status.isdigit() else "running")


def _badge(run: EmulatedRun, now: float) -> str:
    word = phase(run, now)
    return f'<span class="badge {word}">{word}</span>'


def _link(run_id: str, text: str | None = None) -> str:
    return f'<a href="{RUN_PATH}{quote(run_id, safe=":")}">{_html_text(text or run_id)}</a>'


def _source_of(start: Mapping[str, Any]) -> tuple[str, str]:
    """Return the kind of a declared source, and the source."""
    if "Vid" in start:
        return "Vid", str(start["Vid"])
    direct_url = start["DirectUrl"]
    parts = (direct_url.get("SpaceName"), direct_url["FileName"])
    return "DirectUrl", "/".join(part for part in parts if part)


def _source(start: Mapping[str, Any]) -> str:
    kind, source = _source_of(start)
    return f'<span><span class="kind">{kind}</span> {_html_text(source)}</span>'


def _runs(runs: Sequence[EmulatedRun], now: float) -> str:
    rows = (
        [
            ("", _badge(run, now)),
            ("id whole", _html_text(run.status(now))),
            ("", _source(run.start)),
            ("id template", _html_text(run.start["TemplateId"])),
            ("time", format_time(run.accepted)),
            ("id whole", _link(run.run_id)),
        ]
        for run in runs
    )
    names = ("Phase", "Status", "Source", "TemplateId", "Accepted", "RunId")
    return _table(names, rows, "No run yet: point a client here and start one.")


def _table(names: Sequence[str], rows: Iterable[Cells], otherwise: str) -> str:
    body = "".join(
        "<tr>" + "".join(
            f'<td class="{kind}" data-label="{name}">{cell}</td>'
            for name, (kind, cell) in zip(names, row, strict=True)
        ) + "</tr>"
        for row in rows
    )  # fmt: skip
    if not body:
        return f'<p class="none">{otherwise}</p>'
    head = "".join(f'<th scope="col">{name}</th>' for name in names)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _ledger(runs: Sequence[EmulatedRun]) -> str:
    rows = (
        [
            ("time", format_time(run.accepted)),
            ("", _source(run.start)),
            ("id", _html_text(run.start.get("ClientToken") or "-")),
            ("id whole", _link(run.run_id)),
        ]
        for run in runs
    )
    return _table(("Accepted", "Source", "ClientToken", "RunId"), rows, "Nothing was started.")


def _requests(requests: Sequence[Mapping[str, Any]]) -> str:
    rows = (
        [
            ("time", _html_text(request["time"])),
            ("", _html_text(request["action"] or "-")),
            ("", _html_text(request["status"] or "-")),
            ("", _html_text(", ".join(filter(None, (request["code"], request["fault"]))) or "-")),
            ("", _html_text(request["milliseconds"])),
            ("id whole", _link(request["runId"]) if request["runId"] else "-"),
        ]
        for request in reversed(requests)
    )
    names = ("Real time", "Action", "HTTP", "Code, fault", "ms", "RunId")
    return _table(names, rows, "None that is known.")


# -- the timeline ------------------------------------------------------------------------------


def _chart(runs: Sequence[EmulatedRun], now: float) -> str:
    labels = "".join(
        f'<li title="{_html_text(_source_of(run.start)[1])}">{_badge(run, now)} '
        f"{_link(run.run_id, _source_of(run.start)[1])}</li>"
        for run in runs
    )
    drawn = _chart_svg(runs, now) if runs else '<p class="none">No run yet.</p>'
    return (
        '<p><span class="key queue"></span>queued<span class="key running"></span>processed'
        '<span class="key succeeded"></span>succeeded<span class="key failed"></span>failed. The '
        "dashed line is now. Where nothing happens for long, the axis is shortened.</p>"
        f'<div class="chart">{_live("labels", f"<ol>{labels}</ol>")}{_live("chart", drawn)}</div>'
    )


def _chart_svg(runs: Sequence[EmulatedRun], now: float) -> str:
    axis = Axis(moment for run in runs for moment in (run.accepted, run.started, run.ended))
    unfinished = [run for run in runs if not run.has_ended(now)]
    end = max([run.ended for run in runs] + [now] * bool(unfinished))
    across, down = max(TICK_WIDTH, axis.at(end) + MARGIN), ROW_HEIGHT * (len(runs) + 1)
    bars = "".join(_bars(run, now, axis, ROW_HEIGHT * number) for number, run in enumerate(runs, 1))
    at_now = (
        f'<line class="now" x1="{axis.at(now):.1f}" x2="{axis.at(now):.1f}" y1="{ROW_HEIGHT - 4}" '
        f'y2="{down}"/>'
        if now <= end
        else ""
    )
    return (
        f'<div class="scroll"><svg width="{across:.0f}" height="{down}" role="img" '
        f'aria-label="When each run was queued and processed">{_ticks(runs, axis, across)}'
        f"{at_now}{bars}</svg></div>"
    )


def _ticks(runs: Sequence[EmulatedRun], axis: Axis, across: float) -> str:
    """Return the times at which runs were accepted, so far apart that they can be read."""
    ticks: list[str] = []
    free, day = 0.0, ""
    for run in sorted(runs, key=lambda run: run.accepted):
        place = axis.at(run.accepted)
        begin, anchor = place, "start"
        if place > across - TICK_WIDTH:  # where it would be cut off it stands to the left
            begin, anchor = place - TICK_WIDTH, "end"
        if ticks and begin < free:
            continue
        moment = datetime.fromtimestamp(run.accepted, UTC)
        told = f"{moment:%H:%M:%S}" if f"{moment:%m-%d}" == day else f"{moment:%m-%d %H:%M:%S}"
        ticks.append(f'<text x="{place:.1f}" y="13" text-anchor="{anchor}">{told}</text>')
        free, day = begin + TICK_WIDTH, f"{moment:%m-%d}"
    return "".join(ticks)


def _bars(run: EmulatedRun, now: float, axis: Axis, top: int) -> str:
    """Draw a run: queued in grey, then in the colour of its phase, as far as it is now."""
    word = phase(run, now)
    until = now if run.outcome == "Paused" else min(run.ended, now)
    parts = [("queue", run.accepted, min(run.started, now))]
    if now >= run.started:
        parts.append((f"work {word}", run.started, until))
    return f'<line class="row" x1="0" x2="100%" y1="{top}" y2="{top}"/>' + "".join(
        f'<rect class="{kind}" x="{axis.at(start):.1f}" y="{top + 5}" height="12" rx="2" '
        f'width="{max(2.0, axis.at(stop) - axis.at(start)):.1f}">'
        f"<title>{word}: {format_time(start)} to {format_time(stop)}</title></rect>"
        for kind, start, stop in parts
    )


# -- controls ----------------------------------------------------------------------------------


def _clock_form() -> str:
    ahead = {"1": "+1 s", "10": "+10 s", "60": "+1 min", "3600": "+1 h", "2678400": "+31 days"}
    return (
        '<form data-control="clock"><b>Clock</b>'
        + "".join(_button("advanceSeconds", value, name) for value, name in ahead.items())
        + _button("speed", "0", "freeze")
        + _button("speed", "1", "run")
        + _button("speed", "60", "60 times as fast")
        + "</form>"
    )


def _button(name: str, value: str, text: str) -> str:
    return f'<button name="{name}" value="{value}">{text}</button>'


def _select(name: str, label: str, values: Iterable[str]) -> str:
    options = "".join(
        f'<option value="{value}">{value}{_MEANINGS.get(value, "")}</option>' for value in values
    )
    return f'<label>{label}<select name="{name}">{options}</select></label>'


_MEANINGS: Final = {
    "0": " (succeeded)",
    "Paused": " (never ends)",
    "before": " it takes effect",
    "after": " it took effect",
}
_TIMES: Final = '<label>Times<input name="times" type="number" min="1" value="1"></label>'


def _outcome_and_fault_forms() -> str:
    kinds = ("http", "reset", "hang", "truncated", "html", "garbage")
    codes = "".join(f"<option>{code}</option>" for code in TABLE)
    return (
        '<form data-control="outcomes"><b>Outcome</b>'
        + _select("status", "The next starts end with", STATUSES)
        + _TIMES
        + '<label>Source contains<input name="match"></label><button>Decide</button></form>'
        '<form data-control="faults"><b>Fault</b>'
        + _select("action", "Action", VERSIONS)
        + _select("kind", "Kind", kinds)
        + _select("when", "When", ("before", "after"))
        + _TIMES
        + '<label>Code, of http<input name="code" list="codes" placeholder="InternalError"></label>'
        f'<datalist id="codes">{codes}</datalist><button>Add</button>'
        + _button("times", "0", "Clear those of this action")
        + '</form><details id="reset"><summary>Reset</summary><form data-control="reset">'
        '<button class="strong">Forget all runs, the ledger, faults, outcomes, changed settings '
        "and the clock</button></form></details>"
    )


def _pending_list(service: Service) -> str:
    """Return the outcomes and faults that wait for a request."""
    outcomes, faults = service.store.pending_outcomes_and_faults()
    told = []
    for left, text in outcomes:
        rule = Rule.model_validate_json(text)
        told.append(f"outcome {rule.status}, for sources like {rule.source}, {_count_times(left)}")
    told += [
        f"fault {_fault_text(json.loads(text))}, {_count_times(left)}" for left, text in faults
    ]
    if not told:
        return ""
    return (
        "<p>To come:</p><ul>" + "".join(f"<li>{_html_text(each)}</li>" for each in told) + "</ul>"
    )


def _count_times(count: int) -> str:
    return "1 time" if count == 1 else f"{count:,} times"


def _fault_text(parts: Mapping[str, Any]) -> str:
    fault = Fault(**parts)
    code = f" {fault.code}" if fault.kind == "http" else ""
    share = f", {fault.chance:.0%} of the requests" if fault.chance < 1 else ""
    return f"{fault.kind}{code}, {fault.when} {fault.action} takes effect{share}"


# -- one run -----------------------------------------------------------------------------------


def _run_page(service: Service, run: EmulatedRun) -> bytes:
    now, store = service.store.now(), service.store
    requests = [each for each in [*service.requests] if each["runId"] == run.run_id]
    events = [each for each in store.deliveries() if each["runId"] == run.run_id]
    read = _call_result(service, "GetWorkflowExecution", run, NeedTasksDetail="true")
    result = _call_result(service, "GetWorkflowExecutionResult", run)
    head = (
        '<p><a href="/">All runs</a></p>'
        f"<h1>{_source(run.start)}</h1><p class=id>{_html_text(run.run_id)}</p>"
    )
    body = f"""<section hidden data-scripted>{_clock_form()}</section>
<section><h2>Run</h2>{_live("facts", _run_facts(run, now, read))}</section>
<section><h2>Timeline</h2>{_chart([run], now)}</section>
<section><h2>Input</h2>{_json(run.start["Input"]) if run.start.get("Input") else _NONE}</section>
<section><h2>Outputs</h2>{_live("outputs", _outputs(result))}</section>
<section><h2>Ledger</h2><p>Entry {store.count_starts(run):,} of {
        store.count_starts():,}: the start that was
accepted would be paid once.</p>{_json(ledger_entry(run))}</section>
<section><h2>Events</h2>{_live("events", _events(events))}</section>
<section><h2>Requests of this process</h2>{_live("requests", _requests(requests))}</section>
<section><h2>What the service answers now</h2>{
        _live("answers", _details(GetWorkflowExecution=read, GetWorkflowExecutionResult=result))
    }</section>"""
    return _page(f"{_source_of(run.start)[1]} - VOD emulator", head, body)


_NONE: Final = '<p class="none">None.</p>'


def _call_result(service: Service, action: str, run: EmulatedRun, **more: str) -> Mapping[str, Any]:
    """Return what a client that reads the run is told now."""
    try:
        return service.call(action, {"RunId": run.run_id, **more}).result
    except ServiceError as refusal:  # it is too old
        return {"Error": {"Code": refusal.code, "Message": refusal.message}}


def _json(value: Any) -> str:
    return f"<pre>{_html_text(json.dumps(value, ensure_ascii=False, indent=2))}</pre>"


def _details(**answers: Mapping[str, Any]) -> str:
    return "".join(
        f'<details id="{action}"><summary>{action}</summary>{_json(told)}</details>'
        for action, told in answers.items()
    )


def _run_facts(run: EmulatedRun, now: float, read: Mapping[str, Any]) -> str:
    start = run.start
    paused = run.outcome == "Paused"
    facts = {
        "Phase": _badge(run, now),
        "Status": f"<code>{_html_text(run.status(now))}</code>",
        **{name: _html_text(start[name]) for name in ("Vid",) if name in start},
        **{f"DirectUrl.{name}": _html_text(value)
           for name, value in (start.get("DirectUrl") or {}).items()},
        "SpaceName": _html_text(run.space),
        "TemplateId": f"<code>{_html_text(start['TemplateId'])}</code>",
        "TemplateName": _html_text(read.get("TemplateName") or "-"),
        **{name: f"<code>{_html_text(start[name])}</code>"
           for name in ("ClientToken", "CallbackArgs", "TaskListId", "Priority",
                        "EnableLowPriority") if name in start},
        "Accepted": format_time(run.accepted),
        "Started": format_time(run.started) if now >= run.started else f"to be: {format_time(run.started)}",
        "Ended": "never" if paused
        else format_time(run.ended) if run.has_ended(now)
        else f"to be: {format_time(run.ended)}, with status {_html_text(run.outcome)}",
        "Tasks": _tasks(read.get("TasksDetail", ())),
    }  # fmt: skip
    return f"<dl>{''.join(f'<dt>{name}</dt><dd>{told}</dd>' for name, told in facts.items())}</dl>"


def _tasks(tasks: Sequence[Mapping[str, Any]]) -> str:
    count = len(tasks)
    done = sum(task["Progress"] for task in tasks) / count if count else 0
    return f"{done:.0f} % of {count} {'task' if count == 1 else 'tasks'}" if count else "-"


def _outputs(result: Mapping[str, Any]) -> str:
    rows = [
        *(
            [
                ("", _html_text(made["FileType"])),
                ("", _html_text(made["Format"])),
                ("", f"{made['Size']:,} bytes, {made['Duration']:g} s"),
                ("id", _html_text(made["StoreUri"])),
            ]
            for made in result.get("TranscodeInfos", ())
        ),
        *(_snapshot(made) for made in result.get("Snapshots", ())),
    ]
    return _table(("Kind", "Format", "Size", "StoreUri"), rows, "None, or none yet.")


def _snapshot(made: Mapping[str, Any]) -> Cells:
    kind = made["Type"]
    files = made[kind]
    uris = files.get("StoreUris") or [files["StoreUri"]]
    count = f"{len(uris)} {'file' if len(uris) == 1 else 'files'}"
    told = "<br>".join(map(_html_text, uris))
    return [("", f"snapshot, {_html_text(kind)}"), ("", _html_text(files["Format"])), ("", count),
            ("id", f"<span>{told}</span>")]  # fmt: skip


def _events(events: Sequence[Mapping[str, Any]]) -> str:
    rows = (
        [
            ("", _html_text(event["state"])),
            ("", str(event["attempts"])),
            ("time", event["dueAt"]),
            ("id", _html_text(event["url"])),
        ]
        for event in events
    )
    return _table(("State", "Attempts", "Due", "To"), rows, "None: nobody has subscribed.")
