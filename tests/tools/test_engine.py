"""The engine is found or installed in a fixed order, and a failure leaves nothing but one line."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tools.engine import find_or_install as tool

PULUMI = "#!/bin/sh\necho {version}\n"


def executable(path: Path, text: str = "#!/bin/sh\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def engine(folder: Path, version: str = tool.OLDEST) -> Path:
    executable(folder / "pulumi", PULUMI.format(version=version))
    executable(folder / tool.LANGUAGE_HOST)
    executable(folder / tool.DYNAMIC_PROVIDER)
    return folder


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tool.cache_folder({"XDG_CACHE_HOME": str(tmp_path / "cache")})


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """No engine and no Go on PATH, and an empty cache."""
    return {"PATH": str(tmp_path / "nothing"), "XDG_CACHE_HOME": str(tmp_path / "cache")}


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(target: Path, version: str) -> None:
        with tool.fresh_folder(target) as folder:
            (folder / "half").touch()
            raise tool.EngineError("no network")

    monkeypatch.setattr(tool, "install_official", refuse)


def parts(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.iterdir() if path.name != "lock")


class TestOnPath:
    def test_one_with_its_companions_is_used(self, tmp_path: Path) -> None:
        folder = engine(tmp_path / "bin")
        assert tool.engine_on_path(str(folder)) == folder

    def test_companions_beside_a_linked_one_count(self, tmp_path: Path) -> None:
        folder = engine(tmp_path / "opt")
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin" / "pulumi").symlink_to(folder / "pulumi")
        assert tool.engine_on_path(str(tmp_path / "bin")) == tmp_path / "bin"

    @pytest.mark.parametrize("missing", [tool.LANGUAGE_HOST, tool.DYNAMIC_PROVIDER])
    def test_one_that_cannot_run_python_is_left_aside(
        self, tmp_path: Path, missing: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        folder = engine(tmp_path / "bin")
        (folder / missing).unlink()
        assert tool.engine_on_path(str(folder)) is None
        assert missing in capsys.readouterr().err

    @pytest.mark.parametrize("version", ["v3.249.9", "v2.30.0", "no version"])
    def test_one_that_is_too_old_is_left_aside(self, tmp_path: Path, version: str) -> None:
        assert tool.engine_on_path(str(engine(tmp_path / "bin", version))) is None

    def test_one_that_does_not_start_is_left_aside(self, tmp_path: Path) -> None:
        folder = engine(tmp_path / "bin")
        executable(folder / "pulumi", "#!/bin/sh\nexit 1\n")
        assert tool.engine_on_path(str(folder)) is None


class TestOrder:
    def test_path_comes_first(self, env: dict[str, str], tmp_path: Path) -> None:
        folder = engine(tmp_path / "bin")
        env["PATH"] = f"{folder}{os.pathsep}{os.environ['PATH']}"
        assert tool.find_or_install(env) == folder

    def test_an_installed_one_is_used_again(self, env: dict[str, str], cache: Path) -> None:
        folder = engine(tool.official_folder(cache, tool.PINNED) / "bin")
        assert tool.find_or_install(env) == folder

    def test_a_built_one_gets_the_language_host(self, env: dict[str, str], cache: Path) -> None:
        built = engine(tool.built_folder(cache, tool.PINNED))
        folder = tool.find_or_install(env)
        assert folder.name == "bin"  # where the Automation API expects it
        assert built in folder.parents
        assert (folder / "language_host.py").read_bytes() == tool.STAND_IN.read_bytes()
        assert (folder / tool.LANGUAGE_HOST).read_bytes() == tool.LAUNCHER
        assert os.access(folder / tool.LANGUAGE_HOST, os.X_OK)
        # The engine looks for its companions beside its real path: a symbolic link would lose them.
        assert not (folder / "pulumi").is_symlink()

    def test_a_changed_language_host_needs_no_new_build(
        self, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        built = engine(tool.built_folder(cache, tool.PINNED))
        before = tool.assemble(built)
        monkeypatch.setattr(tool, "STAND_IN", executable(tmp_path / "changed", "changed"))
        after = tool.assemble(built)
        assert after != before
        assert built in after.parents
        assert (after / "language_host.py").read_text() == "changed"

    def test_the_official_installer_comes_before_a_build(
        self, env: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tool, "install_official", lambda target, _: engine(target / "bin"))
        monkeypatch.setattr(tool, "build", lambda *_: pytest.fail("built"))
        folder = tool.find_or_install(env)
        assert folder == tool.find_or_install(env)

    def test_the_one_that_is_asked_for_comes_before_path(
        self, env: dict[str, str], cache: Path, tmp_path: Path
    ) -> None:
        env["PATH"] = f"{engine(tmp_path / 'bin')}{os.pathsep}{os.environ['PATH']}"
        for asked, version in (("oldest", tool.OLDEST), ("v3.260.1", "v3.260.1")):
            folder = engine(tool.official_folder(cache, version) / "bin")
            assert tool.find_or_install({**env, "ENGINE": asked}) == folder

    @pytest.mark.parametrize("asked", ["newest", "3.260.0", "v3.260", "v3.260.0 "])
    def test_what_is_no_version_is_refused(self, env: dict[str, str], asked: str) -> None:
        with pytest.raises(tool.EngineError, match=r"^ENGINE is .* such as v3"):
            tool.find_or_install({**env, "ENGINE": asked})

    def test_the_oldest_is_older_than_the_pinned_and_documented(self) -> None:
        assert () < tool.as_numbers(tool.OLDEST) < tool.as_numbers(tool.PINNED)
        root = Path(tool.__file__).parents[2]
        for page in ("README", "README.zh", "docs/getting-started", "docs/getting-started.zh"):
            text = (root / f"{page}.md").read_text()
            assert set(re.findall(r"3\.2\d\d\.\d+", text)) == {tool.OLDEST.removeprefix("v")}

    def test_another_recipe_is_another_folder(
        self, cache: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = tool.built_folder(cache, tool.PINNED)
        monkeypatch.setattr(tool, "BUILD", [*tool.BUILD, "-race"])
        another = tool.built_folder(cache, tool.PINNED)
        monkeypatch.setattr(tool, "BUILD_ENV", {"CGO_ENABLED": "1"})
        assert len({before, another, tool.built_folder(cache, tool.PINNED)}) == 3


class TestYamlHost:
    def test_one_beside_the_engine_is_used(self, env: dict[str, str], cache: Path) -> None:
        folder = engine(tool.official_folder(cache, tool.PINNED) / "bin")
        executable(folder / tool.YAML_HOST)
        assert tool.find_or_build_yaml(env) == folder

    def test_one_on_path_is_used(self, env: dict[str, str], cache: Path, tmp_path: Path) -> None:
        engine(tool.built_folder(cache, tool.PINNED))
        host = executable(tmp_path / "nothing" / tool.YAML_HOST)
        assert tool.find_or_build_yaml(env) == host.parent

    def test_it_is_built_once(
        self, env: dict[str, str], cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        engine(tool.built_folder(cache, tool.PINNED))
        go = '#!/bin/sh\ncase $1 in build) echo "$CGO_ENABLED" >"$3";; esac\n'
        path = f"{executable(tmp_path / 'go' / 'go', go).parent}{os.pathsep}{os.environ['PATH']}"
        monkeypatch.setenv("PATH", path)
        folder = tool.find_or_build_yaml(env)
        assert (folder / tool.YAML_HOST).read_text() == "0\n"
        monkeypatch.setattr(tool, "build_binary", lambda *_: pytest.fail("built"))
        assert tool.find_or_build_yaml(env) == folder

    def test_without_go_there_is_one_line(
        self, env: dict[str, str], cache: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        engine(tool.built_folder(cache, tool.PINNED))
        monkeypatch.setenv("PATH", env["PATH"])
        with pytest.raises(tool.EngineError, match=r"^no YAML language host: Go is not on PATH$"):
            tool.find_or_build_yaml(env)


class TestFailure:
    @pytest.mark.usefixtures("offline")
    def test_without_go_the_remedy_is_named(
        self, env: dict[str, str], cache: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PATH", env["PATH"])
        with pytest.raises(
            tool.EngineError, match=r"^no Pulumi engine: Go.* Install .* run again$"
        ):
            tool.find_or_install(env)
        assert parts(cache) == []

    @pytest.mark.usefixtures("offline")
    def test_a_failed_build_leaves_nothing(
        self, env: dict[str, str], cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        go = '#!/bin/sh\n[ "$1" = mod ] || { echo progress; echo no such module >&2; exit 1; }\n'
        monkeypatch.setenv("PATH", str(executable(tmp_path / "go" / "go", go).parent))
        with pytest.raises(tool.EngineError, match=r"^no Pulumi engine: no such module\. Install"):
            tool.find_or_install(env)
        assert parts(cache) == []

    @pytest.mark.usefixtures("offline")
    def test_a_build_becomes_visible_as_a_whole(
        self,
        env: dict[str, str],
        cache: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        executable(tmp_path / "sdk" / "python" / "dist" / tool.DYNAMIC_PROVIDER, "launcher")
        answers = f'build) echo "$CGO_ENABLED" >"$3";; list) echo "{tmp_path}/sdk";;'
        go = f"#!/bin/sh\ncase $1 in {answers} esac\n"
        path = f"{executable(tmp_path / 'go' / 'go', go).parent}{os.pathsep}{os.environ['PATH']}"
        monkeypatch.setenv("PATH", path)
        folder = tool.find_or_install(env)
        assert (folder / "pulumi").read_text() == "0\n"  # built without a C compiler
        assert (folder / tool.DYNAMIC_PROVIDER).read_text() == "launcher"
        assert parts(cache) == [tool.built_folder(cache, tool.PINNED).name]
        said = capsys.readouterr()
        assert said.out == ""
        for line in (
            f"Pulumi engine {tool.PINNED}, once for this user, into {cache}",
            "trying the official installer",
            "the official installer failed (",
            "fetching its Go modules (about 1 minute)",
            "building it (6 minutes on 2 cores, once for this user)",
        ):
            assert line in said.err

    def test_what_a_killed_run_left_is_swept_up(self, cache: Path) -> None:
        (cache / ".part-killed" / "half").mkdir(parents=True)
        with tool.only_one(cache):
            assert parts(cache) == []

    def test_a_command_without_end_is_ended(self, tmp_path: Path) -> None:
        with pytest.raises(tool.EngineError, match="timeout after"):
            tool.run([sys.executable, "-c", "input()"], cwd=tmp_path, seconds=0)

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_an_interrupted_build_leaves_nothing(
        self, env: dict[str, str], cache: Path, tmp_path: Path, number: signal.Signals
    ) -> None:
        go = f'#!/bin/sh\necho $$ >"{tmp_path}/go"\nwhile :; do /bin/sleep 0.1; done\n'
        executable(tmp_path / "nothing" / "go", go)
        program = (
            "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
            "from tools.engine import find_or_install as tool\n"
            "def refuse(*_): raise tool.EngineError('no network')\n"
            "tool.install_official = refuse\n"
            "tool.main()\n"
        )
        with subprocess.Popen(
            [sys.executable, "-c", program],
            cwd=Path(tool.__file__).parents[2],
            env=env,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            deadline = time.monotonic() + 30
            while not (started := tmp_path / "go").exists() or not started.read_text().strip():
                assert time.monotonic() < deadline
                time.sleep(0.05)
            process.send_signal(number)
            _, error = process.communicate(timeout=30)
        assert process.returncode == 1
        assert error.splitlines()[-1].startswith("error: no Pulumi engine: interrupted")
        assert parts(cache) == []
        stat = Path(f"/proc/{started.read_text().strip()}/stat")
        with suppress(FileNotFoundError):  # it has ended, and nobody waits for its exit code
            deadline = time.monotonic() + 30
            while " Z " not in stat.read_text():
                assert time.monotonic() < deadline, "the build goes on"
                time.sleep(0.05)

    def test_a_person_sees_one_line(self, tmp_path: Path) -> None:
        (tmp_path / "cache").write_text("a file where a folder should be")
        answer = subprocess.run(
            [sys.executable, tool.__file__],
            env={"PATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert answer.returncode == 1
        assert answer.stdout == ""
        assert len(answer.stderr.splitlines()) == 1
        assert answer.stderr.startswith("error: no Pulumi engine: ")
