"""Settings and credentials: where they come from, and what is said of wrong ones."""

from __future__ import annotations

import json
import pwd
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pulumi_vod_workflow.config.credentials import EMULATOR_CREDENTIALS
from pulumi_vod_workflow.config.endpoint import ServiceEndpoint, endpoint_of_run
from pulumi_vod_workflow.config.settings import Settings, home_folder, load_settings
from pulumi_vod_workflow.core.signing import Credentials
from pulumi_vod_workflow.errors import ConfigurationError
from pulumi_vod_workflow.lifecycle.announcements import Announcements

NOTHING: dict[str, str] = {}
STACK = {"vod:accessKey": "ak-vod", "vod:secretKey": "sk-vod", "vod:sessionToken": "st-vod"}
OFFICIAL_STACK = {"volcengine:accessKey": "ak-volc", "volcengine:secretKey": "sk-volc"}
NEW_ENV = {
    "VOLCENGINE_ACCESS_KEY": "ak-new",
    "VOLCENGINE_SECRET_KEY": "sk-new",
    "VOLCENGINE_SESSION_TOKEN": "st-new",
}
OLD_ENV = {"VOLC_ACCESSKEY": "ak-old", "VOLC_SECRETKEY": "sk-old", "VOLC_SESSIONTOKEN": "st-old"}


def settings(
    home: Path, config: Mapping[str, str] | None = None, environ: Mapping[str, str] | None = None
) -> Settings:
    return load_settings((config or {}).get, environ or {}, home)


def refused(
    home: Path, config: Mapping[str, str] | None = None, environ: Mapping[str, str] | None = None
) -> str:
    with pytest.raises(ConfigurationError) as caught:
        settings(home, config, environ)
    return str(caught.value)


def write(home: Path, name: str, text: str) -> None:
    path = home / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def cli_profile(**profile: str) -> str:
    return json.dumps({"current": "work", "profiles": {"work": profile}})


def fill(home: Path) -> None:
    write(
        home,
        ".volcengine/config.json",
        cli_profile(**{"access-key": "ak-cli", "secret-key": "sk-cli", "session-token": "st-cli"}),
    )
    write(
        home, ".volc/credentials", "[default]\naccess_key_id=ak-ini\nsecret_access_key=sk-ini%1\n"
    )
    write(home, ".volc/config", json.dumps({"ak": "ak-json", "sk": "sk-json"}))


def test_every_source_in_its_order(tmp_path: Path) -> None:
    """The stack, the official package's keys, both environments, then the three files."""
    fill(tmp_path)
    config, environ = {**STACK, **OFFICIAL_STACK}, {**NEW_ENV, **OLD_ENV}
    found = []
    for source in (STACK, OFFICIAL_STACK, NEW_ENV, OLD_ENV):
        found.append(settings(tmp_path, config, environ).require_credentials())
        for key in source:
            config.pop(key, None)
            environ.pop(key, None)
    for path in (".volcengine/config.json", ".volc/credentials", ".volc/config"):
        found.append(settings(tmp_path, config, environ).require_credentials())
        (tmp_path / path).unlink()
    assert found == [
        Credentials("ak-vod", "sk-vod", "st-vod"),
        Credentials("ak-volc", "sk-volc"),
        Credentials("ak-new", "sk-new", "st-new"),
        Credentials("ak-old", "sk-old", "st-old"),
        Credentials("ak-cli", "sk-cli", "st-cli"),
        Credentials("ak-ini", "sk-ini%1"),
        Credentials("ak-json", "sk-json"),
    ]


def test_missing_credentials_name_every_place(tmp_path: Path) -> None:
    """Nothing found: the error lists all that was looked at, and how to set a key."""
    with pytest.raises(ConfigurationError) as caught:
        settings(tmp_path).require_credentials()
    for place in (
        "vod:accessKey and vod:secretKey",
        "volcengine:accessKey and volcengine:secretKey",
        "VOLCENGINE_ACCESS_KEY and VOLCENGINE_SECRET_KEY",
        "VOLC_ACCESSKEY and VOLC_SECRETKEY",
        str(tmp_path / ".volcengine" / "config.json"),
        str(tmp_path / ".volc" / "credentials"),
        str(tmp_path / ".volc" / "config"),
        "pulumi config set --secret vod:secretKey",
    ):
        assert place in str(caught.value)


