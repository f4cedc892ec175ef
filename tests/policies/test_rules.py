"""Each rule, by what it takes and what it refuses; no problem contains a value."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from pulumi_vod_workflow.core.values import UNKNOWN
from pulumi_vod_workflow.errors import ConfigurationError
from vod_policies import rules
from vod_policies.moments import has_present_time
from vod_policies.personal import KINDS, found_in, patterns

NOW = datetime(2026, 11, 26, 8, 30, tzinfo=UTC)
EPOCH = int(NOW.timestamp())


class TestTemplates:
    @pytest.mark.parametrize("inputs", [{"templateId": "t1"}, {"templateId": UNKNOWN}, {}])
    def test_allowed(self, inputs: dict[str, Any]) -> None:
        assert not [*rules.allowed_templates(inputs, ["t1", "t2"])]

    def test_others(self) -> None:
        [problem] = rules.allowed_templates({"templateId": "hush"}, ["t2", "t1"])
        assert str(problem) == "templateId: must be an allowed workflow: t1, t2"

    def test_none_at_all(self) -> None:
        [problem] = rules.allowed_templates({"templateId": "t1"}, [])
        assert str(problem) == "templateId: must be an allowed workflow: none"


class TestSpaces:
    @pytest.mark.parametrize(
        "inputs",
        [
            {"directUrl": {"fileName": "f", "spaceName": "s1"}},
            {"directUrl": {"fileName": "f", "spaceName": UNKNOWN}},
            {"directUrl": UNKNOWN},
            {"vid": UNKNOWN},
            {},
        ],
    )
    def test_allowed(self, inputs: dict[str, Any]) -> None:
        assert not [*rules.allowed_spaces(inputs, ["s1"], allow_vid=False)]

    def test_another_space(self) -> None:
        source = {"fileName": "f", "spaceName": "hush"}
        [problem] = rules.allowed_spaces({"directUrl": source}, ["s1"], allow_vid=True)
        assert str(problem) == "directUrl.spaceName: must be an allowed space: s1"

    def test_no_space(self) -> None:
        [problem] = rules.allowed_spaces({"directUrl": {"fileName": "f"}}, ["s1"], allow_vid=True)
        assert str(problem) == "directUrl.spaceName: must be set to an allowed space: s1"

    def test_a_vid_is_allowed_if_said_so(self) -> None:
        assert not [*rules.allowed_spaces({"vid": "v1"}, ["s1"], allow_vid=True)]
        [problem] = rules.allowed_spaces({"vid": "v1"}, ["s1"], allow_vid=False)
        assert str(problem) == "vid: has no visible space"


class TestPriority:
    @pytest.mark.parametrize(
        ("priority", "stack"),
        [(0, "dev"), (-5, "dev"), (UNKNOWN, "dev"), (5, "prod"), (5, "eu-prod")],
    )
    def test_allowed(self, priority: Any, stack: str) -> None:
        production = ["prod", "*-prod"]
        assert not [*rules.no_high_priority({"priority": priority}, stack, production, 0)]

    @pytest.mark.parametrize("stack", ["dev", "product", "PROD"])
    def test_refused(self, stack: str) -> None:
        [problem] = rules.no_high_priority({"priority": 3}, stack, ["prod"], 2)
        assert problem.path == "priority"
        assert (
            problem.reason == f"must be at most 2 on {stack}, because it is not a production stack"
        )

    def test_none_is_the_default_of_the_service(self) -> None:
        assert not [*rules.no_high_priority({}, "dev", [], 0)]


NOW_TOLD: dict[str, str | float] = {
    "isoformat": NOW.isoformat(),
    "isoformat with fractions": "2026-11-26T08:29:59.123456+00:00",
    "Z": "2026-11-26T08:30:01Z",
    "another zone": "2026-11-26T16:30:00+08:00",
    "a short zone": "2026-11-26T16:30:00+08",
    "no zone": "2026-11-26 16:30:00",
    "to the minute": "20261126-0830",
    "basic": "20261126T083000Z",
    "fourteen digits": "20261126083000",
    "in a text": "nightly-2026-11-26T08:30",
    "today": "2026-11-26",
    "today, basic": "20261126",
    "today, a number": 20261126,
    "today, in a text": "build/2026/11/26",
    "today, further west": "2026-11-25",
    "seconds": EPOCH,
    "seconds with fractions": EPOCH + 0.25,
    "seconds as text": f"v{EPOCH}",
    "milliseconds": EPOCH * 1000 + 7,
    "microseconds": EPOCH * 10**6,
    "nanoseconds": str(EPOCH * 10**9 + 1),
    "e-mail": "Thu, 26 Nov 2026 08:30:00 +0000",
    "HTTP": "Thu, 26 Nov 2026 08:30:00 GMT",
    "ctime": time.asctime(NOW.timetuple()),
    "uuid1": "91b0f400-e973-11f1-8000-325096b39f47",
    "uuid7": str(UUID(int=(EPOCH * 1000 << 80) + (7 << 76) + (8 << 60))),
}
OTHERS: dict[str, str | float] = {
    "a version": "1.2.3",
    "a release of an earlier day": "2026-11-20",
    "a time of change": "2026-11-26T06:30:00Z",
    "a later time": "2026-11-26T09:31:00Z",
    "an ETag": '"9b2cf535f27731c974343645a3985328"',
    "a commit": "5468b0413f7a35cbd926e98b3898744f7a08b3a8",
    "an epoch of another day": EPOCH - 86400,
    "a number": 7,
    "no date": "2026-13-45",
    "part of a longer number": f"1{EPOCH}",
    "a v4 UUID": "5f3b7c1e-0c1f-4d2a-9b7e-2f1d3c4b5a69",
    "nothing": "",
    "a late date": "31 Dec 9999 23:59:59",
    "no year": "1 Jan 99999999999999999999 00:00:00",
    "a wrong zone": "2026-11-26T08:30:00+99",
    "another millennium": "99999999-9999-7999-8999-999999999999",
}


class TestTriggers:
    @pytest.mark.parametrize("value", NOW_TOLD.values(), ids=NOW_TOLD)
    def test_the_present_time_is_found(self, value: str | float) -> None:
        assert has_present_time(value, NOW, timedelta(hours=1))

    @pytest.mark.parametrize("value", OTHERS.values(), ids=OTHERS)
    def test_other_values_are_left_alone(self, value: str | float) -> None:
        assert not has_present_time(value, NOW, timedelta(hours=1))

    def test_how_near_is_a_setting(self) -> None:
        assert has_present_time(OTHERS["a time of change"], NOW, timedelta(hours=2))
        assert not has_present_time(EPOCH - 1, NOW, timedelta())

    def test_the_path_is_told_at_any_depth(self) -> None:
        triggers = {"ok": ["1", True, None, UNKNOWN], "a key": {"list": ["x", NOW.isoformat()]}}
        [problem] = rules.no_time_based_triggers({"triggers": triggers}, NOW, timedelta(minutes=1))
        assert problem.path == 'triggers["a key"].list[1]'
        assert "2026" not in problem.reason

    @pytest.mark.parametrize("inputs", [{}, {"triggers": UNKNOWN}])
    def test_none_known(self, inputs: dict[str, Any]) -> None:
        assert not [*rules.no_time_based_triggers(inputs, NOW, timedelta(hours=1))]


PERSONAL = {
    "mail jo.doe+x@mail.example.com": "an e-mail address",
    "to=jo%40example.cn": "an e-mail address",
    '{"to":"张三@例子.中国"}': "an e-mail address",
    "13800138000": "a Chinese mobile number",
    "tel:+86 138-0013-8000;": "a Chinese mobile number",
    "8613800138000": "a Chinese mobile number",
    "１３８００１３８０００": "a Chinese mobile number",  # noqa: RUF001 - full-width on purpose
    "id 11010519491231002X": "a Chinese resident identity number",
    "440524188001010014": "a Chinese resident identity number",
    "card 6222 0000 0000 0000 004": "a UnionPay card number",
}
IMPERSONAL = [
    "",
    "order-42",
    "user@localhost",
    "12800138000",
    "138001380001",
    "110105194912310021",
    "110105194913310023",
    "6222000000000000008",
    "1873422345678901234",
    "9b2cf535f27731c974343645a3985328",
]


class TestPersonalData:
    @pytest.mark.parametrize("text", PERSONAL)
    def test_found(self, text: str) -> None:
        assert [*found_in(text, KINDS.values())] == [PERSONAL[text]]

    @pytest.mark.parametrize("text", IMPERSONAL)
    def test_not_found(self, text: str) -> None:
        assert not [*found_in(text, KINDS.values())]

    def test_kinds_and_patterns_are_settings(self) -> None:
        chosen = patterns(["mobile"], {"an employee number": r"\bE\d{6}\b"})
        assert [*found_in("jo@example.com E123456", chosen)] == ["an employee number"]

    def test_no_regular_expression(self) -> None:
        with pytest.raises(ConfigurationError, match=r"^patterns\.x: invalid regular expression: "):
            patterns([], {"x": "("})

    def test_the_problem_does_not_quote_it(self) -> None:
        [problem] = rules.no_personal_data({"callbackArgs": "jo@example.com"}, KINDS.values())
        assert str(problem) == "callbackArgs: must not contain an e-mail address"

    @pytest.mark.parametrize("inputs", [{}, {"callbackArgs": UNKNOWN}])
    def test_none_known(self, inputs: dict[str, Any]) -> None:
        assert not [*rules.no_personal_data(inputs, KINDS.values())]
