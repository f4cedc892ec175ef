"""The questions before a start, on the emulator and on networks that fail: asked once, briefly."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from decimal import Decimal

import anyio
import pytest

from pulumi_vod_workflow.core.preflight import (
    Found,
    LookupResult,
    LookupUnavailable,
    NotFound,
    Reference,
)
from pulumi_vod_workflow.core.signing import Credentials
from pulumi_vod_workflow.emulator import VodEmulator
from pulumi_vod_workflow.lifecycle import preflight
from pulumi_vod_workflow.lifecycle.preflight import look_up
from pulumi_vod_workflow.transport.client import VodClient

KEYS = Credentials("AKLTEMULATOR", "emulator-secret-key")
Ask = Callable[[Sequence[Reference]], dict[Reference, LookupResult]]
pytestmark = pytest.mark.vod_emulator(rate_limit=0)


def workflows(*ids: str) -> list[Reference]:
    return [Reference("templateId", item) for item in ids]


def videos(*ids: str) -> list[Reference]:
    return [Reference("vid", item) for item in ids]


def there(*subjects: Reference, space: str = "emulated-space") -> dict[Reference, LookupResult]:
    """The messages about workflows and videos that exist."""
    seconds = {"vid": Decimal("60.0")}
    return {each: Found(space, seconds=seconds.get(each.field)) for each in subjects}


def told(
    url: str, *questions: Sequence[Reference], together: bool = False, keys: Credentials = KEYS
) -> tuple[list[dict[Reference, LookupResult]], float]:
    """Ask by one client, one after the other or all at once; return the answers, and seconds."""
    answers: list[dict[Reference, LookupResult]] = [{}] * len(questions)

    async def go() -> float:
        client = VodClient(url, "cn-north-1", keys)
        began = time.monotonic()

        async def ask(number: int) -> None:
            answers[number] = await look_up(client, questions[number])

        if together:
            async with anyio.create_task_group() as tasks:
                for number in range(len(questions)):
                    tasks.start_soon(ask, number)
        else:
            for number in range(len(questions)):
                await ask(number)
        took = time.monotonic() - began
        await client.aclose()
        return took

    took = anyio.run(go)
    return answers, took


def test_what_is_there_and_what_is_not(vod_emulator: VodEmulator) -> None:
    """Both with the service's word for it; answers are kept, the negative ones too."""
    vod_emulator.settings(templates=[{"templateId": "t", "spaceName": "mine"}], vids={"v": "mine"})
    subjects = [*workflows("t", "none"), *videos("v", "nobody")]
    (first, second), _ = told(vod_emulator.url, subjects, subjects)
    assert first == second
    assert first.items() >= there(subjects[0], subjects[2], space="mine").items()
    missing, unseen = first[subjects[1]], first[subjects[3]]
    assert isinstance(missing, NotFound)
    assert "answered ResourceNotFound [HTTP 404, RequestId 2" in missing.service_message
    assert isinstance(unseen, NotFound)
    assert "NotExistVids [RequestId 2" in unseen.service_message
    assert vod_emulator.requests() == {"GetWorkflowTemplate": 2, "GetMediaInfos": 1}


@pytest.mark.vod_emulator(rate_limit=0, latency_seconds=0.3)
def test_who_asks_the_same_at_once_shares_one_question(vod_emulator: VodEmulator) -> None:
    """Workflows and videos go side by side, so that it takes one answer's time."""
    subjects = [*workflows("t", "u"), *videos("v")]
    answers, took = told(vod_emulator.url, *[subjects] * 20, together=True)
    assert all(answer == there(*subjects) for answer in answers)
    assert vod_emulator.requests() == {"GetWorkflowTemplate": 2, "GetMediaInfos": 1}
    assert took < 2


def test_many_videos_are_asked_about_twenty_at_a_time(vod_emulator: VodEmulator) -> None:
    subjects = videos(*(f"v{number}" for number in range(405)))
    [facts], _ = told(vod_emulator.url, subjects)
    assert facts == there(*subjects)
    assert vod_emulator.requests() == {"GetMediaInfos": 21}


