"""`vod:journal`, and the default that follows the state's backend."""

from __future__ import annotations

from pathlib import Path

import pytest

from pulumi_vod_workflow.config.journal_location import BESIDE_STATE, JournalLocation
from pulumi_vod_workflow.config.settings import Settings, load_settings
from pulumi_vod_workflow.errors import ConfigurationError


def settings(
    home: Path, backend: str, journal: str | None = None, folder: Path = Path(), **environ: str
) -> Settings:
    config = {"vod:journal": journal} if journal else {}
    if "endpoint" in environ:
        config["vod:endpoint"] = environ.pop("endpoint")
    environ |= {"PULUMI_BACKEND_URL": backend, "PULUMI_HOME": str(home)}
    return load_settings(config.get, environ, home, config, folder)


OBJECTS = ".pulumi/vod/starts/v1/"


@pytest.mark.parametrize(
    ("backend", "kind", "place", "is_shared"),
    [
        ("file:///states", "file", "/states/.pulumi/vod-journal.sqlite3", True),
        ("s3://b", "objects", f"s3://b/{OBJECTS}", True),
        (
            "s3://b/p/?region=r&endpoint=e",
            "objects",
            f"s3://b/p/{OBJECTS}?region=r&endpoint=e",
            True,
        ),
        ("gs://b/p", "objects", f"gs://b/p/{OBJECTS}", True),
        (
            "azblob://c?storage_account=a",
            "objects",
            f"azblob://c/{OBJECTS}?storage_account=a",
            True,
        ),
        ("postgres://u:p@db/states", "file", "{home}/vod-journal.sqlite3", False),
        ("https://api.pulumi.com", "file", "{home}/vod-journal.sqlite3", False),
        ("mem://", "file", "{home}/vod-journal.sqlite3", False),
    ],
)
def test_the_default_of_each_backend(
    tmp_path: Path, backend: str, kind: str, place: str, is_shared: bool
) -> None:
    """journal-facts 7; only a journal that the next runner lacks has a warning, and only in CI."""
    for ci in ("", "true", "1", "0", "false"):
        found = settings(tmp_path, backend, CI=ci).journal
        assert found.kind == kind
        assert str(found.path or found.url) == place.format(home=tmp_path)
        assert found.is_shared is is_shared
        assert bool(found.warning) is (not is_shared and ci in {"true", "1"})
        assert found.is_on_ci_runner is bool(found.warning)
    assert (
        is_shared
        or "`vod:journal: s3://BUCKET/PREFIX`"
        in settings(tmp_path, backend, CI="true").journal.warning
    )


def test_the_embedded_emulator_keeps_its_file(tmp_path: Path) -> None:
    """Its runs are on this machine, too, and free."""
    found = settings(tmp_path, "s3://b", endpoint="emulator", CI="true").journal
    assert (found.path, found.warning) == (tmp_path / "vod-journal.sqlite3", "")
    assert not found.is_on_ci_runner
    chosen = settings(tmp_path, "s3://b", "gs://other/p", endpoint="emulator").journal
    assert chosen.url == "gs://other/p"


@pytest.mark.parametrize(
    ("chosen", "place", "name"),
    [
        ("j.sqlite3", "{folder}/j.sqlite3", "{folder}/j.sqlite3"),
        ("~/j.sqlite3", "{home}/j.sqlite3", "{home}/j.sqlite3"),
        ("/j.sqlite3", "/j.sqlite3", "/j.sqlite3"),
        ("s3://b/p?region=r", "s3://b/p?region=r", "s3://b/p"),
        ("gs://b", "gs://b", "gs://b"),
        ("S3://B/p", "s3://B/p", "s3://B/p"),
        ("C:/j.sqlite3", "{folder}/C:/j.sqlite3", "{folder}/C:/j.sqlite3"),
        ("azblob://c/p", "azblob://c/p", "azblob://c/p"),
        ("postgres://u:hidden@db/d", "postgres://u:hidden@db/d", "postgres://db/d"),
        (
            "postgresql://db/d?password=hidden",
            "postgresql://db/d?password=hidden",
            "postgresql://db/d",
        ),
    ],
)
def test_a_path_or_a_url(tmp_path: Path, chosen: str, place: str, name: str) -> None:
    """A password is in no message."""
    folder = tmp_path / "program"
    found = settings(tmp_path, "https://api.pulumi.com", chosen, folder, CI="true").journal
    assert str(found.path or found.url) == place.format(home=tmp_path, folder=folder)
    assert str(found) == name.format(home=tmp_path, folder=folder)
    assert found.is_shared is (found.kind != "file")
    assert "hidden" not in f"{found!r}{found}"
    assert not found.warning, "it is the user's choice"
    assert found.is_on_ci_runner is (found.kind == "file")


