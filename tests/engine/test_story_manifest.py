"""Files of items, and maps with keys that are no strings, as the command line shows them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pulumi_vod_workflow.emulator import VodEmulator
from tests.engine.project import Project

pytestmark = pytest.mark.hosts("dynamic", torture="plugin")
PROGRAM = """
    from pulumi_vod_workflow import load_manifest
    WorkflowBatch("batch", items=load_manifest("a.csv"), defaults={"template_id": "t"})
"""
KEYS = """
    rows = {0: {"vid": "v1"}, 1: {"vid": "v2", "triggers": {1: "a"}}}
    vars = {"override_params": {"logo": [{"template_id": "l", "vars": {2: "b", None: "c"}}]}}
    WorkflowBatch("batch", items=rows, defaults={"template_id": "t", "input": vars})
"""


def test_a_file_is_refused_in_a_line_each_and_its_items_by_their_lines(
    emulator: VodEmulator, tmp_path: Path, like: Project
) -> None:
    """No traceback, nothing is started; no line of a file is in the state that follows."""
    with Project(tmp_path / "project", emulator.url, like=like) as project:
        table = project.folder / "a.csv"

        def shown(*expected: str, text: str) -> None:
            project.program(text)
            preview = project.start("preview", "--stack", project.stack)
            assert preview.wait() != 0
            assert "Traceback" not in preview.said, preview.said
            for line in expected:
                assert any(told.endswith(line) for told in preview.said.splitlines()), preview.said

        shown(
            "error: The items cannot be read: a.csv: cannot be read: No such file or directory "
            f"(looked for in {project.folder})",
            text=PROGRAM,
        )
        table.write_text("Key;vid\n")
        shown(
            "error: The items cannot be read: a.csv:1: its columns are separated by ';': "
            "separate them by ','",
            text=PROGRAM,
        )
        table.write_text("key,vid,priority\na,v1,\nb,,1\nc,,\n\nd,v4,9\n")
        shown(
            " a.csv:3: items.b.vid, directUrl: exactly one of them must be set, neither is (and "
            "1 more: c (line 4))",
            " a.csv:6: items.d.priority: must be an integer from -5 to 5",
            text=PROGRAM,
        )
        shown(
            "error: WorkflowBatch: items: keys must be strings, not int",
            '    items["1"].triggers: keys must be strings, not int',
            "defaults.input.override_params.logo[0].vars: keys must be strings, not "
            "NoneType or int",
            "hint: use an id that stays with the video as the key of its item "
            '(pandas: `df.set_index("vid", drop=False).to_dict("index")`)',
            text=KEYS,
        )
        assert emulator.ledger() == []
        table.write_text("key,vid,priority\na,v1,\nb,v2,1\n")
        project.program(PROGRAM)
        assert project.up().wait() == 0
        table.write_text("\n\nkey,vid,priority\nb,v2,1\n\na,v1,\n")
        moved = project.up()
        assert moved.wait() == 0
        assert "2 unchanged" in moved.said, "where its rows are is no change"
        [batch] = [item for item in project.resources if item["type"].endswith("WorkflowBatch")]
        assert "__lines" not in {**batch["inputs"], **batch["outputs"]}
        assert len(emulator.ledger()) == 2
