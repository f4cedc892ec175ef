"""The backend of the state: found as the engine finds it, and one identity for each backend."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from pulumi_vod_workflow.config.backend import find_backend, parse_backend


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_the_order_is_that_of_the_engine(tmp_path: Path) -> None:
    """The environment, then the project's file, then the last login, then Pulumi Cloud."""
    home, program = tmp_path / "home", tmp_path / "project" / "src" / "program"
    program.mkdir(parents=True)
    login, project = home / ".pulumi" / "credentials.json", tmp_path / "project" / "Pulumi.yaml"
    write(login, '{"current": "gs://login"}')
    write(project, "name: shop\nruntime: python\nmain: src/program\nbackend: {url: azblob://file}")
    found = []
    environ = {"PULUMI_BACKEND_URL": "s3://environment"}
    for remove in (environ.clear, project.unlink, login.unlink, None):
        found.append(find_backend(environ, home, program, "shop").identity)
        if remove:
            remove()
    assert found == ["s3://environment", "azblob://file", "gs://login", "https://api.pulumi.com"]
    own = {"PULUMI_API": "https://Pulumi.example.com/"}
    assert find_backend(own, home, program).identity == "https://pulumi.example.com"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Pulumi.yaml", "name: shop\nbackend:\n  url: s3://states\n"),
        ("Pulumi.yml", "name: shop\nbackend:\n  url: s3://states\n"),
        ("Pulumi.json", '{"name": "shop", "backend": {"url": "s3://states"}}'),
    ],
)
def test_each_name_of_a_projects_file(tmp_path: Path, name: str, text: str) -> None:
    write(tmp_path / name, text)
    assert find_backend({}, tmp_path, tmp_path).identity == "s3://states"


@pytest.mark.parametrize(
    "text",
    [
        "name: other\nbackend: {url: s3://others}",
        "name: shop",
        "name: shop\nbackend:",
        "name: shop\nbackend: s3://others",
        "- shop",
        "{",
    ],
)
def test_a_file_that_names_no_backend_of_this_project(tmp_path: Path, text: str) -> None:
    """Another project's, as around a program of the Automation API; or one without a backend."""
    write(tmp_path / "Pulumi.yaml", text)
    found = find_backend({}, tmp_path, tmp_path, "shop")
    assert found.identity == "https://api.pulumi.com"


@pytest.mark.parametrize("text", ["{", "[]", "\0encrypted"])
def test_a_login_that_only_the_engine_can_read_is_unknown(tmp_path: Path, text: str) -> None:
    """The records then belong to no backend in particular, as those of older releases."""
    write(tmp_path / "credentials.json", text)
    found = find_backend({"PULUMI_HOME": str(tmp_path)}, tmp_path, tmp_path)
    assert (found.scheme, found.identity, found.folder) == ("", "", None)


def test_a_relative_folder_starts_at_the_projects_file(tmp_path: Path) -> None:
    """Where the engine runs; `main` moves only the provider."""
    write(tmp_path / "Pulumi.yaml", "name: shop\nmain: src\nbackend: {url: 'file://./state'}")
    (tmp_path / "src").mkdir()
    for environ in ({}, {"PULUMI_BACKEND_URL": "file://state/"}):
        found = find_backend(environ, tmp_path, tmp_path / "src", "shop")
        assert found.identity == f"file://{tmp_path.resolve()}/state"
        assert found.folder == tmp_path / "state"


SAME = [
    [
        "file:///srv/states",
        "file:///srv/states/",
        "file:///srv//other/../states?no_tmp_dir=true",
        "file://~/states",
        "file://states",
        "file://./states/",
    ],
    [
        "s3://b/in/it",
        "s3://b/in/it/",
        "s3://b//in/it?region=us-east-1&profile=ci",
        "s3://b/in/it?profile=ci&region=us-east-1",
        "s3://b/in/it?endpoint=https://s3.us-east-1.amazonaws.com",
    ],
    [
        "s3://b?region=cn-beijing&endpoint=tos-s3-cn-beijing.volces.com",
        "s3://b/?endpoint=https://TOS-S3-cn-beijing.volces.com/&awssdk=v2",
    ],
    ["azblob://c/p?storage_account=a", "azblob://c/p/?protocol=https&storage_account=a"],
    ["gs://b/p", "gs://b/p/"],
    [
        "postgres://me:hidden@DB.example.com/states",
        "postgresql://you@db.example.com:5432/states?sslmode=require",
        "postgres://db.example.com/states?table=pulumi_state&password=hidden",
    ],
    ["https://api.pulumi.com", "https://API.pulumi.com/"],
]


