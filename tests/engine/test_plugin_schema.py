"""The engine accepts the schema of the packaged provider."""

from __future__ import annotations

from pulumi import automation as auto

from tools.plugin.schema import SCHEMA


def test_the_engine_finds_no_fault_in_the_schema(command: auto.PulumiCommand) -> None:
    done = command.run(["schema", "check", str(SCHEMA)], ".", {})
    assert (done.code, done.stderr.strip(), done.stdout.strip()) == (0, "", "")
