"""The process-wide part: who gets which client, and what the embedded emulator says."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import httpx
import pytest

from pulumi_vod_workflow.config.endpoint import ServiceEndpoint
from pulumi_vod_workflow.config.settings import load_settings
from pulumi_vod_workflow.core.response import ApiResponse
from pulumi_vod_workflow.emulator import EmulatorSettings, VodEmulator
from pulumi_vod_workflow.emulator.store import Store
from pulumi_vod_workflow.errors import ConfigurationError
from pulumi_vod_workflow.lifecycle.announcements import Announcements
from pulumi_vod_workflow.transport.event_loop import BlockingClient, client_for

START = {"vid": "v", "templateId": "t"}
REAL = "https://vod.volcengineapi.com"


def config(store: Path, **more: str) -> dict[str, str]:
    return {
        "vod:endpoint": "emulator",
        "vod:emulatorStore": str(store),
        **{key.replace("_", ":"): value for key, value in more.items()},
    }


def started(connection: BlockingClient, start: dict[str, str], token: str) -> ApiResponse:
    return connection.run(connection.client.start_workflow, start, token)


connected = partial(client_for, log=lambda _: None)


def test_threads_share_one_client_and_one_emulator(tmp_path: Path) -> None:
    """Four slots of the host, one loop: every start arrives once, and one line announces it all."""
    store = tmp_path / "new folder" / "runs.sqlite3"
    settings = load_settings(config(store).get, {}, tmp_path)
    said: list[str] = []
    say = said.append
    announcements = Announcements(say, print, print)

    def start(number: int) -> str:
        announcements.announce_endpoint(settings)
        connection = client_for(settings, log=say)
        return str(started(connection, START, f"token-{number % 10}").result["RunId"])

    with ThreadPoolExecutor(4) as threads:
        runs = list(threads.map(start, range(20)))
    assert client_for(settings, log=say).client is client_for(settings, log=say).client
    books = Store(store)
    assert {entry["runId"] for entry in books.ledger()} == set(runs)
    assert len(books.ledger()) == 10
    books.close()
    [line] = said
    assert "nothing is real or paid" in line
    assert str(store) in line
    assert store.stat().st_mode & 0o077 == 0, "what was declared is in it: for the user alone"


def test_the_emulators_keys_never_leave_for_a_real_site(tmp_path: Path) -> None:
    """A real run's record is not asked for with the keys that everybody knows."""
    settings = load_settings(config(tmp_path / "a").get, {}, tmp_path)
    assert started(connected(settings), START, "x").result["RunId"]
    with pytest.raises(ConfigurationError, match="only credentials are the emulator's") as told:
        connected(settings, ServiceEndpoint(REAL, "cn-north-1"))
    assert "or unset `vod:endpoint`" in str(told.value)
    keys = {"vod:accessKey": "AKLTEMULATOR", "vod:secretKey": "emulator-secret-key"}
    with pytest.raises(ConfigurationError, match="only credentials are the emulator's") as told:
        connected(load_settings(keys.get, {}, tmp_path))
    assert "unset" not in str(told.value), "there is nothing to unset"


def test_a_store_that_cannot_be_used_is_one_clear_message(tmp_path: Path) -> None:
    """A folder, or a file that is no database, is named with the setting to change."""
    broken = tmp_path / "broken"
    broken.write_text("no database, but long enough to be taken for one at first sight" * 20)
    for store in (tmp_path, broken, broken / "below"):
        settings = load_settings(config(store).get, {}, tmp_path)
        with pytest.raises(ConfigurationError, match="set `vod:emulatorStore` to another file"):
            connected(settings)


def test_a_missing_key_is_missed_only_when_it_is_needed(tmp_path: Path) -> None:
    """A preview needs none; an emulated run is still readable when the stack has moved on."""
    settings = load_settings({"vod:emulatorStore": str(tmp_path / "b")}.get, {}, tmp_path)
    with pytest.raises(ConfigurationError, match="No credentials"):
        connected(settings)
    emulated = connected(settings, ServiceEndpoint("emulator", "cn-north-1"))
    assert started(emulated, START, "x").result["RunId"]
    keyed = {"vod:accessKey": "AK", "vod:secretKey": "SK", "vod:emulatorStore": str(tmp_path / "c")}
    real = load_settings(keyed.get, {}, tmp_path)
    moved = connected(real, ServiceEndpoint("emulator", "cn-north-1"))
    assert started(moved, START, "x").result["RunId"]


def test_no_log_of_others_holds_our_requests(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever level a program sets: httpx would tell URLs, which hold what is declared."""
    caplog.set_level(logging.NOTSET)
    for name in ("httpx", "httpcore", "httpcore.http11"):
        caplog.set_level(logging.DEBUG, logger=name)
    keys = {"vod:accessKey": "AKLTEMULATOR", "vod:secretKey": "emulator-secret-key"}
    with VodEmulator(EmulatorSettings(rate_limit=0)) as emulator:
        settings = load_settings({**keys, "vod:endpoint": emulator.url}.get, {}, tmp_path)
        emulator.fault(action="StartWorkflow", kind="reset")
        emulator.fault(action="StartWorkflow", kind="http", status=503)
        secret = {**START, "callbackArgs": "s3cr3t"}
        assert started(connected(settings), secret, "t0k3n").result["RunId"]
        assert not [r for r in caplog.records if r.name.startswith("http")]
        httpx.get(f"{emulator.url}/_emulator/ledger")
    for hidden in ("s3cr3t", "t0k3n", "emulator-secret-key", "Signature="):
        assert hidden not in caplog.text
    assert "/_emulator/ledger" in caplog.text, "others may log as they like"
