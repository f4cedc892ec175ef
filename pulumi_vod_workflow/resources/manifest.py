"""The function of programs that reads the items of a WorkflowBatch from a file."""

import os

import pulumi

from pulumi_vod_workflow import manifest
from pulumi_vod_workflow.errors import ManifestError
from pulumi_vod_workflow.manifest import ManifestItems


class ManifestRunError(ManifestError, pulumi.RunError):
    """The problems of a file. Pulumi prints a `RunError` without a traceback."""


def load_manifest(path: str | os.PathLike[str], *, key: str = "key") -> ManifestItems:
    """
    Read the items of a WorkflowBatch from a file in UTF-8, with or without a byte order mark.

    The first row of a `.csv` (commas) or `.tsv` (tabs) names the columns: `key`, and fields of an
    item, such as `vid` or `direct_url.file_name`. A cell is text if the field is a string or has
    any type (`triggers.edition`). All other cells are JSON: `3`, `true` (in any case), `{...}`.
    An empty cell is absent, and so are missing cells at the end of a row. Rows of empty cells are
    skipped. A `.jsonl` or `.ndjson` has one object in each line, nested as in JSON.

    The column or member `source_seconds` has the duration of the item's source, for an estimate of
    costs. It is not a field of the item.

    Args:
        path: the file; a relative path starts at the working directory.
        key: the column or member with the item's key. It is not a field of the item.

    Returns:
        The fields of each item by key, in the order of the file, with the names of the file. The
        dictionary keeps line numbers and durations for the messages of a preview.

    Raises:
        ManifestError: with all problems of the file's form, by line, and then the problems of
            items that no defaults can solve. Two problems are reported alone: a first row without
            column names, and a file that cannot be read. The error is also a `pulumi.RunError`, so
            Pulumi prints only its message.

    """
    try:
        return manifest.load_manifest(path, key=key)
    except ManifestError as error:
        raise ManifestRunError(error.problems) from None
