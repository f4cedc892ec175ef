"""What the policies make of what pulumi-policy hands over, and what README.md says of them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pulumi import automation as auto
from pulumi_policy import PolicyResourceOptions, ResourceValidationArgs
from pulumi_policy.policy import PolicyCustomTimeouts, PolicyProviderResource
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, unknown_checking_proxy

from pulumi_vod_workflow.core.batch.inputs import with_derived_batch_inputs
from pulumi_vod_workflow.core.resource_types import (
    BATCH_TYPE,
    DYNAMIC_PROVIDER_TYPE,
    PACKAGED_PROVIDER_TYPE,
    PACKAGED_TYPES,
    RUN_TYPE,
)
from pulumi_vod_workflow.core.values import UNKNOWN
from pulumi_vod_workflow.errors import Problem
from vod_policies import cost, recorded, starts
from vod_policies.declared import declaration, problems, received
from vod_policies.pack import POLICIES
from vod_policies.policy import VodPolicy

README = (Path(__file__).parents[2] / "policies" / "README.md").read_text()
PACK = {policy.name: policy for policy in POLICIES if isinstance(policy, VodPolicy)}
SCOPE = {"project": "p", "stack": "dev", "name": "r"}
ITEMS = {"a": {"vid": "v1"}, "b": {"vid": "v2"}, "c": {"vid": "v3"}}


def run(**inputs: Any) -> dict[str, Any]:
    return {"vid": "v1", "templateId": "t1", "scope": SCOPE, **inputs}


def batch(items: Mapping[str, Any] = ITEMS, **defaults: Any) -> dict[str, Any]:
    declared = {"items": items, "defaults": {"templateId": "t1", **defaults}, "scope": SCOPE}
    return with_derived_batch_inputs({}, declared)


def settings(policy: VodPolicy) -> dict[str, Any]:
    """The defaults, as the engine fills them in."""
    schema = policy.config_schema
    given = schema.properties if schema else {}
    return {name: value["default"] for name, value in given.items() if "default" in value}


def said(
    name: str,
    properties: Mapping[str, Any],
    *,
    kind: str = RUN_TYPE,
    provider_type: str = DYNAMIC_PROVIDER_TYPE,
    urn: str = "",
    protect: bool = True,
    aliases: tuple[str, ...] = (),
    config: Mapping[str, Any] | None = None,
    **provider: str,
) -> list[str]:
    """What a policy reports of a resource."""
    policy, told = PACK[name], []
    urn = urn or f"urn:pulumi:dev::p::{kind}::r"
    timeouts = PolicyCustomTimeouts(0, 0, 0)
    prefix = "vod:" if provider_type == DYNAMIC_PROVIDER_TYPE else ""
    args = ResourceValidationArgs(
        kind,
        unknown_checking_proxy(json.loads(json.dumps(properties))),
        urn,
        urn.rpartition("::")[2],
        PolicyResourceOptions(protect, [], None, [*aliases], timeouts, []),
        PolicyProviderResource(
            provider_type,
            {
                prefix + "endpoint": "emulator",
                **{k.replace("vod_", prefix): v for k, v in provider.items()},
            },
            "",
            "default",
        ),
        {**settings(policy), **(config or {})},
    )
    policy.validate(args, lambda message, _urn: told.append(message))
    return told


class TestDeclarations:
    def test_unknown_values_are_marked(self) -> None:
        declared = {"a": UNKNOWN_STRING_VALUE, "b": [{"c": UNKNOWN_STRING_VALUE}]}
        assert received(unknown_checking_proxy(declared)) == {"a": UNKNOWN, "b": [{"c": UNKNOWN}]}

    @pytest.mark.parametrize(
        ("kind", "properties"),
        [
            (RUN_TYPE, {}),  # left out by --target
            (RUN_TYPE, {"templateId": "t1", "scope": SCOPE}),
            (BATCH_TYPE, {}),
            (BATCH_TYPE, {"items": {"a": "no item"}}),
            ("random:index:Id", run()),
        ],
    )
    def test_what_is_refused_or_not_ours_is_not_judged(
        self, kind: str, properties: dict[str, Any]
    ) -> None:
        assert declaration(kind, properties) is None
        for name in PACK:
            assert said(name, properties, kind=kind, protect=False) == []

    def test_what_is_alike_is_said_once(self) -> None:
        def rule(inputs: Mapping[str, Any]) -> list[Problem]:
            return [Problem("vid", "no")] if inputs.get("vid") in {"v1", "v3"} else []

        assert [*map(str, problems(BATCH_TYPE, batch(), rule))] == [
            "items.a.vid: no (and so 1 more: c)"
        ]

    def test_what_the_defaults_say_is_theirs(self) -> None:
        def rule(inputs: Mapping[str, Any]) -> list[Problem]:
            return [Problem("priority", "no")] if inputs.get("priority") else []

        declared = batch({**ITEMS, "d": UNKNOWN}, priority=3)
        assert [*map(str, problems(BATCH_TYPE, declared, rule))] == ["defaults.priority: no"]

    def test_an_adopted_run_sends_nothing(self) -> None:
        adopted = run(existingRunId="r1", priority=5, callbackArgs="13800138000")
        assert said("no-high-priority", adopted) == said("no-personal-data", adopted) == []
        items = {"a": {"vid": "v1", "existingRunId": "r1", "priority": 5}}
        assert said("no-high-priority", batch(items), kind=BATCH_TYPE) == []


class TestPolicies:
    def test_templates_and_spaces_are_not_limited_by_default(self) -> None:
        source = {"fileName": "f", "spaceName": "s9"}
        declared = {"directUrl": source, "templateId": "t9", "scope": SCOPE}
        assert said("allowed-templates", declared) == said("allowed-spaces", declared) == []
        [templates] = said("allowed-templates", declared, config={"templates": ["t1"]})
        [spaces] = said("allowed-spaces", declared, config={"spaces": ["s1"]})
        assert templates.startswith("templateId: must be an allowed workflow: t1. Use one of them,")
        assert spaces.startswith("directUrl.spaceName: must be an allowed space: s1. Use a")

    def test_an_items_own_source_takes_the_place_of_the_defaults(self) -> None:
        declared = batch({"a": {"vid": "v1"}, "b": {}}, directUrl={"fileName": "f"})
        [message] = said("allowed-spaces", declared, kind=BATCH_TYPE, config={"spaces": ["s1"]})
        assert message.startswith(
            "defaults.directUrl.spaceName: must be set to an allowed space: s1. Use"
        )

    def test_production_is_known_by_the_stacks_name(self) -> None:
        urn = f"urn:pulumi:prod::p::{RUN_TYPE}::r"
        assert said("no-high-priority", run(priority=5), urn=urn) == []
        config: dict[str, Any] = {"production": []}
        [message] = said("no-high-priority", run(priority=5), urn=urn, config=config)
        assert message.startswith(
            "priority: must be at most 0 on prod, because it is not a production stack."
        )

    def test_protection(self) -> None:
        assert said("runs-protected", run()) == []
        [message] = said("runs-protected", batch(), kind=BATCH_TYPE, protect=False)
        assert message.endswith("Set opts=pulumi.ResourceOptions(protect=True).")

    def test_a_mistyped_setting_is_told(self) -> None:
        [message] = said("allowed-spaces", run(), config={"space": ["s1"]})
        assert message.endswith(
            "space: unknown; the settings of allowed-spaces are: allowVid, spaces"
        )

    def test_a_wrong_pattern_is_told(self) -> None:
        config = {"patterns": {"x": "("}}
        [message] = said("no-personal-data", run(callbackArgs="a"), config=config)
        assert message.startswith("invalid configuration of the policy pack: no-personal-data: pat")


class TestStarts:
    @pytest.fixture(autouse=True)
    def fresh(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(PACK, "at-most-starts", starts.AtMostStarts())

    @pytest.fixture
    def state(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
        """What the engine tells of the stack."""
        resources: dict[str, Any] = {}
        monkeypatch.setattr(starts, "recorded", lambda _urn, _organization: resources)
        return resources

    def count(self, name: str, properties: Mapping[str, Any], **options: Any) -> int:
        kind = options.get("kind", RUN_TYPE)
        urn = f"urn:pulumi:dev::p::{kind}::{name}"
        config = {"max": 0}
        told = said("at-most-starts", properties, urn=urn, config=config, **options)
        return int(told[0].split(" ")[0]) if told else 0

    def test_new_and_changed_ones_count(self, state: dict[str, Any]) -> None:
        here = {"runId": "r1", "emulated": False, "clientToken": "x"}
        state[f"urn:pulumi:dev::p::{RUN_TYPE}::old"] = {**run(), **here}
        assert self.count("new", run()) == 1
        assert self.count("old", run(clientToken="x")) == 0
        assert self.count("old", run(clientToken="y", priority=1)) == 1
        assert self.count("moved", run(clientToken="x"), aliases=(*state,)) == 0
        assert self.count("adopting", run(existingRunId="r9")) == 0
        assert self.count("unknown", run(vid=UNKNOWN_STRING_VALUE)) == 1

    def test_a_run_that_leaves_the_emulator_counts(self, state: dict[str, Any]) -> None:
        emulated = {"runId": "emu:1", "emulated": True, "endpoint": "emulator", "clientToken": "x"}
        state[f"urn:pulumi:dev::p::{RUN_TYPE}::old"] = {**run(), **emulated}
        assert self.count("old", run(clientToken="x")) == 0
        service = "https://vod.volcengineapi.com"
        assert self.count("old", run(clientToken="x"), vod_endpoint=service) == 1

    def test_a_resource_of_the_packaged_provider_counts(self, state: dict[str, Any]) -> None:
        """So does one that moves there, which its alias makes the recorded one; free."""
        packaged = {"kind": PACKAGED_TYPES[RUN_TYPE], "provider_type": PACKAGED_PROVIDER_TYPE}
        emulated = {"runId": "emu:1", "emulated": True, "endpoint": "emulator", "clientToken": "x"}
        state[f"urn:pulumi:dev::p::{RUN_TYPE}::old"] = {**run(), **emulated}
        assert self.count("new", run(), **packaged) == 1
        moved: dict[str, Any] = {**packaged, "aliases": (*state,)}
        assert self.count("old", run(clientToken="x"), **moved) == 0
        service = "https://vod.volcengineapi.com"
        assert self.count("old", run(clientToken="x"), **moved, vod_endpoint=service) == 1

    def test_the_items_that_start_count(self, state: dict[str, Any]) -> None:
        before = batch()
        state[f"urn:pulumi:dev::p::{BATCH_TYPE}::old"] = {
            **before,
            "runs": {"a": {"runId": "r1"}, "b": {"runId": "r2"}},
            "rejected": {"c": "refused"},
            "unclear": {},
        }
        assert self.count("new", before, kind=BATCH_TYPE) == 3
        assert self.count("old", before, kind=BATCH_TYPE) == 1
        changed = batch({**ITEMS, "b": {"vid": "v9"}, "d": {"vid": "v4"}})
        assert self.count("old", changed, kind=BATCH_TYPE) == 3

    @pytest.mark.usefixtures("state")
    def test_the_sum_is_held_to_the_limit(self) -> None:
        def told(name: str, kind: str, properties: Mapping[str, Any]) -> list[str]:
            urn = f"urn:pulumi:dev::p::{kind}::{name}"
            return said("at-most-starts", properties, kind=kind, urn=urn, config={"max": 4.0})

        assert told("a", BATCH_TYPE, batch()) == told("b", RUN_TYPE, run()) == []
        assert told("b", RUN_TYPE, run()) == []
        [message] = told("c", RUN_TYPE, run())
        assert message.startswith("1 start here, 5 in this update so far; the maximum is 4. Change")
        assert told("d", RUN_TYPE, run(existingRunId="r9")) == []

    def test_without_the_state_all_count(self, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[str] = []

        def refuse(_self: object, name: str) -> None:
            asked.append(name)
            raise auto.CommandError(auto.CommandResult("hush", "hush", 255))

        monkeypatch.setattr(auto.LocalWorkspace, "__init__", lambda _self, **_: None)
        monkeypatch.setattr(auto.LocalWorkspace, "export_stack", refuse)
        [message] = said("at-most-starts", run(), config={"max": 0})
        with pytest.raises(recorded.RecordError):
            recorded.recorded("urn:pulumi:dev::p::t::r", "acme")
        assert asked == ["dev", "organization/p/dev", "acme/p/dev"]
        assert "so every declared run counts" in message
        assert "hush" not in message

    def test_what_is_recorded_stands_for_a_declaration(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def item(project: str, name: str, **marks: Any) -> dict[str, Any]:
            urn = f"urn:pulumi:dev::{project}::{RUN_TYPE}::{name}"
            return {"urn": urn, "type": RUN_TYPE, "outputs": {"runId": name}, **marks}

        told = {
            "dev": [item("elsewhere", "a")],
            "organization/p/dev": [
                item("p", "a"),
                item("p", "deleted", delete=True),
                item("p", "looked-up", external=True),
                item("p", "tainted", taint=True),
                item("p", "half", pendingReplacement=True),
                {"urn": "urn:pulumi:dev::p::pulumi:pulumi:Stack::p-dev", "type": "a:b:C"},
            ],
        }
        monkeypatch.setattr(recorded, "_exported", told.get)
        found = recorded.recorded("urn:pulumi:dev::p::pulumi:pulumi:Stack::p-dev")
        assert found == {f"urn:pulumi:dev::p::{RUN_TYPE}::a": {"runId": "a"}}

    def test_secrets_of_an_export_are_what_they_are(self) -> None:
        secret = {"4dabf18193072939515e22adb298388d": "1b47", "plaintext": '{"a":"hush"}'}
        assert recorded.revealed({"x": [secret], "plaintext": 1}) == {
            "x": [{"a": "hush"}],
            "plaintext": 1,
        }


class TestCost:
    """Of the same starts as of `TestStarts`."""

    @pytest.fixture(autouse=True)
    def fresh(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setitem(PACK, "at-most-cost", cost.AtMostCost())
        monkeypatch.setattr(starts, "recorded", lambda _urn, _organization: {})
        monkeypatch.chdir(tmp_path)
        Path("prices.toml").write_text(
            'currency = "CNY"\n[default]\nper_run = 0.1\nlow_priority_discount = 0.5\n'
            "[workflows.long]\nper_minute = 0.3\n"
        )

    def told(self, name: str, properties: Mapping[str, Any], **config: Any) -> list[str]:
        kind = BATCH_TYPE if "items" in properties else RUN_TYPE
        urn = f"urn:pulumi:dev::p::{kind}::{name}"
        return said("at-most-cost", properties, kind=kind, urn=urn, config=config)

    def test_the_sum_is_held_to_the_limit(self) -> None:
        """Decimals: three tenths are 0.3, which floats of 0.1 exceed."""
        limit: dict[str, Any] = {"prices": "prices.toml", "max": 0.3}
        assert self.told("a", batch(), **limit) == []
        assert self.told("a", batch(), **limit) == []  # the engine checks it again
        assert self.told("adopts", run(existingRunId="r9"), **limit) == []
        [message] = self.told("b", run(enableLowPriority=True), **limit)
        assert message.startswith(
            "cost here: 0.05 CNY, in this update so far: 0.35 CNY; the maximum is 0.3 CNY. Change"
        )

    def test_a_part_without_a_price_exceeds_any_limit(self) -> None:
        limit: dict[str, Any] = {"prices": "prices.toml", "max": 1000}
        [message] = self.told("a", run(templateId="long"), **limit)
        assert message.startswith("cost here: not known, in this update so far: not known;")
        assert "Without a price: 1 run: the duration of the source is not known." in message
        assert "set `assumedMinutes`, or `allowUnpriced`" in message
        assert self.told("a", run(templateId="long"), **limit, allowUnpriced=True) == []
        assert self.told("a", run(templateId="long"), **limit, assumedMinutes=0.5) == []
        limit["max"] = 0.14
        [message] = self.told("a", run(templateId="long"), **limit, assumedMinutes=0.5)
        assert message.startswith("cost here: 0.15 CNY")
        unknown = run(templateId=UNKNOWN_STRING_VALUE)
        [message] = self.told("a", unknown, **limit)
        assert "1 run: the workflow is not known yet, or secret" in message

    def test_without_a_maximum_it_reads_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(starts, "recorded", lambda *_: pytest.fail("it reads the state"))
        assert self.told("a", run()) == []

    def test_a_wrong_configuration_is_told(self) -> None:
        Path("wrong.toml").write_text("currency = 1")
        start = "invalid configuration of the policy pack: at-most-cost: "
        for config, text in (
            ({"max": 1}, "set both `prices` and `max`"),
            ({"prices": "prices.toml"}, "set both `prices` and `max`"),
            ({"prices": "wrong.toml", "max": 1}, "price file wrong.toml:"),
        ):
            [message] = self.told("a", run(), **config)
            assert message.startswith(start + text)


class TestReadme:
    def test_every_policy_and_its_level(self) -> None:
        row = re.compile(r"^\| `([a-z-]+)` \| [^|]* \| (mandatory|advisory)", re.MULTILINE)
        levels = row.findall(README)
        assert dict(levels) == {
            name: policy.enforcement_level.value
            for name, policy in PACK.items()
            if policy.enforcement_level
        }

    def test_every_setting_and_its_default(self) -> None:
        rows = re.findall(r"^\| `([\w-]+)` \| `(\w+)` \| [^|]* \| (.*) \|$", README, re.MULTILINE)
        told = {(policy, name): default.strip() for policy, name, default in rows}
        assert told.keys() == {
            (policy.name, name)
            for policy in PACK.values()
            for name in (policy.config_schema.properties if policy.config_schema else ())
        }
        for (policy, name), default in told.items():
            known = settings(PACK[policy])
            if name in known:
                assert json.loads(default.strip("`")) == known[name]
            else:
                assert default in {"none", "all"}

    def test_the_example_is_of_known_settings(self) -> None:
        example = json.loads(README.split("```json")[1].split("```")[0])
        assert example.keys() == PACK.keys()
        for name, config in example.items():
            schema = PACK[name].config_schema
            known = {*(schema.properties if schema else {}), "enforcementLevel"}
            assert isinstance(config, str) or known.issuperset(config)
