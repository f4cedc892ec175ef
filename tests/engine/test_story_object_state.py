"""
The state is in an object store, and the journal beside it: a fresh machine knows what was sent.

`make test` runs it on S3. `make torture` also runs it on the servers of Google and Azure, and on S3
with a host for each bucket.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pulumi_vod_workflow.emulator import VodEmulator
from tests.engine.project import Project, until
from tests.engine.vault import PROVIDER
from tests.scale import scaled
from tests.servers.azure import AzureServer, azure
from tests.servers.gcs import GcsServer, gcs
from tests.servers.s3 import S3Server, s3, s3_hosts
from torture.crash import first
from torture.gate import Gate

__all__ = ["azure", "gcs", "s3", "s3_hosts"]

pytestmark = pytest.mark.hosts("dynamic", torture="plugin")

COUNT = 12
PROGRAM = f"""
made = {{f"k{{number:02}}": {{"vid": f"v{{number:02}}"}} for number in range({COUNT})}}
WorkflowBatch("batch", items=made, defaults={{"template_id": "t"}})
WorkflowRun("run", vid="v", template_id="t")
"""

Machine = Callable[[str], Project]
Server = S3Server | GcsServer | AzureServer


@pytest.fixture
def gate(emulator: VodEmulator) -> Iterator[Gate]:
    with Gate(emulator.url) as gate:
        yield gate


@pytest.fixture(params=scaled(["s3"], ["s3", "s3_hosts", "gcs", "azure"]))
def server(request: pytest.FixtureRequest) -> Server:
    server: Server = request.getfixturevalue(request.param)
    return server


@pytest.fixture
def bucket(server: Server) -> str:
    return server.bucket(reader=True) if isinstance(server, S3Server) else server.bucket()


@pytest.fixture
def machine(
    tmp_path: Path, like: Project, gate: Gate, server: Server, bucket: str
) -> Iterator[Machine]:
    """A machine that has nothing but the program, the bucket's name and its credentials."""
    made: list[Project] = []

    def machine(name: str) -> Project:
        # `Pulumi.yaml` names the backend, and no variable does.
        project = Project(tmp_path / name, gate.url, like=like)
        made.append(project)
        del project.environ["PULUMI_BACKEND_URL"]
        project.environ |= {**server.environ(), "PULUMI_HOME": str(tmp_path / f"home of {name}")}
        (project.folder / "Pulumi.yaml").write_text(
            f"name: project\nruntime: python\nbackend:\n  url: {server.url(bucket, '/states')}\n"
        )
        project.install_plugin()
        project.program(PROGRAM)
        return project

    yield machine
    for project in made:
        project.__exit__()


@pytest.mark.torture
def test_a_fresh_machine_goes_on_after_a_kill_and_each_run_is_paid_once(
    machine: Machine, gate: Gate, emulator: VodEmulator, server: Server, bucket: str
) -> None:
    """Before, a preview of a pull request: its credentials may read only."""
    lost = machine("lost")
    lost.command("stack", "init", "dev", "--secrets-provider", PROVIDER)
    reader = machine("reader")
    reader.environ |= server.environ(reader=True)
    preview = reader.command("preview", "--stack", "dev")
    scheme = server.url(bucket).partition(":")[0]
    assert f"warning: vod: the journal {scheme}://" in preview
    assert "is read-only for these credentials" in preview
    assert emulator.ledger() == []

    trap = gate.trap("answered", 8)
    killed = lost.up()
    assert first(killed, trap.reached.is_set)
    killed.kill(killed.process.pid)
    trap.release()
    until(lambda: not killed.processes())  # the provider records what is in flight, and ends
    sent = len(emulator.ledger())
    assert 8 <= sent <= COUNT + 1
    entries = [path for path in server.paths(bucket) if "/.pulumi/vod/starts/v1/" in path]
    assert sum(".r1." in path for path in entries) == sent
    fresh = machine("fresh")
    assert not list(fresh.folder.rglob("*.sqlite3"))
    fresh.command("cancel", "--yes", "--stack", "dev")
    update = fresh.up()
    assert update.wait() == 0, update.said
    assert "reuses" in update.said
    tokens = {start["clientToken"] for start in emulator.ledger()}
    assert len(emulator.ledger()) == len(tokens) == COUNT + 1, "paid = declared"
    # The third machine reads the state, and the entries of its runs are released.
    third = machine("third")
    third.command("up", "--yes", "--stack", "dev", "--skip-preview", "--expect-no-changes")
    assert any("/marks/released." in path for path in server.paths(bucket))
    assert not [*third.folder.rglob("*.sqlite3"), *fresh.folder.rglob("*.sqlite3")]
