"""A warning about a password in the plain configuration of a stack."""

from __future__ import annotations

from functools import cache

import pulumi
from pulumi.runtime import is_config_secret

from pulumi_vod_workflow.config.shown_url import has_password

JOURNAL_SETTING = "vod:journal"


def warn_of_plain_password() -> None:
    """Warn of a password in `vod:journal` that is not secret; once for each stack."""
    # Only the program knows: the provider gets each setting in plain text, a secret one, too.
    journal = pulumi.Config("vod").get("journal")
    if journal and has_password(journal) and not is_config_secret(JOURNAL_SETTING):
        _warn(pulumi.get_project(), pulumi.get_stack())


@cache
def _warn(_project: str, _stack: str) -> None:
    pulumi.log.warn(
        f"{JOURNAL_SETTING} has a password in plain text, and so has the stack's file. The "
        "state of a dynamic provider has it, too.\n"
        f"hint: keep the URL secret: `pulumi config set --secret {JOURNAL_SETTING} URL`\n"
        "hint: or remove the password from the URL, and set PGPASSWORD"
    )
