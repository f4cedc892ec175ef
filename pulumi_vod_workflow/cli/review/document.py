"""The JSON of a review, from which `docs/reference/review.schema.json` is made."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

REVIEW_VERSION: Final = 1
"""Version of the JSON, which only gains keys, and values of `causes`."""


def _key(name: str) -> str:
    return to_camel(name.removesuffix("_"))  # `from` is a word of Python


class _Model(BaseModel):
    model_config = ConfigDict(
        alias_generator=_key,
        frozen=True,
        populate_by_name=True,
        use_attribute_docstrings=True,
    )


class Visible(_Model):
    """A visible value."""

    value: Any


class Secret(_Model):
    """A value with a secret, which the review never shows."""

    secret: Literal[True] = True


class Unknown(_Model):
    """A value that is not known before `up`."""

    unknown: Literal[True] = True


Side = Visible | Secret | Unknown


class LookAlike(_Model):
    """Two values that look the same."""

    why: str
    """The difference, in words."""
    from_: str
    """The recorded value, escaped."""
    to: str
    """The declared value, escaped."""


class ValueChange(_Model):
    """A changed value."""

    path: str
    """The path of the value, as Pulumi writes it."""
    from_: Side | None
    """The recorded value; `null` if it is not set."""
    to: Side | None
    """The declared value; `null` if it is not set."""
    looks_alike: LookAlike | None
    """The difference if both values look the same."""


class _Named(_Model):
    resource: str
    """The resource's name in the program."""
    urn: str
    item: str | None
    """The key of the item of a batch."""


class SameWorkDocument(_Named):
    """Another declaration of the same source, workflow and input."""

    lost: Literal["removed", "replaced"] | None
    """The change that removes its run; `null` if the run stays, so that both are paid."""
    run_id: str | None
    phase: str | None
    """As last read."""
    remedy: Literal["aliases", "existingRunId"] | None
    """The argument that keeps the existing run."""
    differs: tuple[str, ...]
    """Properties that start a new run with the alias, too."""


class UnpricedDocument(_Model):
    """Runs with a part that has no price."""

    reason: Literal[
        "noPrice", "workflowUnknown", "durationUnknown", "outputsUnknown", "countUnknown"
    ]
    """The reason."""
    runs: int
    """The number of runs; 1 for `countUnknown`."""


class EstimateDocument(_Model):
    """The cost of runs by the price file. It assumes that each run succeeds with all outputs."""

    kind: Literal["exact", "range", "atLeast", "unknown"]
    """`exact`: `low` is `high`; `atLeast`, `unknown`: some parts have no price."""
    low: str
    """The least amount: a decimal number."""
    high: str | None
    """The greatest amount; `null` while some parts have no price."""
    unpriced: tuple[UnpricedDocument, ...]
    """The parts without a price."""


class CostDocument(EstimateDocument):
    """The cost of the whole update."""

    currency: str
    """The currency of all amounts, as in the price file."""
    priced_high: str
    """The greatest amount of the parts with a price."""
    max_cost: str | None
    """The option `--max-cost`."""
    allow_unpriced: bool
    """The option `--allow-unpriced`: parts without a price count as 0 for `exceeded`."""
    exceeded: bool
    """Whether the cost may be more than `maxCost`."""


class DurationDocument(_Model):
    """The duration of a source."""

    seconds: str
    """The duration in seconds: a decimal number above 0."""
    basis: Literal["service", "manifest", "other"]
    """The origin: the preflight, or the file of the items."""
    average: bool
    """Whether it is the average of the items of a large batch, of which only the sum is known."""
    minimum: bool
    """Whether that average counts items of unknown duration as 0."""


class RunDocument(_Named):
    """A run that would be started: paid."""

    count: int | None
    """1; more for items that the preview does not name; `null` while the number is not known."""
    certain: bool
    """
    Whether the run starts in any case, unless `maxFailures` stops the batch before. A start with
    `joins` is never certain.
    """
    uncertain: tuple[Literal["joins", "notKnownYet", "secret", "noInputs"], ...]
    """
    The causes why the run may not start; empty if it is certain. `joins`: the service may answer
    with an existing run. `notKnownYet`, `secret`: a value decides that the preview does not have,
    or hides. `noInputs`: the form of the preview has no inputs.
    """
    client_token: Side | None
    """The ClientToken of the start; `null` for items that the preview does not name."""
    vid: Side | None
    """The video; `null` if it is not set."""
    direct_url: Side | None
    """The file; `null` if it is not set."""
    why: str
    """The reason, in words for people."""
    causes: tuple[str, ...]
    """The causes of the start: those of a plan message, and those that only the review knows."""
    properties: tuple[str, ...]
    """The properties that cause the start."""
    changes: tuple[ValueChange, ...]
    """The changed values that cause the start."""
    not_known_yet: tuple[str, ...]
    """Paths of inputs that are not known before `up`."""
    joins: str | None
    """Reason why the service may answer with an existing run, free, while that is unfinished."""
    template_id: Side | None
    """The workflow."""
    paid_outputs: int | None
    """The maximum number of paid outputs; `null` if the workflow is not known offline."""
    source_duration: DurationDocument | None
    """The duration of the source; `null` if the preview does not have it."""
    estimate: EstimateDocument | None
    """The cost of the run; `null` without prices."""
    replaces: str | None
    """Id of the replaced run, which is not cancelled."""
    max_failures: int | None
    """The number of failures after which the batch sends no more starts; `null` without a limit."""
    warnings: tuple[str, ...]
    """The provider's warnings, for people."""
    same_work: SameWorkDocument | None
    """Another declaration of the same work."""


class FreeDocument(_Named):
    """A free change."""

    what: Literal["adopted", "taken", "recorded", "waits", "read"]
    """The kind of change; `taken` reuses a run that an earlier update has started."""
    detail: str
    """For people."""


class DroppedDocument(_Named):
    """A run that is no longer declared. It is not cancelled."""

    run_id: str | None
    phase: str | None
    """As last read."""


class StartsDocument(_Model):
    """The number of runs that would be started."""

    certain: int
    """Runs that start in any case."""
    at_most: int | None
    """The maximum; `null` while it is not known."""
    max_starts: int | None
    """The option `--max-starts`."""
    exceeded: bool
    """Whether `atMost` is more than `maxStarts`, or not known."""


class PaidOutputsDocument(_Model):
    """The number of paid outputs."""

    known: int
    """The maximum, of built-in workflows."""
    runs_of_unknown_workflows: int
    """Runs that `known` does not count."""


class ReviewDocument(_Model):
    """The output of `vod-workflow review --format json`. Version 1 only gains keys and `causes`."""

    version: Literal[1]
    project: str
    stack: str
    where: tuple[str, ...]
    """The provider's lines about the endpoint of new runs, for people."""
    starts: StartsDocument
    paid_outputs: PaidOutputsDocument
    cost: CostDocument | None
    """The cost of all runs; `null` without prices. Free changes cost 0."""
    runs: tuple[RunDocument, ...]
    """Runs that would be started."""
    free: tuple[FreeDocument, ...]
    """Free changes."""
    forgotten: tuple[DroppedDocument, ...]
    """Runs that leave the state. An unfinished run continues, and is billed."""