@pytest.mark.parametrize(
    ("config", "environ", "names"),
    [
        ({"vod:accessKey": "ak"}, NEW_ENV, "vod:accessKey without vod:secretKey"),
        ({"vod:sessionToken": "hidden"}, NEW_ENV, "without vod:accessKey and vod:secretKey"),
        ({}, {"VOLCENGINE_SECRET_KEY": "hidden", **OLD_ENV}, "without VOLCENGINE_ACCESS_KEY"),
    ],
)
def test_a_triple_is_never_mixed(
    tmp_path: Path, config: dict[str, str], environ: dict[str, str], names: str
) -> None:
    """A source that holds a part is the one that is meant: its rest is not taken elsewhere."""
    message = refused(tmp_path, config, environ)
    assert names in message
    assert "hidden" not in message


def test_a_key_with_a_line_end_inside_is_refused_unseen(tmp_path: Path) -> None:
    """A pasted key that cannot be one is named by its place, not shown."""
    message = refused(tmp_path, {"vod:accessKey": "ak", "vod:secretKey": "hid\nden"})
    assert "a character that no key has" in message
    assert "den" not in message
    padded = settings(tmp_path, {"vod:accessKey": " ak ", "vod:secretKey": "sk\n"})
    assert padded.require_credentials() == Credentials("ak", "sk")


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        (".volcengine/config.json", "{", "not in its official format"),
        (".volcengine/config.json", "[1]", "not in its official format"),
        (".volcengine/config.json", cli_profile(mode="sso"), "mode of its profile has no key"),
        (".volc/credentials", "no section", "not in its official format"),
        (".volc/config", "hidden", "not in its official format"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(
    tmp_path: Path, name: str, text: str, says: str
) -> None:
    """A broken official file is what was meant: it stops the search and says why."""
    write(tmp_path, name, text)
    with pytest.raises(ConfigurationError) as caught:
        settings(tmp_path).require_credentials()
    assert says in str(caught.value)
    assert str(tmp_path / name) in str(caught.value)
    assert "hidden" not in str(caught.value)


def test_the_official_command_lines_profile_can_be_chosen(tmp_path: Path) -> None:
    """VOLCENGINE_PROFILE and VOLCENGINE_CLI_CONFIG_FILE are honoured; missing ones are told."""
    document = {
        "current": "a",
        "profiles": {
            name: {"access-key": f"ak-{name}", "secret-key": f"sk-{name}"} for name in "ab"
        },
    }
    write(tmp_path, "elsewhere.json", json.dumps(document))
    environ = {"VOLCENGINE_CLI_CONFIG_FILE": str(tmp_path / "elsewhere.json")}
    assert settings(tmp_path, environ=environ).require_credentials().access_key == "ak-a"
    chosen = {**environ, "VOLCENGINE_PROFILE": "b"}
    assert settings(tmp_path, environ=chosen).require_credentials().access_key == "ak-b"
    for wrong, says in (
        ({**environ, "VOLCENGINE_PROFILE": "c"}, "does not have the profile"),
        ({"VOLCENGINE_CLI_CONFIG_FILE": str(tmp_path / "none")}, "does not exist"),
    ):
        with pytest.raises(ConfigurationError, match=says):
            settings(tmp_path, environ=wrong).require_credentials()


def test_the_region_of_the_profile_that_gave_the_key(tmp_path: Path) -> None:
    """It counts last, only with its key, and is told when VOD is not known to be there."""
    keys = {"access-key": "ak", "secret-key": "sk"}
    write(tmp_path, ".volcengine/config.json", cli_profile(**keys, region="ap-southeast-1"))
    assert settings(tmp_path).site.region == "ap-southeast-1"
    assert settings(tmp_path, environ=OLD_ENV).site.region == "cn-north-1"
    assert settings(tmp_path, {"vod:region": "cn-north-1"}).site.region == "cn-north-1"
    assert settings(tmp_path, {"vod:endpoint": "emulator"}).site.region == "cn-north-1"
    write(tmp_path, ".volcengine/config.json", cli_profile(**keys, region="cn-beijing"))
    assert "the credentials' profile: VOD has no known endpoint in cn-beijing" in refused(tmp_path)


@pytest.mark.parametrize(
    ("config", "environ"),
    [
        ({"vod:region": "cn-beijing"}, {}),
        ({"volcengine:region": "cn-beijing"}, {}),
        ({}, {"VOLCENGINE_REGION": "cn-beijing"}),
    ],
)
def test_a_region_where_vod_is_not_known_to_be(
    tmp_path: Path, config: dict[str, str], environ: dict[str, str]
) -> None:
    """Whoever names it: its host is made up, unless the endpoint is named as well."""
    [name] = [*config, *environ]
    message = refused(tmp_path, config, environ)
    assert message == (
        f"{name}: VOD has no known endpoint in cn-beijing: set vod:region to cn-north-1 "
        "or ap-southeast-1, or set vod:endpoint to the region's URL, too"
    )
    url = "https://vod.cn-beijing.volcengineapi.com"
    assert settings(tmp_path, {**config, "vod:endpoint": url}, environ).site == ServiceEndpoint(
        url, "cn-beijing"
    )
    assert settings(tmp_path, {**config, "vod:endpoint": "emulator"}, environ).site.endpoint


def test_what_leads_to_the_endpoint(tmp_path: Path) -> None:
    """For advice, which must not name what is not set; a recorded run has its endpoint itself."""
    named_by = {
        "": settings(tmp_path).site,
        "vod:region": settings(tmp_path, {"vod:region": "ap-southeast-1"}).site,
        "VOLCENGINE_REGION": settings(tmp_path, {}, {"VOLCENGINE_REGION": "cn-north-1"}).site,
        "vod:endpoint": settings(tmp_path, {"vod:endpoint": "https://a", "vod:region": "x"}).site,
    }
    assert [site.setting_name for site in named_by.values()] == [*named_by]
    here = named_by["vod:endpoint"]
    assert endpoint_of_run({"endpoint": "https://a"}, here).setting_name == "vod:endpoint"
    assert "the state has" in endpoint_of_run({"endpoint": "https://b"}, here).setting_name


@pytest.mark.parametrize(
    ("config", "environ", "site"),
    [
        ({}, {}, ServiceEndpoint("https://vod.volcengineapi.com", "cn-north-1")),
        (
            {"vod:region": "ap-southeast-1"},
            {},
            ServiceEndpoint("https://vod.ap-southeast-1.volcengineapi.com", "ap-southeast-1"),
        ),
        (
            {"volcengine:region": "ap-southeast-1"},
            {"VOLCENGINE_REGION": "cn-north-1"},
            ServiceEndpoint("https://vod.ap-southeast-1.volcengineapi.com", "ap-southeast-1"),
        ),
        (
            {},
            {"VOLCENGINE_REGION": "ap-southeast-1"},
            ServiceEndpoint("https://vod.ap-southeast-1.volcengineapi.com", "ap-southeast-1"),
        ),
        (
            {"vod:endpoint": "HTTPS://Vod.Example.com:443/"},
            {},
            ServiceEndpoint("https://vod.example.com", "cn-north-1"),
        ),
        (
            {"vod:endpoint": "http://[::1]:8080"},
            {},
            ServiceEndpoint("http://[::1]:8080", "cn-north-1"),
        ),
        (
            {"vod:endpoint": "emulator"},
            {"VOLCENGINE_REGION": "ap-southeast-1"},
            ServiceEndpoint("emulator", "cn-north-1"),
        ),
    ],
)
def test_sites(
    tmp_path: Path, config: dict[str, str], environ: dict[str, str], site: ServiceEndpoint
) -> None:
    """The region has its host; an endpoint has one spelling, because runs remember it."""
    assert settings(tmp_path, config, environ).site == site


@pytest.mark.parametrize(
    ("config", "environ", "says"),
    [
        ({"vod:endpoint": "vod.volcengineapi.com"}, {}, "must be a URL"),
        ({"vod:endpoint": "ftp://host"}, {}, "must be a URL"),
        ({"vod:endpoint": "https://host:99999"}, {}, "must be a URL"),
        ({"vod:endpoint": "https://user:hidden@host"}, {}, "no user"),
        ({"vod:endpoint": "https://host/?a=hidden"}, {}, "no user, path, query"),
        ({"vod:endpoint": "http://vod.volcengineapi.com"}, {}, "must be https"),
        ({"vod:endpoint": "http://127.0.0.1.example.com"}, {}, "must be https"),
        ({"vod:region": "CN North"}, {}, "vod:region: must look like"),
        ({}, {"VOLCENGINE_REGION": "cn-beijing"}, "set vod:region"),
        ({"vod:requestsPerSecond": "51"}, {}, "above 0, at most 50"),
        ({"vod:requestsPerSecond": "0"}, {}, "above 0, at most 50"),
        ({"vod:requestsPerSecond": "nan"}, {}, "above 0, at most 50"),
        ({"vod:requestsPerSecond": "many"}, {}, "above 0, at most 50"),
        ({"vod:preflight": "true"}, {}, "vod:preflight: must be off, warn or error"),
    ],
)
def test_wrong_settings_say_what_is_allowed(
    tmp_path: Path, config: dict[str, str], environ: dict[str, str], says: str
) -> None:
    """Each setting names itself and what it may be; nothing secret is repeated."""
    message = refused(tmp_path, config, environ)
    assert says in message
    assert "hidden" not in message


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("vod:endpont", "vod:endpont: unknown setting; did you mean vod:endpoint?"),
        ("vod:acessKey", "did you mean vod:accessKey?"),
        ("vod:colour", "vod:colour: unknown setting; The settings are vod:region, "),
    ],
)
def test_a_mistyped_setting_is_refused(tmp_path: Path, key: str, says: str) -> None:
    """A run that was meant for the emulator must not go to the paid service."""
    with pytest.raises(ConfigurationError, match=re.escape(says)):
        load_settings(NOTHING.get, {}, tmp_path, [key, "vod:region", "other:key"])
    ours = load_settings(NOTHING.get, {"PULUMI_PROJECT": "vod"}, tmp_path, [key])
    assert ours.site.region == "cn-north-1", "a project of that name has keys of its own"