@pytest.mark.parametrize(
    "chosen",
    ["file:///j.sqlite3", "http://h/p", "mysql://u:hidden@h/d", "tos://b", "s4:/u:hidden@h"],
)
def test_another_url_is_refused_with_the_list(tmp_path: Path, chosen: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        settings(tmp_path, "s3://b", chosen)
    assert str(caught.value) == (
        "vod:journal: must be the path of a file, or a URL with one of these schemes: "
        "s3://, gs://, azblob://, postgres://, postgresql://"
    )


@pytest.mark.parametrize(
    ("chosen", "problem"),
    [
        ("s3:/bucket/x", "a URL starts with `s3://`: it has two slashes"),
        ("GS:bucket", "a URL starts with `gs://`: it has two slashes"),
        ("postgresql:/u:hidden@h/d", "a URL starts with `postgresql://`: it has two slashes"),
        ("s3://", "must name a bucket, for example `s3://BUCKET/PREFIX`"),
        ("s3://[::1/x", "must name a bucket, for example `s3://BUCKET/PREFIX`"),
    ],
)
def test_a_broken_url_is_no_path(tmp_path: Path, chosen: str, problem: str) -> None:
    """As a path it would make folders, one of them named by the password."""
    with pytest.raises(ConfigurationError) as caught:
        settings(tmp_path, "s3://b", chosen)
    assert str(caught.value) == f"vod:journal: {problem}"


def test_each_location_has_a_name() -> None:
    assert str(JournalLocation("objects", url="s3://u:hidden@[::1/x")) == "s3://[::1/x"


def test_a_file_beside_a_shared_state_is_there_for_every_machine(tmp_path: Path) -> None:
    states = tmp_path / "states"
    for chosen, is_shared in (
        (str(states / "journal.sqlite3"), True),
        (str(tmp_path / "journal.sqlite3"), False),
    ):
        assert settings(tmp_path, f"file://{states}", chosen).journal.is_shared is is_shared


def test_two_spellings_of_a_backend_are_one_journal(tmp_path: Path) -> None:
    """The same file, and the same owner of its records; two backends in one file are two."""
    (tmp_path / "Pulumi.yaml").write_text("name: shop\nbackend: {url: 'file://states'}")
    by_file = load_settings(lambda _: None, {}, tmp_path, (), tmp_path).journal
    by_environment = settings(tmp_path, f"file://{tmp_path}/states/").journal
    assert by_file == by_environment
    shared = str(tmp_path / "journal.sqlite3")
    one, two = (settings(tmp_path, url, shared).journal for url in ("s3://one", "s3://two"))
    assert one.path == two.path
    assert (one.backend, two.backend) == ("s3://one", "s3://two")


def test_the_files_whose_records_move(tmp_path: Path) -> None:
    """The defaults before a change of the setting or of the release, and never the journal."""
    home = tmp_path / "vod-journal.sqlite3"
    states = Path("/states/.pulumi/vod-journal.sqlite3")
    in_home = (home, "file:///states")
    beside = (states, BESIDE_STATE)
    assert settings(tmp_path, "s3://b").journal.former_files == ((home, "s3://b"),)
    assert settings(tmp_path, "s3://b", "s3://other").journal.former_files == ((home, "s3://b"),)
    assert settings(tmp_path, "file:///states").journal.former_files == (in_home,)
    assert settings(tmp_path, "file:///states", "/j").journal.former_files == (beside, in_home)
    assert settings(tmp_path, "https://api.pulumi.com").journal.former_files == ()
    assert settings(tmp_path, "https://api.pulumi.com", str(home)).journal.former_files == ()


def test_another_spelling_of_the_journal_is_no_former_file(tmp_path: Path) -> None:
    """A relative path, and a symbolic link."""
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "link").symlink_to(home)
    for chosen in ("../home/vod-journal.sqlite3", str(tmp_path / "link" / "vod-journal.sqlite3")):
        found = settings(home, "https://api.pulumi.com", chosen, tmp_path / "program").journal
        assert found.former_files == ()


def test_a_chosen_journal_knows_the_default_one(tmp_path: Path) -> None:
    """Its first meeting with a stack withdraws the mark there."""
    chosen = settings(tmp_path, "s3://b", "postgresql://db/d").journal
    assert chosen.default is not None
    assert (chosen.default, chosen.default.default) == (settings(tmp_path, "s3://b").journal, None)


@pytest.mark.parametrize("journal", [None, "s3://b"])
def test_an_unknown_backend_is_warned_of(tmp_path: Path, journal: str | None) -> None:
    """The default is then a file of this machine, beside no state of the last login."""
    login = tmp_path / "credentials.json"
    login.write_text('{"current": "s3://login"}')
    environ = {"PULUMI_HOME": str(tmp_path), "PULUMI_PROJECT": "shop", "CI": "true"}
    for endpoint, is_warned in (("https://vod.example.com", True), ("emulator", False)):
        config = {"vod:endpoint": endpoint} | ({"vod:journal": journal} if journal else {})
        found = load_settings(config.get, environ, tmp_path, config, tmp_path, trusts_login=False)
        assert ("set PULUMI_BACKEND_URL" in found.journal.warning) is is_warned
        assert str(found.journal) == (journal or str(tmp_path / "vod-journal.sqlite3"))
