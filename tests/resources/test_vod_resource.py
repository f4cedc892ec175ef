"""
The resources of a program, on the SDK's own mocks, in a process for each program.

With an SDK whose dynamic resources are not as known, too: the SDK then pickles the providers.
"""

from __future__ import annotations

import pytest

from tests.resources.programs import ran


def test_a_plain_run_loads_no_model() -> None:
    """A program of plain runs starts a third sooner; the provider checks them in its process."""
    told = ran("""
triggers = {"my_day": 1, "other": pulumi.Output.from_input(2)}
run = WorkflowRun("one", vid="v", template_id="t", triggers=triggers)
say(triggers=run.triggers)
""")
    assert told["said"]["triggers"] == {"my_day": 1, "other": 2}
    assert not {"pydantic", "httpx", "pulumi_vod_workflow._provider"}.intersection(told["loaded"])
    told = ran('WorkflowRun("one", direct_url={"file_name": "f"}, template_id="t")')
    assert "pydantic" in told["loaded"]


def test_a_plain_batch_loads_no_model() -> None:
    """With and without defaults, also of an argument class."""
    told = ran("""
from pulumi_vod_workflow import WorkflowItemArgs
items = {"a": {"vid": "v", "rerun_on_failure": True}, "b": WorkflowItemArgs(vid="w", priority=1)}
batch = WorkflowBatch("many", items=items, defaults={"template_id": "t"})
WorkflowBatch("own", items={"a": {"vid": "v", "template_id": "t"}})
say(items=batch.items, defaults=batch.defaults)
""")
    assert told["failed"] is None
    assert told["said"]["items"] == {
        "a": {"vid": "v", "rerunOnFailure": True},
        "b": {"vid": "w", "priority": 1},
    }
    assert told["said"]["defaults"] == {"templateId": "t"}
    assert not {"pydantic", "httpx"}.intersection(told["loaded"])


LOOKS = {
    "an input": ("run.vid", "v"),
    "what was not declared": ("run.priority", None),
    "what the service told": ("run.status", "PendingStart"),
    "a part of it": ("run.tasks[0].display_name", "t1"),
    "by its name in state": ("vars(run)['status']", "PendingStart"),
    "two at once": ("pulumi.Output.all(run.vid, run.status)", ["v", "PendingStart"]),
    "the same twice": ("pulumi.Output.concat(run.vid, run.vid)", "vv"),
    "after it is registered": ("run.urn.apply(lambda _: run.status)", "PendingStart"),
    "whose it is": (
        "pulumi.Output.from_input(run.status.resources()).apply(lambda of: run in of)",
        True,
    ),
    "whether it is known": ("run.status.is_known()", True),
    "who it is": ("run.extra.apply(lambda _: 1) and run.extra is run.extra", True),
    "who it was": ("(lambda a: a.apply(str) and a is run.phase)(run.phase)", True),
    "what is in a program's pickle": (
        "[type(each).__module__ for each in map(pickled, (run.region, run.status))]",
        ["pulumi.output"] * 2,
    ),
}


@pytest.mark.parametrize("unknown", [False, True], ids=["known", "unknown"])
def test_an_output_is_as_any_other(unknown: bool) -> None:
    program = 'run = WorkflowRun("one", vid="v", template_id="t")\n' + "\n".join(
        f"say(**{{{name!r}: {code}}})" for name, (code, _) in LOOKS.items()
    )
    told = ran(program, unknown=unknown)
    assert told["failed"] is None
    assert told["said"] == {name: value for name, (_, value) in LOOKS.items()}


@pytest.mark.parametrize("unknown", [False, True], ids=["known", "unknown"])
def test_a_whole_resource_can_be_exported(unknown: bool) -> None:
    """Pulumi then reads what its attributes hold."""
    program = """
from pulumi.runtime.stack import massage
run = WorkflowRun("one", vid="v", template_id="t")
say(whole=massage(run, []))
"""
    whole = ran(program, unknown=unknown)["said"]["whole"]
    assert whole["status"] == "PendingStart"
    assert whole["vid"] == "v"
    names = ran("say(names=[*WorkflowRun._names.values()])")["said"]["names"]
    assert set(whole) == {"id", "urn", "scope", "secretInputs", *names}


