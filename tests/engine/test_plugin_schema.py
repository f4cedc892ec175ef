"""The engine accepts the schema of the packaged provider."""

from __future__ import annotations

from pathlib import Path

from pulumi import automation as auto

from pulumi_vod_workflow.plugin import schema


def test_the_engine_finds_no_fault_in_the_schema(command: auto.PulumiCommand) -> None:
    file = str(Path(schema.__file__).with_name("schema.json"))
    done = command.run(["schema", "check", file], ".", {})
    assert (done.code, done.stderr.strip(), done.stdout.strip()) == (0, "", "")
