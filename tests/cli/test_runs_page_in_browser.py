"""The page of `vod-workflow runs --html` in a real browser, as a person would see it."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pulumi_vod_workflow.cli.runs.render_html import MAX_ROWS
from tests.cli.browser import Tab
from tests.cli.conftest import Vod, command_of
from tests.cli.exports import SECRET, a_large_batch, a_season, at, batch, run, transcode, written

BARS = """Object.fromEntries([...document.querySelectorAll('#runs tbody tr')].map(row => [
  row.querySelector('.name').textContent,
  [...row.querySelectorAll('.bar')].map(bar => {
    const box = bar.getBoundingClientRect(), track = bar.parentElement.getBoundingClientRect();
    const style = getComputedStyle(bar);
    return {left: (box.left - track.left) / track.width, width: box.width / track.width,
      height: box.height, seen: bar.checkVisibility(), kind: bar.className,
      colour: style.backgroundColor, image: style.backgroundImage};
  })]))"""


@pytest.fixture
def page(vod: Vod, tmp_path: Path) -> str:
    """Of a stack with a run of every phase."""
    file = tmp_path / "page.html"
    vod("runs", written(tmp_path / "x.json", *a_season()), "--html", str(file))
    return file.as_uri()


def until(condition: Callable[[], bool]) -> None:
    """Wait for what the browser does by itself."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def complaints(tab: Tab) -> list[dict[str, Any]]:
    """What the console has, and what was asked for beside the page itself."""
    asked = tab.named("Network.requestWillBeSent")[1:]
    return [*asked, *tab.named("Log.entryAdded", "Runtime.consoleAPICalled",
                               "Runtime.exceptionThrown")]  # fmt: skip


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1200])
def test_it_loads_nothing_complains_of_nothing_and_fits(
    tab: Tab, page: str, width: int, scheme: str, tmp_path: Path
) -> None:
    tab.open(page, width=width, scheme=scheme)
    assert tab.evaluate("document.title") == "Runs of dev"
    assert complaints(tab) == []
    assert tab.evaluate("document.documentElement.scrollWidth") == width
    beyond = """[...document.body.querySelectorAll('*')].filter(each =>
        each.getBoundingClientRect().right > innerWidth + 0.5).map(each => each.outerHTML)"""
    assert tab.evaluate(beyond) == []
    back, ink = tab.evaluate(
        "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
    )
    assert (_brightness(back) > _brightness(ink)) is (scheme == "light")
    picture = tab.picture()
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    assert len(picture) > 30_000, "more than an empty page"


