"""The pages for a browser: `/` with runs, timeline, ledger and controls, and one for each run."""

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
"""The path of a run's page, before its RunId."""
MAX_RUNS: Final = 200
"""Number of runs on the page."""
MAX_REQUESTS: Final = 50
"""Number of requests on the page."""
ROW_HEIGHT: Final = 22
"""Height of a run in the timeline, in pixels."""
TICK_WIDTH: Final = 110
"""Width of a time on the axis, in pixels."""
MARGIN: Final = 12
"""Margin to the right of the axis, in pixels."""
STATUSES: Final = ("0", *(f"100{n}" for n in range(1, 7)), *(f"200{n}" for n in range(6)),
                   "Terminated", "Paused")  # fmt: skip
"""The outcomes of the form: the documented ones, and one that no client knows."""

Cells = Sequence[tuple[str, str]]
"""The cells of a row: CSS class and content."""


def is_page(path: str) -> bool:
    """Return whether a path is that of a page."""
    return path == "/" or path.startswith(RUN_PATH)


def render_page(service: Service, path: str) -> HttpResponse:
    """Return the response with the page of a path."""
    if path == "/":
        return HttpResponse(200, _overview(service), HEADERS)
    run = service.store.run(path.removeprefix(RUN_PATH))
    if run is None:
        body = '<p>The store has no run with this RunId. <a href="/">All runs</a></p>'
        return HttpResponse(404, _page("Unknown run", "<h1>VOD emulator</h1>", body), HEADERS)
    return HttpResponse(200, _run_page(service, run), HEADERS)


def _page(title: str, head: str, body: str) -> bytes:
    # Without scripts the browser itself reloads the page.
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<noscript><meta http-equiv="refresh" content="2"></noscript>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><link rel="icon" href="data:,">
<title>{_html_text(title)}</title><style>{STYLE}</style></head><body>
<header>{head}<output id="message"></output></header>
<main>{body}</main>
<script>{SCRIPT}</script></body></html>
""".encode()


def _html_text(value: Any) -> str:
    """Return a value as HTML text, with escapes for markup and for invisible characters."""
    return escape("".join(
        char if char.isprintable() or char == "\n" else char.encode("unicode_escape").decode()
        for char in str(value).encode(errors="backslashreplace").decode()
    ))  # fmt: skip


# -- all runs ----------------------------------------------------------------------------------


def _overview(service: Service) -> bytes:
    store = service.store
    now, starts, runs = store.now(), store.count_starts(), store.runs(MAX_RUNS)
    head = "<h1>VOD emulator <small>no run here is real or paid</small></h1>"
    limit = f"<p>The newest {MAX_RUNS} of {starts:,} runs.</p>" if starts > MAX_RUNS else ""
    body = f"""{_live("figures", _figures(service, runs, now, starts))}
<section hidden data-scripted><h2>Controls</h2>{_clock_form()}{_outcome_and_fault_forms()}
{_live("pending", _pending_list(service))}</section>
<noscript><p>The buttons need JavaScript. <code>POST /_emulator/...</code> does the same.</p>
</noscript>
<section><h2>Timeline</h2>{_chart(runs, now)}</section>
<section><h2>Runs</h2>{_live("runs", limit + _runs(runs, now))}</section>
<section><h2>Ledger</h2>{_live("ledger", limit + _ledger(runs))}</section>
<section><h2>Requests of this process</h2>{
        _live("requests", _requests([*service.requests][-MAX_REQUESTS:]))
    }</section>"""
    return _page("VOD emulator", head, body)


def _live(name: str, content: str) -> str:
    """Return a part of the page that the script replaces every second."""
    return f'<div id="{name}" data-live>{content}</div>'


def _figures(service: Service, runs: Sequence[EmulatedRun], now: float, starts: int) -> str:
    ended = [run for run in runs if run.has_ended(now)]
    speed, step = service.store.pace()
    pace = "" if speed == 1 else ", stopped" if speed == 0 else f", {speed:g} times as fast"
    pace += f", {step:g} s per request" if step else ""
    figures = {
        "starts in the ledger": f"{starts:,}",
        "unfinished": f"{len(runs) - len(ended):,}",
        "failed or terminated": f"{sum(run.status(now) != '0' for run in ended):,}",
        f"the emulator's time{pace}": format_time(now),
    }
    spans = "".join(f"<span><b>{value}</b>{name}</span>" for name, value in figures.items())
    return f'<div class="figures">{spans}</div>'


def phase(run: EmulatedRun, now: float) -> str:
    """Return the phase of a run, with the names of the Pulumi provider."""
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
    """Return the kind of a start's source, and the source."""
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
    return _table(names, rows, "No runs. Start a run with this endpoint.")


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
    return _table(("Accepted", "Source", "ClientToken", "RunId"), rows, "No starts.")


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
    return _table(names, rows, "No requests.")


