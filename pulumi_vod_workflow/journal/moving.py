"""The move of a stack's records from a file to the journal that is configured now."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from pulumi_vod_workflow.core.recovery import StartRecord
from pulumi_vod_workflow.journal.sqlite import SqliteJournal
from pulumi_vod_workflow.journal.store import Journal, intent_of


def move_stack(file: SqliteJournal, project: str, stack: str, target: Journal) -> int:
    """
    Move the records of a stack to another journal; repeatable after a kill.

    An older release rejects the file from then on, so that it does not miss the moved records. A
    newer update with this file reads the stack's pending operations again.

    Returns:
        The number of moved records; 0 without the file.

    Raises:
        JournalError: when one of the journals is not usable.

    """
    records = file.list_unmoved(project, stack)
    if records:
        copy_records(records, target)
    elif not file.has_met(project, stack):
        return 0
    file.remove_moved(project, stack, records)
    return len(records)


def copy_records(records: Collection[StartRecord], target: Journal) -> int:
    """
    Record the starts of another journal, which keeps them; repeatable.

    Returns:
        The number of added records.

    Raises:
        JournalError: when the target is not usable.

    """
    added = target.import_records(records)
    _complete_runs(records, target)
    return added


def _complete_runs(records: Iterable[StartRecord], target: Journal) -> None:
    """Record runs whose starts another journal has without an answer."""
    # An update that was still running when the stack moved has added them to the file since.
    runs = {record.record_key: record for record in records if record.run}
    intents = {key: intent_of(record) for key, record in runs.items()}
    for key, found in target.lookup(intents.values()).records.items():
        run = runs[key].run
        if found.run is None and found.record_key == key and run is not None:
            target.record_accepted(intents[key], run).result()