def _brightness(colour: str) -> int:
    return sum(int(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(","))


def test_bars_are_seen_where_and_as_long_as_the_runs_were(tab: Tab, page: str) -> None:
    """The axis goes from 07:01 to the state's 07:59: 58 minutes."""
    tab.open(page)
    bars = tab.evaluate(BARS)
    assert len(bars) == 14
    expected: dict[str, list[tuple[str, float, float]]] = {
        "episodes[s01e05]": [("queue", 44, 40), ("work", 40, 5)],
        "making-of": [("queue", 41, 40), ("work", 40, 39.5)],
        "stopped": [("queue", 33, 31), ("work", 31, 24)],
        "trailer": [("queue", 12, 10), ("work open", 10, 1)],
        "teaser": [("queue open", 3, 1)],
        "episodes[s01e07]": [],
    }
    for name, parts in expected.items():
        assert [bar["kind"] for bar in bars[name]] == [f"bar {kind}" for kind, *_ in parts]
        for bar, (_, first, last) in zip(bars[name], parts, strict=True):
            assert bar["left"] == pytest.approx((59 - first) / 58, abs=0.01), name
            assert bar["width"] == pytest.approx((first - last) / 58, abs=0.01), name
            assert bar["seen"]
            assert bar["height"] > 8
    failed, good = bars["making-of"][1], bars["episodes[s01e01]"][1]
    assert failed["colour"] != good["colour"]
    assert "gradient" in bars["trailer"][1]["image"], "what goes on is striped"


def test_nothing_is_told_by_colour_alone(tab: Tab, page: str) -> None:
    """Each row has its phase as a word, and its bar as a text."""
    tab.open(page)
    rows = tab.evaluate(
        "[...document.querySelectorAll('#runs tbody tr')].map(row => [row.innerText, "
        "row.querySelector('.track').getAttribute('aria-label'), row.className])"
    )
    for text, label, phase in rows:
        assert phase in text
        assert label.startswith(phase)
    assert [cell.strip() for cell in rows[0][0].split("\t") if cell.strip()] == [
        "✕ failed", "episodes[s01e05]", "s01e05", "-", "2026-05-06 07:16", "35 min",
        "2003: transcoding timed out; a rerun can help, and is paid again",
        "lb:9c5b704e4d3402698a17ff5dff87f",
    ]  # fmt: skip


def test_facts_and_remedies_are_there(tab: Tab, page: str) -> None:
    tab.open(page)
    text = tab.evaluate("document.getElementById('attention').innerText")
    for told in ("making-of", "1003", "the source could not be downloaded (user side)",
                 "Correct the declaration (paid: starts one run)."):  # fmt: skip
        assert told in text
    files = tab.evaluate("[...document.querySelectorAll('#transcodes tbody tr')].map(row => "
                         "[...row.cells].map(cell => cell.innerText))")  # fmt: skip
    assert len(files) == 12
    assert files[0] == [
        "episodes[s01e01]", "video", "mp4", "h264, aac", "1920\u00d71080", "24 min", "105.0 MB",
        "tos://tos-cn-v-1f2a9c/episodes/s01e01/1080p.mp4",
    ]  # fmt: skip
    shots = tab.evaluate("document.getElementById('snapshots').innerText")
    assert "11 more" in shots
    assert "tos://tos-cn-v-1f2a9c/poster.webp" in shots


def test_what_a_state_says_is_text(tab: Tab, vod: Vod, tmp_path: Path) -> None:
    """Names, reasons and addresses with markup in them neither run nor show as anything else."""
    script = "<script>document.title='gone'</script>"
    evil = f"<img src=x onerror=document.title='gone'></style>{script}'\"&"
    made = run(evil, evil, "failed", evil, statusReason=evil, createTime=at(5), endTime=at(1),
               transcodes=[transcode(evil)])  # fmt: skip
    odd = run("odd", "r", "<b onclick=x>", createTime=at(2))
    file = tmp_path / "page.html"
    vod("runs", written(tmp_path / "x.json", made, odd), "--html", str(file))
    tab.open(file.as_uri(), width=400)
    assert complaints(tab) == []
    assert tab.evaluate("document.title") == "Runs of dev"
    assert tab.evaluate("document.querySelectorAll('script, img, b[onclick]').length") == 1
    assert tab.evaluate("document.querySelector('#runs .name').textContent") == evil
    assert tab.evaluate("document.documentElement.scrollWidth") == 400
    tab.evaluate("document.body.append(Object.assign(document.createElement('script'), "
                 "{textContent: 'document.title = 1'}))")  # fmt: skip
    assert tab.evaluate("document.title") == "Runs of dev", "only the script of the page may run"


def test_an_empty_stack_has_a_page(tab: Tab, vod: Vod, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    vod("runs", written(tmp_path / "x.json"), "--html", str(file))
    tab.open(file.as_uri())
    assert "The state has no runs." in tab.evaluate("document.body.innerText")
    assert complaints(tab) == []


SHOWN = "[...document.querySelectorAll('#runs tbody tr:not([hidden])')].map(row => row.id)"


def test_rows_are_dense_and_name_source_and_workflow(tab: Tab, vod: Vod, tmp_path: Path) -> None:
    """Long names take two lines at most; what is cut is there as a hint, and on a phone whole."""
    long = {"spaceName": "space", "fileName": "/".join(["season-one"] * 12)}
    source = written(
        tmp_path / "x.json",
        run("one", "lb:" + "7" * 32, "failed", "1003", createTime=at(9), directUrl=long,
            templateId="c3841b3122fd460db2bc99a6ec131cb8"),
        run("two", "lb:2", "running", createTime=at(9), vid="v0d012", templateId="t"),
        run("hid", "lb:3", "running", createTime=at(9), vid=SECRET, templateId="t"),
        batch("many", {"a": {"runId": "lb:4", "phase": "running"}}, items=SECRET,
              defaults=SECRET, rejected={"b": "no"}),
    )  # fmt: skip
    vod("runs", source, "--html", str(tmp_path / "page.html"))
    url = (tmp_path / "page.html").as_uri()
    tab.open(url)
    heights = tab.evaluate(
        "[...document.querySelectorAll('#runs tbody tr')].map(row => row.offsetHeight)"
    )
    assert max(heights) < 45
    assert min(heights) < 32
    told = tab.evaluate("Object.fromEntries([...document.querySelectorAll('#runs tbody tr')].map("
                        "row => [row.querySelector('.name').textContent, ['.source', '.workflow']"
                        ".map(cell => row.querySelector(cell).textContent)]))")  # fmt: skip
    assert told == {
        "one": ["space/" + "/".join(["season-one"] * 12), "c3841b3122fd460db2bc99a6ec131cb8"],
        "two": ["v0d012", "t"],
        "hid": ["[secret]", "t"],
        "many[a]": ["[secret]", "[secret]"],
        "many[b]": ["[secret]", "[secret]"],
    }
    cut = "document.querySelector('#run-0 .source span')"
    assert tab.evaluate(f"{cut}.scrollHeight > {cut}.clientHeight")
    assert tab.evaluate(f"{cut}.title") == told["one"][0]
    tab.open(url, width=400)
    assert tab.evaluate(f"{cut}.scrollHeight <= {cut}.clientHeight || {cut}.clientHeight == 0")


def test_the_filter_hides_rows_of_all_tables(tab: Tab, page: str) -> None:
    """By words, all of which a row must have, and by phase."""
    tab.open(page)
    assert tab.evaluate("document.getElementById('shown').textContent") == "14 of 14 shown"

    def filtered(words: str, phase: str = "") -> list[str]:
        tab.evaluate(f"""
            words.value = {words!r}; words.dispatchEvent(new Event('input'));
            phase.value = {phase!r}; phase.dispatchEvent(new Event('change'));
        """)
        found: list[str] = tab.evaluate(SHOWN)
        return found

    assert filtered("EPISODES 2003") == ["run-0"]
    assert tab.evaluate("document.getElementById('shown').textContent") == "1 of 14 shown"
    assert tab.evaluate("document.querySelectorAll('#transcodes tr[data-run]:not([hidden])')"
                        ".length") == 0  # fmt: skip
    assert len(filtered("episodes", "succeeded")) == 4
    assert tab.evaluate("document.querySelectorAll('#transcodes tr[data-run]:not([hidden])')"
                        ".length") == 12  # fmt: skip
    assert filtered("nothing like it") == []
    assert len(filtered("")) == 14


def test_attention_and_files_lead_to_the_row(tab: Tab, page: str) -> None:
    """Also to one that the filter has hidden; and the row leads back to what to do."""
    tab.open(page)
    tab.evaluate("words.value = 'teaser'; words.dispatchEvent(new Event('input'))")
    row = tab.evaluate("document.querySelector('#attention a').hash")
    assert row == "#run-0"
    tab.evaluate("document.querySelector('#attention a').click()")
    seen = f"""(() => {{ const row = document.querySelector('{row}:target');
        const box = row.getBoundingClientRect();
        return !row.hidden && box.top >= 0 && box.bottom <= innerHeight }})()"""
    until(lambda: tab.evaluate(seen))
    assert tab.evaluate("document.querySelector('#run-0 .result a').hash") == "#why-0"
    assert tab.evaluate("document.querySelector('#transcodes a').hash") == "#run-9"
    assert tab.evaluate("document.querySelector('#run-9 .name').textContent") == "episodes[s01e01]"


def test_runs_with_the_same_problem_are_told_once(tab: Tab, vod: Vod, tmp_path: Path) -> None:
    """Six hundred failures are one card; the names beyond twenty are behind a click."""
    items = {f"i{n:03}": {"runId": f"lb:{n}", "phase": "failed", "status": "2003"}
             for n in range(600)}  # fmt: skip
    file = tmp_path / "page.html"
    vod("runs", written(tmp_path / "x.json", batch("many", items)), "--html", str(file))
    tab.open(file.as_uri())
    assert tab.evaluate("document.querySelectorAll('#attention > li').length") == 1
    assert tab.evaluate("document.querySelector('#attention summary').textContent") == "580 more"
    assert tab.evaluate("document.querySelectorAll('#attention a').length") == 600
    assert tab.evaluate("document.getElementById('shown').textContent") == "600 of 600 shown"


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of 1,200 runs."""
    folder = tmp_path_factory.mktemp("large")
    file = folder / "large.html"
    source = written(folder / "x.json", *a_large_batch(1200))
    with pytest.MonkeyPatch.context() as patch:
        command_of(patch, folder)("runs", source, "--html", str(file))
    return file.as_uri()


def test_a_browser_lays_out_the_first_rows_of_a_large_page(tab: Tab, large: str) -> None:
    """So the number of elements does not grow with the number of runs; rows come by scrolling."""
    tab.open(large)
    count = "document.querySelectorAll('{} tbody tr').length"
    assert tab.evaluate(count.format("#runs")) == MAX_ROWS
    assert tab.evaluate(count.format("#transcodes")) == MAX_ROWS
    assert tab.evaluate("document.querySelectorAll('*').length") < 12_000
    assert tab.evaluate("document.getElementById('shown').textContent") == "1200 of 1200 shown"
    more = "document.querySelector('#runs + .more')"
    assert tab.evaluate(f"{more}.textContent") == "950 more rows: scroll down, or filter"
    seen = f"{more}.scrollIntoView(), {count.format('#runs')}"
    until(lambda: tab.evaluate(seen) == 1200)
    assert tab.evaluate(f"{more}.hidden")
    names = "[...document.querySelectorAll('#runs tbody tr')].map(row => Number(row.dataset.run))"
    assert tab.evaluate(names) == [*range(1200)]
    assert complaints(tab) == []


def test_a_filter_finds_rows_that_are_not_laid_out(tab: Tab, large: str) -> None:
    tab.open(large)

    def filtered(words: str, phase: str = "") -> list[str]:
        tab.evaluate(f"""
            words.value = {words!r}; words.dispatchEvent(new Event('input'));
            phase.value = {phase!r}; phase.dispatchEvent(new Event('change'));
        """)
        found: list[str] = tab.evaluate(
            "[...document.querySelectorAll('#runs tbody tr')].map("
            "row => row.querySelector('.name').textContent)"
        )
        return found

    assert filtered("many[s011e99]") == ["many[s011e99]"]
    assert tab.evaluate("document.querySelector('#transcodes tbody').innerText").count("s011e99") \
        == 2  # fmt: skip
    assert len(filtered("s011e", "running")) == 10
    assert len(filtered("2003 s011e")) == 10
    assert filtered("2026-05-04 nothing") == []
    assert tab.evaluate("document.querySelector('#runs + .more').hidden")
    assert len(filtered("")) == MAX_ROWS
    row = tab.evaluate("runs.all.find(row => runs.text(row).includes('s011e98')).run")
    filtered("trailer")
    tab.evaluate(f"location.hash = 'run-{row}'")
    until(lambda: tab.evaluate(f"document.querySelector('#run-{row}:target') !== null"))
    box = tab.evaluate("document.querySelector(':target').getBoundingClientRect().top")
    assert 0 <= box < 900


def test_a_large_page_is_whole_without_scripts(tab: Tab, large: str) -> None:
    tab.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        tab.open(large)
        tab.call("Emulation.setScriptExecutionDisabled", value=False)
        shown = "[...document.querySelectorAll('table.{} tbody tr')].length"
        assert tab.evaluate(shown.format("runs")) == 1200
        assert tab.evaluate(shown.format("transcodes")) == 960
    finally:
        tab.call("Emulation.setScriptExecutionDisabled", value=False)


def test_the_page_of_several_stacks_has_totals(tab: Tab, vod: Vod, tmp_path: Path) -> None:
    dev = written(tmp_path / "dev.json", *a_season())
    other = tmp_path / "prod.json"
    other.write_text(Path(dev).read_text().replace("urn:pulumi:dev::", "urn:pulumi:prod::")
                     .replace("lb:9c5b7", "lb:9c5b8"))  # fmt: skip
    file = tmp_path / "page.html"
    vod("runs", dev, str(other), "--html", str(file))
    tab.open(file.as_uri())
    assert tab.evaluate("document.title") == "Runs of dev, prod"
    tab.evaluate("document.querySelector('details:has(.totals)').open = true")
    tables = tab.evaluate(
        "[...document.querySelectorAll('.totals')].map(table => [...table.rows].map("
        "row => [...row.cells].map(cell => cell.innerText)))"
    )
    assert [table[0][:3] for table in tables] == [
        ["Stack", "Runs", "✕ failed"], ["Workflow", "Runs", "✕ failed"],
        ["Day (UTC)", "Runs", "✕ failed"],
    ]  # fmt: skip
    assert [row[:3] for row in tables[0][1:]] == [["dev", "14", "2"], ["prod", "14", "2"]]
    assert tables[2][1][:3] == ["2026-05-06", "24", "4"]
    assert tab.evaluate("document.documentElement.scrollWidth") == 1200
    tab.evaluate("words.value = 'prod:'; words.dispatchEvent(new Event('input'))")
    assert tab.evaluate("document.getElementById('shown').textContent") == "14 of 28 shown"


def test_no_age_is_frozen_and_no_backtick_is_shown(tab: Tab, page: str) -> None:
    """Times are absolute; how long ago they were is counted by the browser that shows them."""
    file = Path(page.removeprefix("file://"))
    assert " ago" not in file.read_text().partition("<script>")[0]
    tab.open(page)
    assert "state of 2026-05-06 07:59:00 UTC (" in tab.evaluate("document.body.innerText")
    told = tab.evaluate("document.querySelector('time.age').textContent")
    assert told.endswith(" days ago)")
    tab.evaluate("Date.now = () => Date.parse('2026-05-06T08:29:00Z')")
    tab.evaluate("showAges()")
    assert tab.evaluate("document.querySelector('time.age').textContent") == " (30 min ago)"
    hint = tab.evaluate("document.querySelector('#run-0 time').title")
    assert hint == "2026-05-06T07:16:00Z, 73 min ago"
    assert "`" not in tab.evaluate("document.body.innerText")
    code = tab.evaluate("[...document.querySelectorAll('#attention code')].map(e => e.textContent)")
    assert "pulumi up" in code


def test_without_scripts_all_is_there_but_the_filter(
    tab: Tab, page: str, vod: Vod, tmp_path: Path
) -> None:
    """The CSV is a link, with what `--format csv` writes."""
    tab.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        tab.open(page)
        tab.call("Emulation.setScriptExecutionDisabled", value=False)
        assert not tab.evaluate("document.getElementById('filter').checkVisibility()")
        assert len(tab.evaluate(SHOWN)) == 14
        link = "document.querySelector('a[download]')"
        assert tab.evaluate(f"{link}.checkVisibility()")
        assert tab.evaluate(f"{link}.download") == "runs.csv"
        kind, _, content = tab.evaluate(f"{link}.href").partition(",")
    finally:
        tab.call("Emulation.setScriptExecutionDisabled", value=False)
    assert kind == "data:text/csv;charset=utf-8;base64"
    written_by_the_command = vod("runs", str(tmp_path / "x.json"), "-f", "csv").stdout
    assert base64.b64decode(content).decode("utf-8-sig") == written_by_the_command