@pytest.mark.parametrize("unknown", [False, True], ids=["known", "unknown"])
def test_what_failed_fails_whoever_looks(unknown: bool) -> None:
    told = ran(
        """
run = WorkflowRun("bad", vid="v", template_id="t")
say(early=run.status)
""",
        unknown=unknown,
    )
    assert "refused by the engine" in told["failed"]
    assert told["said"] == {}


@pytest.mark.parametrize("unknown", [False, True], ids=["known", "unknown"])
def test_transformations_see_what_is_not_declared(unknown: bool) -> None:
    """As of the SDK's own generated packages."""
    told = ran(
        """
def cheap(args):
    assert args.props["priority"] is None
    return pulumi.ResourceTransformationResult({**args.props, "priority": -5}, args.opts)

run = WorkflowRun("one", pulumi.ResourceOptions(transformations=[cheap]), vid="v", template_id="t")
say(priority=run.priority)
""",
        unknown=unknown,
    )
    assert told["said"] == {"priority": -5}


@pytest.mark.parametrize(
    ("named", "kind"),
    [("", "dynamic/vod:WorkflowRun"), (", module='mine', name='Ours'", "dynamic/mine:Ours")],
)
def test_a_class_of_ones_own_is_of_the_same_kind(named: str, kind: str) -> None:
    told = ran(
        f"""
class Ours(WorkflowRun{named}):
    def __init__(self, name, **inputs):
        super().__init__(name, template_id="ours", **inputs)

run = Ours("one", vid="v")
say(type=run.pulumi_resource_type, template=run.template_id, status=run.status)
"""
    )
    assert told["said"] == {
        "type": f"pulumi-python:{kind}",
        "template": "ours",
        "status": "PendingStart",
    }


NOT_STRINGS = {
    'WorkflowRun("r", triggers={1: "a"})': "WorkflowRun: triggers",
    'WorkflowRun("r", triggers={"a": [{True: 1}]})': "WorkflowRun: triggers.a[0]",
    'WorkflowRun("r", input=pulumi_vod_workflow.WorkflowParamsArgs(condition={1: True}))': (
        "WorkflowRun: input.condition"
    ),
    'WorkflowBatch("b", items={1: {}})': "WorkflowBatch: items",
    'WorkflowBatch("b", items={"a": {"triggers": {(): 1}}})': "WorkflowBatch: items.a.triggers",
    'WorkflowBatch("b", items={}, defaults={None: 1})': "WorkflowBatch: defaults",
    'pulumi_vod_workflow.WorkflowCompletion("c", runs={1: "id"})': "WorkflowCompletion: runs",
}
"""What is declared -> where the key is."""


def test_keys_that_are_no_strings_are_refused() -> None:
    """The SDK's own answer is a traceback, from which nobody learns which map it is."""
    told = ran(
        f"""
import pulumi_vod_workflow
for declared in {[*NOT_STRINGS]}:
    try:
        eval(declared)
    except Exception as error:
        say(**{{declared: str(error)}})
"""
    )
    assert told["failed"] is None
    assert told["said"].keys() == NOT_STRINGS.keys()
    for declared, where in NOT_STRINGS.items():
        assert f"{where}: keys must be strings, not " in told["said"][declared]


def test_waits_can_be_declared_where_mocks_tell_nothing_of_runs() -> None:
    """Each output that a unit test's mocks leave out is `None`: `runs`, `rejected`, `unclear`."""
    told = ran(
        """
from pulumi_vod_workflow import WorkflowCompletion
run = WorkflowRun("run", vid="v", template_id="t")
batch = WorkflowBatch("batch", items={"a": {"vid": "v"}}, defaults={"template_id": "t"})
say(alone=batch.wait().urn, of_run=run.wait().id)
say(both=WorkflowCompletion("both", runs=[run, batch]).id)
say(named=WorkflowCompletion("named", runs={"x": batch, "y": run, "z": "id"}).results)
"""
    )
    assert told["failed"] is None
    assert told["said"].pop("alone").endswith("::batch-completion")
    assert told["said"] == {"of_run": "id-of-run-completion", "both": "id-of-both", "named": None}


def test_an_id_that_is_none_is_refused() -> None:
    """It would not be waited for."""
    told = ran(
        """
from pulumi_vod_workflow import WorkflowCompletion
WorkflowCompletion("c", runs=[WorkflowRun("run", vid="v", template_id="t").run_id, "id"])
"""
    )
    assert told["failed"].startswith("WorkflowCompletion: an id in runs is None")