# -- the timeline ------------------------------------------------------------------------------


def _chart(runs: Sequence[EmulatedRun], now: float) -> str:
    labels = "".join(
        f'<li title="{_html_text(_source_of(run.start)[1])}">{_badge(run, now)} '
        f"{_link(run.run_id, _source_of(run.start)[1])}</li>"
        for run in runs
    )
    chart = _chart_svg(runs, now) if runs else '<p class="none">No runs.</p>'
    return (
        '<p><span class="key queue"></span>queued<span class="key running"></span>processing'
        '<span class="key succeeded"></span>succeeded<span class="key failed"></span>failed. The '
        "dashed line is the present time. The axis shortens long times without events.</p>"
        f'<div class="chart">{_live("labels", f"<ol>{labels}</ol>")}{_live("chart", chart)}</div>'
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
        f'aria-label="Queue time and processing time of each run">{_ticks(runs, axis, across)}'
        f"{at_now}{bars}</svg></div>"
    )


def _ticks(runs: Sequence[EmulatedRun], axis: Axis, across: float) -> str:
    """Return the times of acceptance, with readable distances."""
    ticks: list[str] = []
    free, day = 0.0, ""
    for run in sorted(runs, key=lambda run: run.accepted):
        place = axis.at(run.accepted)
        begin, anchor = place, "start"
        if place > across - TICK_WIDTH:  # at the right edge: to the left of the place
            begin, anchor = place - TICK_WIDTH, "end"
        if ticks and begin < free:
            continue
        moment = datetime.fromtimestamp(run.accepted, UTC)
        label = f"{moment:%H:%M:%S}" if f"{moment:%m-%d}" == day else f"{moment:%m-%d %H:%M:%S}"
        ticks.append(f'<text x="{place:.1f}" y="13" text-anchor="{anchor}">{label}</text>')
        free, day = begin + TICK_WIDTH, f"{moment:%m-%d}"
    return "".join(ticks)


def _bars(run: EmulatedRun, now: float, axis: Axis, top: int) -> str:
    """Return the bars of a run until now: queued in grey, then in the colour of its phase."""
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
        + _button("speed", "0", "stop")
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
    "before": " the effect",
    "after": " the effect",
}
_TIMES: Final = '<label>Times<input name="times" type="number" min="1" value="1"></label>'


def _outcome_and_fault_forms() -> str:
    kinds = ("http", "reset", "hang", "truncated", "html", "garbage")
    codes = "".join(f"<option>{code}</option>" for code in TABLE)
    return (
        '<form data-control="outcomes"><b>Outcome</b>'
        + _select("status", "Last status of the next starts", STATUSES)
        + _TIMES
        + '<label>Source contains<input name="match"></label><button>Set</button></form>'
        '<form data-control="faults"><b>Fault</b>'
        + _select("action", "Action", VERSIONS)
        + _select("kind", "Kind", kinds)
        + _select("when", "When", ("before", "after"))
        + _TIMES
        + '<label>Code, of http<input name="code" list="codes" placeholder="InternalError"></label>'
        f'<datalist id="codes">{codes}</datalist><button>Add</button>'
        + _button("times", "0", "Remove all")
        + '</form><details id="reset"><summary>Reset</summary><form data-control="reset">'
        '<button class="strong">Delete all runs, the ledger, faults, outcomes, changed settings '
        "and clock changes</button></form></details>"
    )