SHOP = {"PULUMI_PROJECT": "shop"}


def configured(home: Path, config: dict[str, str], environ: dict[str, str] = SHOP) -> Settings:
    return load_settings(config.get, environ, home, config)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("shop:endpoint", "emulator"),
        ("shop:endpoint", " emulator "),
        ("shop:Endpoint", "emulator"),
        ("volcengine:endpoint", "emulator"),
        ("VOD:endpoint", "emulator"),
        ("shop:vodEndpoint", "emulator"),
        ("shop:vod_endpoint", "emulator"),
        ("shop:endpoint", "http://127.0.0.1:8765"),
        ("shop:endpoint", "http://localhost:8765/"),
        ("shop:endpoint", "http://[::1]:8765"),
        ("shop:endpoint", "https://vod.ap-southeast-1.volcengineapi.com"),
    ],
)
def test_an_endpoint_without_its_prefix_is_refused(tmp_path: Path, key: str, value: str) -> None:
    """What was meant for the emulator must not go to the paid service."""
    with pytest.raises(ConfigurationError):
        configured(tmp_path, {key: value, "vod:endpoint": " "})
    with pytest.raises(ConfigurationError) as caught:
        configured(tmp_path, {key: value})
    assert str(caught.value).startswith(
        f"{key}: did you mean vod:endpoint? Without it, runs start at the real service"
    )
    for own in ("emulator", "https://vod.volcengineapi.com"):
        assert configured(tmp_path, {key: value, "vod:endpoint": own}).site.endpoint == own


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("shop:endpoint", "https://api.shop.com"),
        ("shop:endpoint", "https://volcengineapi.com.shop.com"),
        ("shop:endpoint", "http://[::1"),
        ("minio:endpoint", "http://127.0.0.1:9000"),
        ("shop:region", "us-east-1"),
        ("shop:region", "cn-north-1"),
        ("shop:accessKey", "AKIAIOSFODNN7EXAMPLE"),
        ("shop:secretKey", "hidden"),
        ("shop:preflight", "true"),
        ("shop:prices", "1,2"),
        ("aws:region", "ap-southeast-1"),
        ("cache:journal", "x"),
        ("shop:regions", "ap-southeast-1"),
    ],
)
def test_a_projects_own_keys_are_its_own(tmp_path: Path, key: str, value: str) -> None:
    """The same names are common; what is said of them would be said at every preview."""
    found = configured(tmp_path, {key: value})
    assert found.doubts == ()
    assert found.site == ServiceEndpoint("https://vod.volcengineapi.com", "cn-north-1")


