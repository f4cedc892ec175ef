"""The items of a WorkflowBatch from a file, as programs read them."""

import os

import pulumi

from pulumi_vod_workflow import manifest
from pulumi_vod_workflow.errors import ManifestError
from pulumi_vod_workflow.manifest import ManifestItems


class RefusedFileError(ManifestError, pulumi.RunError):
    """A file's problems, which Pulumi shows without a traceback."""


def load_manifest(path: str | os.PathLike[str], *, key: str = "key") -> ManifestItems:
    """
    Read the items of a WorkflowBatch from a file in UTF-8, with or without a byte order mark.

    A `.csv` (commas) or `.tsv` (tabs) names its columns in the first row: `key`, and fields of an
    item, as `vid` or `direct_url.file_name`. A cell is the string as written where the field is a
    string or of any kind (`triggers.edition`), otherwise JSON: `3`, `true` (in any case), `{...}`.
    An empty cell is absent, and so are those missing at a row's end; rows of empty cells do not
    count. A `.jsonl` or `.ndjson` has one object a line, nested as in JSON.

    Args:
        path: the file; a relative one counts from the working directory.
        key: the column, or member, that names the item; it is not one of its fields.

    Returns:
        The fields of each item by its key, in the file's order, names spelled as in the file. The
        dictionary keeps the lines, for the messages of a preview.

    Raises:
        ManifestError: with everything that is wrong with the file's form, by line, and then with
            its items as far as no defaults can put that right. A first row that does not say what
            the columns are is reported alone, and so is a file that cannot be read. It is a
            `pulumi.RunError`, too: Pulumi shows its message alone.

    """
    try:
        return manifest.load_manifest(path, key=key)
    except ManifestError as error:
        raise RefusedFileError(error.problems) from None
