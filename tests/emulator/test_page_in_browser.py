"""The emulator's pages in a real browser, as a person would see and use them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from pulumi_vod_workflow.emulator import EmulatorSettings, VodEmulator
from tests.cli.browser import Tab

Call = Callable[..., httpx.Response]
RUNS = """[...document.querySelectorAll('#runs tbody tr')].map(
    row => [...row.cells].map(cell => cell.innerText))"""
BARS = """[...document.querySelectorAll('#chart rect')].map(bar => [bar.className.baseVal,
    bar.x.baseVal.value, bar.y.baseVal.value, bar.width.baseVal.value])"""


def started(call: Call, source: str | dict[str, str], **more: str) -> str:
    of = {"Vid": source} if isinstance(source, str) else {"DirectUrl": json.dumps(source)}
    answer = call("StartWorkflow", {"TemplateId": "t", **of, **more})
    return str(answer.json()["Result"]["RunId"])


def soon(told: Callable[[], object]) -> None:
    """Wait for the page, which asks each second."""
    deadline = time.monotonic() + 10
    while not told():
        assert time.monotonic() < deadline, "the page has not changed"
        time.sleep(0.05)


def complaints(tab: Tab, url: str) -> list[dict[str, Any]]:
    """What the console has, and what was asked for of others."""
    asked = tab.named("Network.requestWillBeSent")
    others = [each for each in asked if not each["request"]["url"].startswith((url, "data:"))]
    return [*others, *tab.named("Log.entryAdded", "Runtime.consoleAPICalled",
                                "Runtime.exceptionThrown")]  # fmt: skip


def test_runs_have_phase_status_and_declared_source(
    call: Call, emulator: VodEmulator, tab: Tab
) -> None:
    """Each run is a row, with its bar in the timeline; so is each paid start in the ledger."""
    emulator.clock(speed=0)
    direct_url = {"SpaceName": "space", "FileName": "a/b.mp4"}
    for source, advance in (("emu-unknown-status", 1), ("emu-fail-1001", 3), (direct_url, 2.5),
                            ("waiting", 0)):  # fmt: skip
        started(call, source, ClientToken=f"c-{advance}")
        emulator.advance(advance)
    tab.open(emulator.url)
    assert [row[:4] for row in tab.evaluate(RUNS)] == [
        ["pending", "PendingStart", "Vid waiting", "t"],
        ["running", "Running", "DirectUrl space/a/b.mp4", "t"],
        ["failed", "1001", "Vid emu-fail-1001", "t"],
        ["running", "Paused", "Vid emu-unknown-status", "t"],
    ]
    assert [kind for kind, *_ in tab.evaluate(BARS)] == [
        "queue", "queue", "work running", "queue", "work failed", "queue", "work running",
    ]  # fmt: skip
    ledger = "[...document.querySelectorAll('#ledger tbody tr')].map(row => row.cells[2].innerText)"
    assert tab.evaluate(ledger) == ["c-0", "c-2.5", "c-3", "c-1"]
    times = tab.evaluate("[...document.querySelectorAll('#chart text')].map(each => "
                         "[each.getAttribute('text-anchor'), "
                         "each.getBBox().x >= 0])")  # fmt: skip
    assert times == [["start", True]]
    assert complaints(tab, emulator.url) == []


def test_bars_keep_their_place_and_size_as_time_passes(
    call: Call, emulator: VodEmulator, tab: Tab
) -> None:
    """For a second, a month, and runs that come later: the axis grows, and nothing shrinks."""
    emulator.clock(speed=0)
    for source in ("one", "emu-fail-1001"):
        started(call, source)
        emulator.advance(2)
    emulator.advance(10)
    tab.open(emulator.url)
    ended = tab.evaluate(BARS)
    assert [(kind, place, size) for kind, place, _, size in ended] == [
        ("queue", 20, 10), ("work failed", 30, 40), ("queue", 0, 10), ("work succeeded", 10, 40),
    ]  # fmt: skip
    width = "document.querySelector('#chart svg').width.baseVal.value"
    across = tab.evaluate(width)
    for number, seconds in enumerate((1, 3600, 31 * 86400), 1):
        emulator.advance(seconds)
        started(call, f"later-{number}")
        emulator.advance(2)
        soon(lambda: tab.evaluate("document.querySelectorAll('#labels li').length") == 2 + number)  # noqa: B023
        bars = tab.evaluate(BARS)
        assert [(place, size) for _, place, _, size in bars][-4:] == [
            (place, size) for _, place, _, size in ended
        ]
        assert tab.evaluate(width) > across
        across = tab.evaluate(width)
    growing = tab.evaluate(BARS)[1]
    emulator.advance(1)
    soon(lambda: tab.evaluate(BARS)[1] != growing)
    assert tab.evaluate(BARS)[1][3] == growing[3] + 10, "ten pixels for a second"
    assert tab.evaluate("document.querySelector('.scroll').scrollLeft") == 0, "at its right end"


def test_buttons_move_the_clock_decide_outcomes_and_break_things(
    call: Call, emulator: VodEmulator, tab: Tab
) -> None:
    emulator.clock(speed=0)
    tab.open(emulator.url)
    said = "document.getElementById('message').innerText"

    def press(control: str, button: str, **fields: str) -> str:
        """Fill a form in, press its button, and return what the page says."""
        tab.evaluate("document.getElementById('message').textContent = ''")
        form = f"document.querySelector('form[data-control={control}]')"
        for name, value in fields.items():
            tab.evaluate(f"{form}.querySelector('[name={name}]').value = {value!r}")
        tab.evaluate(f"[...{form}.querySelectorAll('button')]"
                     f".find(each => each.innerText.startsWith({button!r})).click()")  # fmt: skip
        soon(lambda: tab.evaluate(said))
        text: str = tab.evaluate(said)
        return text

    before = emulator.service.store.now()
    press("clock", "+1 min")
    assert emulator.service.store.now() == before + 60
    press("clock", "60 times")
    assert emulator.service.store.pace() == (60, 0)
    press("clock", "stop")
    assert emulator.service.store.pace() == (0, 0)
    soon(lambda: "the emulator's time, stopped" in tab.evaluate("document.body.innerText"))

    press("outcomes", "Set", status="2003", times="2", match="a*")
    pending = "document.getElementById('pending').innerText"
    soon(lambda: "outcome 2003, sources *a[*]*, 2 times" in tab.evaluate(pending))
    started(call, "a*b")
    emulator.advance(10)
    soon(lambda: [row[:2] for row in tab.evaluate(RUNS)] == [["failed", "2003"]])
    assert "2003, sources *a[*]*, 1 time\n" in tab.evaluate(f"{pending} + '\\n'")

    press("faults", "Add", kind="http", when="after", times="3", code="ServiceUnavailable")
    waiting = "fault http ServiceUnavailable, after the effect of StartWorkflow, 3 times"
    soon(lambda: waiting in tab.evaluate(pending))
    assert call("StartWorkflow", {"Vid": "lost", "TemplateId": "t"}).status_code == 503
    press("faults", "Remove")
    soon(lambda: "fault" not in tab.evaluate(pending))
    assert call("StartWorkflow", {"Vid": "v", "TemplateId": "t"}).status_code == 200

    wrong = press("faults", "Add", kind="http", code="X", times="1", when="before", action="")
    assert "action" in wrong
    assert tab.evaluate("document.getElementById('message').className") == "wrong"

    assert not tab.evaluate("document.querySelector('form[data-control=reset]').checkVisibility()")
    assert len(emulator.ledger()) == 3
    tab.evaluate("document.querySelector('#reset summary').click()")
    press("reset", "Delete")
    assert emulator.ledger() == []
    soon(lambda: "No runs" in tab.evaluate("document.getElementById('runs').innerText"))


def test_a_run_leads_to_its_page_and_back(call: Call, emulator: VodEmulator, tab: Tab) -> None:
    """With input and outputs as they become known; what is open stays open."""
    emulator.clock(speed=0)
    snapshot = {"TemplateId": ["All"], "SampleOffsets": [1, 2]}
    given = json.dumps({"OverrideParams": {"Snapshot": [snapshot]}})
    run_id = started(call, "film", Input=given)
    tab.open(emulator.url)
    link = tab.evaluate("document.querySelector('#labels a').href")
    assert link == f"{emulator.url}/_emulator/runs/{run_id}"
    tab.open(link)
    assert tab.evaluate("document.title") == "film - VOD emulator"
    assert '"SampleOffsets"' in tab.evaluate("document.body.innerText")
    assert "No outputs" in tab.evaluate("document.getElementById('outputs').innerText")
    tab.evaluate("document.querySelector('#GetWorkflowExecution summary').click()")
    tab.evaluate("[...document.querySelectorAll('form[data-control=clock] button')]"
                 ".find(each => each.innerText === '+10 s').click()")  # fmt: skip
    soon(lambda: "tos://" in tab.evaluate("document.getElementById('outputs').innerText"))
    assert "succeeded" in tab.evaluate("document.getElementById('facts').innerText")
    assert tab.evaluate("document.getElementById('GetWorkflowExecution').open")
    assert '"Status": "0"' in tab.evaluate(
        "document.getElementById('GetWorkflowExecution').innerText"
    )
    assert complaints(tab, emulator.url) == []
    assert tab.evaluate("document.querySelector('header a').href") == f"{emulator.url}/"
    emulator.reset()
    soon(lambda: "no such run any more" in tab.evaluate("document.body.innerText"))


def test_what_clients_send_is_text(call: Call, emulator: VodEmulator, tab: Tab) -> None:
    """Markup in a name, a token or callback arguments neither runs nor shows as anything else."""
    evil = "<img src=x onerror=document.title='gone'></style><script>document.title='gone'</script>"
    token = "'><svg onload=document.title='gone'>"
    run_id = started(call, evil, TemplateId=evil, ClientToken=token, CallbackArgs=evil)
    started(call, {"FileName": evil, "SpaceName": evil})
    for path, title in (("/", "VOD emulator"), (f"/_emulator/runs/{run_id}", evil)):
        tab.open(emulator.url + path, width=400)
        assert tab.evaluate("document.title").startswith(title)
        assert tab.evaluate("document.querySelectorAll('script, img, svg[onload]').length") == 1
        assert evil in tab.evaluate("document.querySelector('main').textContent")
        assert tab.evaluate("document.documentElement.scrollWidth") == 400
        assert complaints(tab, emulator.url) == []
    tab.evaluate("document.body.append(Object.assign(document.createElement('script'), "
                 "{textContent: 'document.title = 1'}))")  # fmt: skip
    assert tab.evaluate("document.title").startswith(evil), "only the script of the page may run"


def test_no_other_page_can_press_a_button(call: Call, emulator: VodEmulator, tab: Tab) -> None:
    """Not even one of this machine on another port, or one without an origin."""
    started(call, "v")
    with VodEmulator(EmulatorSettings()) as other:
        for page in (other.url, "about:blank", "data:text/html,x"):
            tab.open(page)
            tab.evaluate(f"""fetch('{emulator.url}/_emulator/reset', {{method: 'POST',
                mode: 'no-cors'}}).catch(() => 0).finally(() => {{ document.title = 'done' }})""")
            soon(lambda: tab.evaluate("document.title") == "done")
            assert len(emulator.ledger()) == 1, page
    tab.open(emulator.url)
    tab.evaluate("fetch('/_emulator/reset', {method: 'POST'})")
    soon(lambda: not emulator.ledger())


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1200])
def test_pages_fit_and_complain_of_nothing(
    call: Call, emulator: VodEmulator, tab: Tab, width: int, scheme: str
) -> None:
    """Also with long names and many runs; only the timeline scrolls."""
    emulator.clock(speed=0)
    long = {"SpaceName": "space", "FileName": "/".join(["season-one"] * 20)}
    run_id = started(call, long, TemplateId="t" * 64, ClientToken="c" * 64)
    for number in range(30):
        emulator.advance(9)
        started(call, f"v{number}")
    for path in ("/", f"/_emulator/runs/{run_id}"):
        tab.open(emulator.url + path, width=width, scheme=scheme)
        assert tab.evaluate("document.documentElement.scrollWidth") == width
        beyond = """[...document.querySelectorAll('body *:not(svg, svg *)')].filter(each =>
            each.getBoundingClientRect().right > innerWidth + 0.5).map(each => each.outerHTML)"""
        assert tab.evaluate(beyond) == []
        assert complaints(tab, emulator.url) == []
        back = tab.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, back[4:-1].split(","))) > 384) is (scheme == "light")
        picture = tab.picture()
        assert picture[:8] == b"\x89PNG\r\n\x1a\n"
        assert len(picture) > 30_000, "more than an empty page"


def test_without_scripts_the_pages_can_be_read(call: Call, emulator: VodEmulator, tab: Tab) -> None:
    """The browser loads them again by itself; there are no buttons that do nothing."""
    emulator.clock(speed=0)
    run_id = started(call, "film")
    tab.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        for path in ("/", f"/_emulator/runs/{run_id}"):
            tab.open(emulator.url + path)
            tab.call("Emulation.setScriptExecutionDisabled", value=False)
            text = tab.evaluate("document.body.innerText")
            buttons = tab.evaluate("[...document.querySelectorAll('button')]"
                                   ".filter(each => each.checkVisibility()).length")  # fmt: skip
            tab.call("Emulation.setScriptExecutionDisabled", value=True)
            assert "film" in text
            assert "pending" in text
            assert run_id in text
            assert buttons == 0
    finally:
        tab.call("Emulation.setScriptExecutionDisabled", value=False)