@pytest.mark.parametrize(
    ("key", "value", "known"),
    [
        ("shop:region", "ap-southeast-1", "vod:region"),
        ("shop:access_key", "AKLThidden", "vod:accessKey"),
        ("shop:requests-per-second", "5", "vod:requestsPerSecond"),
        ("shop:journal", "/mnt/hidden", "vod:journal"),
        ("shop:resendWithin", "60", "vod:resendWithin"),
        ("shop:preflight", "error", "vod:preflight"),
        ("shop:emulator_store", "hidden", "vod:emulatorStore"),
        ("shop:prices", "hidden.toml", "vod:prices"),
    ],
)
def test_what_may_be_a_setting_without_its_prefix_is_doubted(
    tmp_path: Path, key: str, value: str, known: str
) -> None:
    """Said once beside where runs are started, and where keys are missed."""
    found = configured(tmp_path, {key: value})
    assert found.doubts == (f"{key} is set, and {known} is not: did you mean {known}?",)
    said: list[str] = []
    announcements = Announcements(said.append, print, print)
    announcements.announce_endpoint(found)
    announcements.announce_endpoint(found)
    assert said.count(f"vod: {found.doubts[0]}") == 1
    with pytest.raises(ConfigurationError) as caught:
        found.require_credentials()
    assert found.doubts[0] in str(caught.value)
    assert "hidden" not in f"{caught.value}{said}"
    set_too = {key: value, known: {"vod:region": "cn-north-1"}.get(known, "1")}
    set_too |= {"vod:secretKey": "1"} if known == "vod:accessKey" else {}
    set_too |= {known: "off"} if known == "vod:preflight" else {}
    assert configured(tmp_path, set_too).doubts == ()