def _pending_list(service: Service) -> str:
    """Return a list of the outcomes and faults of later requests."""
    outcomes, faults = service.store.pending_outcomes_and_faults()
    lines = []
    for left, text in outcomes:
        rule = Rule.model_validate_json(text)
        lines.append(f"outcome {rule.status}, sources {rule.source}, {_count_times(left)}")
    lines += [
        f"fault {_fault_text(json.loads(text))}, {_count_times(left)}" for left, text in faults
    ]
    if not lines:
        return ""
    items = "".join(f"<li>{_html_text(line)}</li>" for line in lines)
    return f"<p>For later requests:</p><ul>{items}</ul>"


def _count_times(count: int) -> str:
    return "1 time" if count == 1 else f"{count:,} times"


def _fault_text(parts: Mapping[str, Any]) -> str:
    fault = Fault(**parts)
    code = f" {fault.code}" if fault.kind == "http" else ""
    share = f", {fault.chance:.0%} of the requests" if fault.chance < 1 else ""
    return f"{fault.kind}{code}, {fault.when} the effect of {fault.action}{share}"


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
        store.count_starts():,}. The service would bill this
start once.</p>{_json(ledger_entry(run))}</section>
<section><h2>Events</h2>{_live("events", _events(events))}</section>
<section><h2>Requests of this process</h2>{_live("requests", _requests(requests))}</section>
<section><h2>Present responses of the service</h2>{
        _live("answers", _details(GetWorkflowExecution=read, GetWorkflowExecutionResult=result))
    }</section>"""
    return _page(f"{_source_of(run.start)[1]} - VOD emulator", head, body)


_NONE: Final = '<p class="none">None.</p>'


def _call_result(service: Service, action: str, run: EmulatedRun, **more: str) -> Mapping[str, Any]:
    """Return the present result, or the error, of a call about a run."""
    try:
        return service.call(action, {"RunId": run.run_id, **more}).result
    except ServiceError as error:  # older than 30 days (facts 1)
        return {"Error": {"Code": error.code, "Message": error.message}}


def _json(value: Any) -> str:
    return f"<pre>{_html_text(json.dumps(value, ensure_ascii=False, indent=2))}</pre>"


def _details(**results: Mapping[str, Any]) -> str:
    return "".join(
        f'<details id="{action}"><summary>{action}</summary>{_json(result)}</details>'
        for action, result in results.items()
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
        "Started": format_time(run.started) if now >= run.started
        else f"scheduled: {format_time(run.started)}",
        "Ended": "never" if paused
        else format_time(run.ended) if run.has_ended(now)
        else f"scheduled: {format_time(run.ended)}, status {_html_text(run.outcome)}",
        "Tasks": _tasks(read.get("TasksDetail", ())),
    }  # fmt: skip
    items = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in facts.items())
    return f"<dl>{items}</dl>"


def _tasks(tasks: Sequence[Mapping[str, Any]]) -> str:
    count = len(tasks)
    progress = sum(task["Progress"] for task in tasks) / count if count else 0
    return f"{progress:.0f} % of {count} {'task' if count == 1 else 'tasks'}" if count else "-"


def _outputs(result: Mapping[str, Any]) -> str:
    rows = [
        *(
            [
                ("", _html_text(output["FileType"])),
                ("", _html_text(output["Format"])),
                ("", f"{output['Size']:,} bytes, {output['Duration']:g} s"),
                ("id", _html_text(output["StoreUri"])),
            ]
            for output in result.get("TranscodeInfos", ())
        ),
        *(_snapshot(output) for output in result.get("Snapshots", ())),
    ]
    return _table(("Kind", "Format", "Size", "StoreUri"), rows, "No outputs.")


def _snapshot(output: Mapping[str, Any]) -> Cells:
    kind = output["Type"]
    files = output[kind]
    uris = files.get("StoreUris") or [files["StoreUri"]]
    count = f"{len(uris)} {'file' if len(uris) == 1 else 'files'}"
    lines = "<br>".join(map(_html_text, uris))
    return [("", f"snapshot, {_html_text(kind)}"), ("", _html_text(files["Format"])), ("", count),
            ("id", f"<span>{lines}</span>")]  # fmt: skip


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
    return _table(
        ("State", "Attempts", "Due", "To"), rows, "No events: no receiver has subscribed."
    )
