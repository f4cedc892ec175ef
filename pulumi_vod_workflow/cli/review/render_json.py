"""A review as JSON; `document` has its schema."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic.alias_generators import to_camel

from pulumi_vod_workflow.cli.pulumi_files.preview import HIDDEN_SECRET, contains_marker
from pulumi_vod_workflow.cli.review.change_text import sides
from pulumi_vod_workflow.cli.review.costs import ReviewCosts
from pulumi_vod_workflow.cli.review.document import (
    REVIEW_VERSION,
    CostDocument,
    DroppedDocument,
    DurationDocument,
    EstimateDocument,
    FreeDocument,
    LookAlike,
    PaidOutputsDocument,
    ReviewDocument,
    RunDocument,
    SameWorkDocument,
    Secret,
    Side,
    StartsDocument,
    Unknown,
    ValueChange,
    Visible,
)
from pulumi_vod_workflow.cli.review.model import (
    LostRun,
    PlannedRun,
    ResourceRef,
    Review,
    SameWork,
)
from pulumi_vod_workflow.cli.review.value_diff import NOT_SET, Change
from pulumi_vod_workflow.core.durations import SourceDuration
from pulumi_vod_workflow.core.estimates import estimate_data, exact_amount
from pulumi_vod_workflow.core.values import is_known

_LOST: Final[dict[LostRun, Literal["removed", "replaced"]]] = {
    LostRun.REMOVED: "removed",
    LostRun.REPLACED: "replaced",
}


def render_json(
    review: Review, max_starts: int | None, costs: ReviewCosts | None = None
) -> dict[str, Any]:
    """Return the review as plain data; with prices, also its cost."""
    document = ReviewDocument(
        version=REVIEW_VERSION,
        project=review.project,
        stack=review.stack,
        where=review.endpoint,
        starts=StartsDocument(
            certain=review.certain,
            at_most=review.at_most,
            max_starts=max_starts,
            exceeded=review.exceeds(max_starts),
        ),
        paid_outputs=PaidOutputsDocument(
            known=review.outputs, runs_of_unknown_workflows=review.of_unknown_workflow
        ),
        cost=None if costs is None else _cost(costs),
        runs=tuple(_run(start, costs) for start in review.starts),
        free=tuple(
            FreeDocument(**_names(free.resource), what=free.reason.value, detail=free.detail)
            for free in review.free
        ),
        forgotten=tuple(
            DroppedDocument(**_names(run.resource), run_id=run.run_id, phase=run.phase)
            for run in review.dropped
        ),
    )
    return document.model_dump(mode="json", by_alias=True)


def _names(resource: ResourceRef) -> dict[str, Any]:
    return {"resource": resource.name, "urn": resource.urn, "item": resource.item}


def _cost(costs: ReviewCosts) -> CostDocument:
    return CostDocument(
        **estimate_data(costs.total),
        currency=costs.currency,
        priced_high=exact_amount(costs.total.high),
        max_cost=None if costs.max_cost is None else f"{costs.max_cost:f}",
        allow_unpriced=costs.allow_unpriced,
        exceeded=costs.exceeded,
    )


def _estimate(start: PlannedRun, costs: ReviewCosts | None) -> EstimateDocument | None:
    return EstimateDocument(**estimate_data(costs.of([start]))) if costs else None


def _duration(duration: SourceDuration) -> DurationDocument:
    return DurationDocument(
        seconds=exact_amount(duration.seconds),
        basis=duration.basis.value,
        average=duration.is_average,
        minimum=duration.is_minimum,
    )


def _run(start: PlannedRun, costs: ReviewCosts | None) -> RunDocument:
    return RunDocument(
        **_names(start.resource),
        count=start.count,
        certain=start.certain,
        uncertain=tuple(cause.value for cause in start.uncertainty),
        client_token=_side(NOT_SET if start.client_token is None else start.client_token),
        vid=_side(NOT_SET if start.vid is None else start.vid),
        direct_url=_side(NOT_SET if start.direct_url is None else start.direct_url),
        why=start.reason.text,
        causes=_causes(start),
        properties=start.reason.properties,
        changes=tuple(map(_change, start.changes)),
        not_known_yet=start.unknown,
        joins=start.joins or None,
        template_id=_side(NOT_SET if start.template is None else start.template),
        paid_outputs=start.outputs,
        source_duration=None if start.duration is None else _duration(start.duration),
        estimate=_estimate(start, costs),
        replaces=start.replaces,
        max_failures=start.max_failures,
        warnings=start.warnings,
        same_work=None if start.same is None else _same_work(start.same),
    )


def _causes(start: PlannedRun) -> tuple[str, ...]:
    reason = start.reason
    known = tuple(cause.value for cause in reason.start.causes) if reason.start else ()
    return (*known, *(to_camel(cause.name.lower()) for cause in reason.causes))


def _change(change: Change) -> ValueChange:
    shown = sides(change)
    look_alike = LookAlike(why=shown.alike, from_=shown.before, to=shown.after)
    return ValueChange(
        path=change.path,
        from_=_side(change.before),
        to=_side(change.after),
        looks_alike=look_alike if shown.alike else None,
    )


def _same_work(same: SameWork) -> SameWorkDocument:
    remedy: Literal["aliases", "existingRunId"] = "aliases" if same.alias else "existingRunId"
    return SameWorkDocument(
        **_names(same.resource),
        lost=None if same.lost is None else _LOST[same.lost],
        run_id=same.run_id,
        phase=same.phase,
        remedy=None if same.lost is None else remedy,
        differs=same.differs,
    )


def _side(value: Any) -> Side | None:
    """Return a value so that a secret, or an unknown one, cannot be taken for text."""
    if value is NOT_SET:
        return None
    if contains_marker(value, HIDDEN_SECRET):
        return Secret()
    return Visible(value=value) if is_known(value) else Unknown()