def test_prices_are_named_or_not(tmp_path: Path) -> None:
    assert not configured(tmp_path, {}).has_prices
    assert not configured(tmp_path, {"vod:prices": " "}).has_prices
    assert configured(tmp_path, {"vod:prices": "prices.toml"}).has_prices


def test_values_that_are_no_text_are_nobodys_business(tmp_path: Path) -> None:
    """A project's own key may hold anything."""
    config: dict[str, Any] = {"shop:endpoint": {"a": 1}, "shop:journal": None, "shop:region": 5}
    assert load_settings(config.get, SHOP, tmp_path, config).doubts == ()


def test_a_user_without_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container that runs under any number: a setting to make, not a defect."""
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", lambda _: dict[str, str]()["nobody"])
    with pytest.raises(
        ConfigurationError, match=r"HOME is not set.* No run was started\.\nhint: set HOME"
    ):
        home_folder()


def test_preflight_is_off_unless_it_is_asked_for(tmp_path: Path) -> None:
    for text, mode in ((None, "off"), ("off", "off"), ("warn", "warn"), ("error", "error")):
        config = {} if text is None else {"vod:preflight": text}
        assert settings(tmp_path, config).preflight == mode


def test_all_problems_come_at_once(tmp_path: Path) -> None:
    """Several wrong settings are corrected in one go."""
    config = {"vod:region": "X", "vod:requestsPerSecond": "x", "vod:endpoint": "x"}
    assert len(refused(tmp_path, config).splitlines()) == 3


def test_the_emulator_never_sees_real_keys(tmp_path: Path) -> None:
    """Embedded, it takes the `vod:` keys or its own; a developer's real ones are left alone."""
    fill(tmp_path)
    emulated = {"vod:endpoint": "emulator"}
    found = settings(tmp_path, {**emulated, **OFFICIAL_STACK}, NEW_ENV)
    assert found.require_credentials() == EMULATOR_CREDENTIALS
    own = settings(tmp_path, {**emulated, **STACK}, NEW_ENV).require_credentials()
    assert own.access_key == "ak-vod"