def test_silence_ends_in_time_and_is_not_waited_for_again(
    vod_emulator: VodEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other action still answers."""
    monkeypatch.setattr(preflight, "LOOKUP_TIMEOUT", 0.5)
    vod_emulator.fault(action="GetMediaInfos", kind="hang", times=9, seconds=30)
    subjects = [*workflows("t"), *videos("v")]
    (first, second), took = told(vod_emulator.url, subjects, [*workflows("u"), *videos("w")])
    assert 0.5 <= took < 2
    assert first[subjects[0]] == second[Reference("templateId", "u")] == Found("emulated-space")
    assert isinstance(first[subjects[1]], LookupUnavailable)
    assert first[subjects[1]] == second[Reference("vid", "w")]
    assert vod_emulator.requests() == {"GetWorkflowTemplate": 2, "GetMediaInfos": 1}


def test_a_service_that_is_only_slow_is_asked_on(
    vod_emulator: VodEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One question of three is lost: what was answered stands, and others are asked."""
    monkeypatch.setattr(preflight, "LOOKUP_TIMEOUT", 1.0)
    vod_emulator.fault(action="GetWorkflowTemplate", kind="hang", times=1, seconds=30)
    (first, second), _ = told(vod_emulator.url, workflows("a", "b", "c"), workflows("d"))
    kinds = [type(fact).__name__ for fact in first.values()]
    assert sorted(kinds) == ["Found", "Found", "LookupUnavailable"]
    assert second == {Reference("templateId", "d"): Found("emulated-space")}


@pytest.mark.parametrize("code", ["AccessDenied", "LackPolicy", "SignatureDoesNotMatch"])
def test_who_may_not_ask_is_told_so_once(vod_emulator: VodEmulator, code: str) -> None:
    vod_emulator.fault(action="GetWorkflowTemplate", kind="http", code=code, times=9)
    (first, second), took = told(vod_emulator.url, workflows("t"), workflows("u"))
    fact = first[Reference("templateId", "t")]
    assert isinstance(fact, LookupUnavailable)
    assert f"GetWorkflowTemplate: the service answered {code} " in fact.reason
    assert "RequestId 2" in fact.reason
    assert second == {Reference("templateId", "u"): fact}
    assert vod_emulator.requests() == {"GetWorkflowTemplate": 1}
    assert took < 2


def test_a_hiccup_is_repeated_an_outage_is_told(vod_emulator: VodEmulator) -> None:
    fault = {"action": "GetMediaInfos", "kind": "http", "code": "InternalError"}
    vod_emulator.fault(**fault, times=1)
    [facts], _ = told(vod_emulator.url, videos("v"))
    assert facts == there(Reference("vid", "v"))
    vod_emulator.fault(**fault, times=1000)
    [facts], took = told(vod_emulator.url, videos("v"))
    [fact] = facts.values()
    assert isinstance(fact, LookupUnavailable)
    assert "InternalError" in fact.reason
    assert took < preflight.LOOKUP_TIMEOUT


def test_a_refusal_that_is_not_about_absence_says_nothing_of_it(vod_emulator: VodEmulator) -> None:
    """A 404 for videos is documented nowhere; a 400 may be about one id: others are asked on."""
    vod_emulator.fault(action="GetMediaInfos", kind="http", code="ResourceNotFound", times=1)
    vod_emulator.fault(action="GetWorkflowTemplate", kind="http", code="InvalidParameter", times=1)
    asked = [*videos("v"), *workflows("t")]
    (first, second), _ = told(vod_emulator.url, asked, [*videos("w"), *workflows("u")])
    assert all(isinstance(fact, LookupUnavailable) for fact in first.values())
    assert second == there(*videos("w"), *workflows("u"))


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("https://nobody.invalid", "nobody.invalid: "),
        ("http://127.0.0.1:9", "127.0.0.1:9: connection refused"),
    ],
)
def test_without_a_network_it_is_told_at_once(url: str, says: str) -> None:
    """No name, or nobody there: not repeated, and not asked again."""
    asked = [workflows(f"t{number}") for number in range(50)]
    answers, took = told(url, *asked)
    whys = {
        fact.reason
        for facts in answers
        for fact in facts.values()
        if isinstance(fact, LookupUnavailable)
    }
    [why] = whys
    assert why.startswith(f"GetWorkflowTemplate: {says}")
    assert sum(map(len, answers)) == 50
    assert took < preflight.LOOKUP_TIMEOUT + 1
