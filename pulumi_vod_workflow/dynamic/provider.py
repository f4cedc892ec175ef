"""The Python dynamic provider: each method translates, makes one call, and translates back."""

from __future__ import annotations

import os
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar, Final, TypeVar

from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    ConfigureRequest,
    CreateResult,
    DiffResult,
    ReadResult,
    ResourceProvider,
    UpdateResult,
)

from pulumi_vod_workflow.config.settings import home_folder, load_settings
from pulumi_vod_workflow.dynamic.error_reporting import ResourceKeptError, report_errors
from pulumi_vod_workflow.dynamic.sdk_compat.call_context import current_call
from pulumi_vod_workflow.dynamic.sdk_compat.cancellation import (
    cancellation_check,
    end_with_engine,
    install_cancel_handler,
    keep_host_alive,
)
from pulumi_vod_workflow.dynamic.sdk_compat.config_keys import config_keys
from pulumi_vod_workflow.dynamic.sdk_compat.engine_log import (
    engine_log,
    log_stack_status,
    print_line,
    print_warning,
)
from pulumi_vod_workflow.dynamic.sdk_compat.provider_pickle import PROVIDER_KEY
from pulumi_vod_workflow.dynamic.sdk_compat.worker_threads import release_worker_thread
from pulumi_vod_workflow.dynamic.values import from_engine, to_engine
from pulumi_vod_workflow.errors import BatchStoppedError
from pulumi_vod_workflow.hosting.engine_log import EngineLogger
from pulumi_vod_workflow.hosting.operations import BlockingService, run_operation
from pulumi_vod_workflow.lifecycle.announcements import Announcements
from pulumi_vod_workflow.lifecycle.host import Host
from pulumi_vod_workflow.lifecycle.session import Lifecycle, Meeting, Session

T = TypeVar("T")

ANNOUNCEMENTS: Final = Announcements(print_line, print_warning, log_stack_status)
"""The announcements of all resources: one process serves one engine operation."""

MEETING: Final = Meeting()
"""The meeting of the journal and the stack; the sessions of all kinds of resources share it."""


class VodProvider(ResourceProvider):
    """
    A dynamic provider for one kind of resource.

    One instance serves all threads of the host during one engine operation. A preview and its
    update have one instance each.
    """

    _lifecycle: ClassVar[Lifecycle]
    serialize_as_secret_always = False  # the pickle is an import path (pulumi-facts B.2)

    def configure(self, req: ConfigureRequest) -> None:
        """Store the stack's configuration, which the first operation that needs it validates."""
        get, keys = req.config.get, config_keys(req.config)
        self._session = Session(
            lambda: load_settings(get, os.environ, home_folder(), keys, trusts_login=False),
            BlockingService(print_line, release_worker_thread),
            ANNOUNCEMENTS,
            MEETING,
        )
        install_cancel_handler()
        end_with_engine()

    @property
    def paid_operations(self) -> frozenset[str]:
        """Names of the methods that may start runs."""
        return self._lifecycle.PAID_OPERATIONS

    @report_errors
    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Validate a declaration; free."""
        olds, news = from_engine(_olds), from_engine(news)
        checked = _run(self._lifecycle.check(self._session, _host(), olds, news))
        # The engine prints the value of a named property, even a secret one (pulumi-facts B.4).
        failures = [CheckFailure("", text) for text in checked.failures]
        return CheckResult(to_engine(checked.inputs), failures)

    @report_errors
    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Decide what a change does; free."""
        olds, news = from_engine(_olds), from_engine(_news)
        diff = _run(self._lifecycle.diff(self._session, _host(), _id, olds, news))
        # `destroy` uses the pickle of the outputs: an update replaces it (pulumi-facts B.2).
        changes = diff.changes or _olds.get(PROVIDER_KEY) != _news.get(PROVIDER_KEY)
        # A replacement starts the new run first: otherwise a failed start would leave the stack
        # without a run (pulumi-facts B.5).
        return DiffResult(changes, [*diff.replaces], stables=[], delete_before_replace=False)

    @report_errors
    def create(self, props: dict[str, Any]) -> CreateResult:
        """Create the resource. A run and a batch start runs (paid)."""
        with _keeping_batch(props):
            created = _run(self._lifecycle.create(self._session, _host(), from_engine(props)))
        return CreateResult(created.id, to_engine(created.state))

    @report_errors
    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Read the current outputs; free."""
        found = _run(self._lifecycle.read(self._session, _host(), id_, from_engine(props)))
        return ReadResult(found.id, to_engine(found.state))

    @report_errors
    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Update the resource. A batch starts new and changed items (paid)."""
        olds, news = from_engine(_olds), from_engine(_news)
        with _keeping_batch(_news):
            state = _run(self._lifecycle.update(self._session, _host(), _id, olds, news))
        return UpdateResult(to_engine(state))

    @report_errors
    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Remove the resource from the state; free. Unfinished runs continue and are billed."""
        _run(self._lifecycle.delete(self._session, _host(), _id, from_engine(_props)))


@contextmanager
def _keeping_batch(inputs: Mapping[str, Any]) -> Iterator[None]:
    """Keep the runs of a batch that stopped in the state, with the provider of the inputs."""
    try:
        yield
    except BatchStoppedError as error:
        provider = {PROVIDER_KEY: inputs[PROVIDER_KEY]}
        raise ResourceKeptError(
            str(error), error.id, {**to_engine(error.state), **provider}
        ) from None


def _host() -> Host:
    """Return the call of the engine that this thread serves."""
    # The SDK passes only the properties to a provider (pulumi-facts B.1).
    call = current_call()
    urn = call.urn if call else ""
    return Host(
        urn=urn,
        logger=EngineLogger(engine_log(), urn, print_line),
        is_cancelled=cancellation_check(call),
        deadline=call.timeout if call else None,
        preview=call.preview if call else False,
    )


def _run(operation: Coroutine[Any, Any, T]) -> T:
    """Run an operation on this thread, and return its result."""
    with keep_host_alive():
        return run_operation(operation)