@pytest.mark.parametrize(
    ("config", "environ", "store"),
    [
        ({"vod:emulatorStore": "runs.db"}, {}, "runs.db"),
        ({"vod:emulatorStore": "~/runs.db"}, {}, "{home}/runs.db"),
        (
            {},
            {"PULUMI_BACKEND_URL": "file:///a%20b?no_tmp_dir=true"},
            "/a b/.pulumi/vod-emulator.sqlite3",
        ),
        ({}, {"PULUMI_BACKEND_URL": "file://~"}, "{home}/.pulumi/vod-emulator.sqlite3"),
        (
            {},
            {"PULUMI_BACKEND_URL": "s3://b", "PULUMI_HOME": "/p"},
            "/p/vod-emulator.sqlite3",
        ),
        ({}, {}, "{home}/.pulumi/vod-emulator.sqlite3"),
        ({}, {"PULUMI_HOME": "{home}/in"}, "/stacks/.pulumi/vod-emulator.sqlite3"),
        ({}, {"PULUMI_HOME": "{home}/odd"}, "{home}/odd/vod-emulator.sqlite3"),
    ],
)
def test_the_emulators_file_is_beside_the_stacks(
    tmp_path: Path, config: dict[str, str], environ: dict[str, str], store: str
) -> None:
    """Where the configuration, the backend or Pulumi's own folder say; never the program's."""
    write(tmp_path, "in/credentials.json", '{"current": "file:///stacks"}')
    write(tmp_path, "odd/credentials.json", "[]")
    environ = {key: value.format(home=tmp_path) for key, value in environ.items()}
    expected = Path(store.format(home=tmp_path))
    assert settings(tmp_path, config, environ).emulator_store == expected


def test_a_run_is_where_it_was_started() -> None:
    """A real run stays at its site; an emulated one is wherever the emulator is configured now."""
    here = ServiceEndpoint("https://vod.volcengineapi.com", "cn-north-1")
    there = {"emulated": False, "endpoint": "https://elsewhere", "region": "ap-southeast-1"}
    assert endpoint_of_run(there, here) == ServiceEndpoint("https://elsewhere", "ap-southeast-1")
    assert (
        endpoint_of_run(there, ServiceEndpoint("emulator", "cn-north-1")).endpoint
        == "https://elsewhere"
    )
    emulated = {"emulated": True, "endpoint": "http://127.0.0.1:1", "region": "cn-north-1"}
    assert (
        endpoint_of_run(emulated, ServiceEndpoint("emulator", "cn-north-1")).endpoint == "emulator"
    )
    assert endpoint_of_run(emulated, here).endpoint == "http://127.0.0.1:1"
    assert endpoint_of_run({}, here) == here


def test_no_secret_in_a_repr(tmp_path: Path) -> None:
    """Settings can be logged by mistake without harm."""
    assert "sk-vod" not in repr(settings(tmp_path, STACK))
    assert "st-vod" not in repr(settings(tmp_path, STACK))