@pytest.mark.parametrize("urls", SAME, ids=lambda urls: urls[0])
def test_one_backend_in_several_spellings_is_one(urls: list[str]) -> None:
    """Credentials and the way to connect are no part of it."""
    found = {parse_backend(url, {}, Path("/srv"), Path("/srv")).identity for url in urls}
    assert len(found) == 1, found
    assert "hidden" not in found.pop()


def test_different_backends_are_different() -> None:
    identities = [parse_backend(urls[0], {}, Path("/srv")).identity for urls in SAME]
    others = [
        "file:///srv/states2",
        "s3://b/in",
        "s3://b/in/it?endpoint=http://127.0.0.1:9000",
        "s3://b/in/it?endpoint=http://127.0.0.1:9001",
        "azblob://c/p?storage_account=b",
        "gs://b",
        "postgres://db.example.com/states?table=other",
        "postgres://db.example.com:5433/states",
        "https://pulumi.example.com",
        "mem://x",
    ]
    identities += [parse_backend(url, {}, Path("/srv")).identity for url in others]
    assert len(set(identities)) == len(identities)


def test_the_environment_names_a_part_of_the_store() -> None:
    """As in a job that sets the account or the endpoint once for all tools."""
    for url, longer, environ in (
        ("azblob://c", "azblob://c?storage_account=a", {"AZURE_STORAGE_ACCOUNT": "a"}),
        (
            "azblob://c",
            "azblob://c?storage_account=a",
            {"AZURE_STORAGE_CONNECTION_STRING": "AccountName=a;AccountKey=a2V5=="},
        ),
        ("s3://b", "s3://b?endpoint=https://minio:9000", {"AWS_ENDPOINT_URL": "http://minio:9000"}),
        ("postgres:///d", "postgres://db:7/d", {"PGHOST": "db", "PGPORT": "7"}),
    ):
        short = parse_backend(url, environ, Path("/srv")).identity
        assert short == parse_backend(longer, {}, Path("/srv")).identity


def test_a_bucket_of_an_emulator_is_another_one() -> None:
    """The engine finds Google's emulator by a variable only."""
    url, emulator = "gs://b", {"STORAGE_EMULATOR_HOST": "http://127.0.0.1:4443/"}
    found = parse_backend(url, emulator, Path("/srv")).identity
    assert found == "gs://b?endpoint=127.0.0.1:4443"
    assert found != parse_backend(url, {}, Path("/srv")).identity


def test_no_password_in_a_repr() -> None:
    found = parse_backend("postgres://me:hidden@db/states", {}, Path("/srv"))
    assert "hidden" not in repr(found)
    assert "hidden" in found.url


def test_without_the_projects_file_a_provider_does_not_trust_the_login(tmp_path: Path) -> None:
    """The file may name another backend: a program of the Automation API has it elsewhere."""
    write(tmp_path / "credentials.json", '{"current": "s3://login"}')
    environ = {"PULUMI_HOME": str(tmp_path)}
    found = find_backend(environ, tmp_path, tmp_path, "shop", trusts_login=False)
    assert (found.identity, found.folder) == ("", None)
    assert "`Pulumi.yaml` of the project shop" in found.warning
    assert "hint: set PULUMI_BACKEND_URL" in found.warning
    named = {**environ, "PULUMI_BACKEND_URL": "s3://here"}
    found = find_backend(named, tmp_path, tmp_path, "shop", trusts_login=False)
    assert (found.identity, found.warning) == ("s3://here", "")
    write(tmp_path / "Pulumi.yaml", "name: shop")
    found = find_backend(environ, tmp_path, tmp_path, "shop", trusts_login=False)
    assert (found.identity, found.warning) == ("s3://login", "")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows the folder of a process")
def test_the_projects_file_is_found_in_the_engines_folder(tmp_path: Path) -> None:
    """`main` has moved the provider away. Between the two there may be a shell."""
    engine, program = tmp_path / "engine", tmp_path / "program"
    write(engine / "Pulumi.yaml", "name: shop\nbackend: {url: 's3://states'}")
    write(program / "Pulumi.yaml", "name: other\nbackend: {url: 's3://others'}")
    code = (
        "from pathlib import Path\n"
        "from pulumi_vod_workflow.config.backend import find_backend\n"
        "home = Path('home')\n"
        "print(find_backend({}, home, Path(), 'shop', trusts_login=False).identity)\n"
    )
    shell = f"cd {shlex.quote(str(program))} && {sys.executable} -c {shlex.quote(code)}; true"
    command = ["sh", "-c", f"sh -c {shlex.quote(shell)}; true"]
    said = subprocess.run(command, cwd=engine, capture_output=True, text=True, check=True)
    assert said.stdout == "s3://states\n"
