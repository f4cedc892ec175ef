"""The page of `vod-workflow runs --html` in a real browser, as a person would see it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.browser import Tab, browsing
from tests.cli.conftest import Vod
from tests.cli.exports import a_season, at, run, transcode, written

BARS = """Object.fromEntries([...document.querySelectorAll('#timeline > li')].map(row => [
  row.querySelector('strong').textContent,
  [...row.querySelectorAll('.bar')].map(bar => {
    const box = bar.getBoundingClientRect(), track = bar.parentElement.getBoundingClientRect();
    const style = getComputedStyle(bar);
    return {left: (box.left - track.left) / track.width, width: box.width / track.width,
      height: box.height, seen: bar.checkVisibility(), kind: bar.className,
      colour: style.backgroundColor, image: style.backgroundImage};
  })]))"""


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with browsing(tmp_path_factory.mktemp("browser")) as tab:
        yield tab


@pytest.fixture
def page(vod: Vod, tmp_path: Path) -> str:
    """Of a stack with a run of every phase."""
    file = tmp_path / "page.html"
    vod("runs", written(tmp_path / "x.json", *a_season()), "--html", str(file))
    return file.as_uri()


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
        "[...document.querySelectorAll('#timeline > li')].map(row => [row.innerText, "
        "row.querySelector('.track').getAttribute('aria-label'), row.className])"
    )
    for text, label, phase in rows:
        assert phase in text
        assert label.startswith(phase)
    assert "05-06 07:16:00 to 05-06 07:55:00 · 44 min old · took 35 min" in rows[0][0]


def test_facts_and_remedies_are_there(tab: Tab, page: str) -> None:
    tab.open(page)
    text = tab.evaluate("document.getElementById('attention').innerText")
    for told in ("making-of", "1003", "the source could not be downloaded (user side)",
                 "Correct what it is declared with: that is a new, paid run."):  # fmt: skip
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
    assert tab.evaluate("document.querySelectorAll('script, img, b[onclick]').length") == 0
    assert tab.evaluate("document.querySelector('#timeline strong').textContent") == evil
    assert tab.evaluate("document.documentElement.scrollWidth") == 400


def test_an_empty_stack_has_a_page(tab: Tab, vod: Vod, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    vod("runs", written(tmp_path / "x.json"), "--html", str(file))
    tab.open(file.as_uri())
    assert "There are no runs in this state." in tab.evaluate("document.body.innerText")
    assert complaints(tab) == []
