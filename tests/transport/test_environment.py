"""Proxies and certificates of the environment that cannot be used, or are not for the endpoint."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import certifi
import httpx
import pytest

from pulumi_vod_workflow.core.signing import Credentials
from pulumi_vod_workflow.errors import ConfigurationError
from pulumi_vod_workflow.transport.client import VodClient
from pulumi_vod_workflow.transport.network import proxy_for

KEYS = Credentials("AK", "SK")
REAL = "https://vod.volcengineapi.com"
PROXY = "http://proxy:3128"


@pytest.fixture(scope="module")
def one_certificate(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file with the first of Mozilla's certificates; all take 20 ms for each client."""
    first, end, _ = Path(certifi.where()).read_text().partition("-----END CERTIFICATE-----\n")
    file = tmp_path_factory.mktemp("certificates") / "first.pem"
    file.write_text(first + end)
    return str(file)


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, one_certificate: str) -> None:
    """Nothing of this machine's environment."""
    monkeypatch.setattr(certifi, "where", lambda: one_certificate)
    for name in [*os.environ]:
        if name.lower().endswith("_proxy") or name.startswith("SSL"):
            monkeypatch.delenv(name)


def made(endpoint: str = REAL) -> VodClient:
    return VodClient(endpoint, "cn-north-1", KEYS)


def refused() -> str:
    """Return why no client can be made; an endpoint on this machine has one all the same."""
    with pytest.raises(ConfigurationError) as caught:
        made()
    assert caught.value.__cause__ is caught.value.__context__ is None
    assert "No run was started." in str(caught.value)
    made("http://127.0.0.1:1")
    return str(caught.value)


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("socks://u:hidden@proxy:1080/", "to socks5://"),
        ("socks4a://u:hidden@proxy:1080", "to socks5://"),
        ("ftp://u:hidden@proxy", "to http://"),
        ("http://u:hidden@proxy:port", "is not the address of a proxy"),
        ("http://u:hid#den@proxy:1", "is not the address of a proxy"),
        ("http://u:hid/den@proxy:1", "is not the address of a proxy"),
        ("http://u:hidden@proxy:99999", "is not the address of a proxy"),
        ("u:hidden@pro xy:3128", "is not the address of a proxy"),
        ("http://u:hidden@", "is not the address of a proxy"),
        ("http://u:hidden@[::1", "is not the address of a proxy"),
        ("http://u:hidden@xn--", "is not the address of a proxy"),
        ("http://u:\udcffhidden@proxy:1", "is not the address of a proxy"),
        ("hidden proxy", "is not the address of a proxy"),
        ("http://", "is not the address of a proxy"),
    ],
)
def test_a_proxy_that_cannot_be_one(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, says: str
) -> None:
    """It names the variable, as it is spelled, and shows nothing of a password."""
    monkeypatch.setenv(variable, value)
    message = refused()
    made("https://localhost:1")
    assert message.startswith(f"{variable} ")
    assert says in message
    for part in ("hid", "den"):
        assert part not in message


def test_socks_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://u:hidden@proxy:1080")
    made()
    monkeypatch.setitem(sys.modules, "socksio", None)
    message = refused()
    assert "ALL_PROXY has a SOCKS proxy" in message
    assert "pip install 'pulumi-vod-workflow[socks]'" in message
    assert "hidden" not in message


@pytest.mark.parametrize(
    ("entries", "host", "spared"),
    [
        ("", "vod.volcengineapi.com", False),
        ("*", "vod.volcengineapi.com", True),
        ("a, *", "vod.volcengineapi.com", True),
        ("vod.volcengineapi.com", "vod.volcengineapi.com", True),
        ("VOD.volcengineapi.com", "vod.volcengineapi.com", True),
        ("volcengineapi.com", "vod.volcengineapi.com", True),
        ("engineapi.com", "vod.volcengineapi.com", False),
        (".volcengineapi.com", "vod.volcengineapi.com", True),
        ("*.volcengineapi.com", "vod.volcengineapi.com", True),
        (".volcengineapi.com", "volcengineapi.com", False),
        ("vod.volcengineapi.com:443", "vod.volcengineapi.com", True),
        ("vod.volcengineapi.com:8443", "vod.volcengineapi.com", False),
        ("vod.volcengineapi.com:x", "vod.volcengineapi.com", False),
        ("https://vod.volcengineapi.com", "vod.volcengineapi.com", True),
        ("http://vod.volcengineapi.com", "vod.volcengineapi.com", False),
        ("::1,[::1],10.0.0.0/8,fe80::/10,[::1", "vod.volcengineapi.com", False),
        ("::1,[::1],localhost,volcengineapi.com", "vod.volcengineapi.com", True),
        (".", "vod.volcengineapi.com", False),
        (",,", "vod.volcengineapi.com", False),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.1/8", "10.1.2.3", True),
        ("10.1.2.3", "10.1.2.3", True),
        ("10.1.2.4", "10.1.2.3", False),
        ("10.0.0.0/8", "[fd00::1]", False),
        ("fd00::/8", "[fd00::1]", True),
        ("[fd00::1]", "[fd00::1]", True),
        ("10.0.0.0/99", "10.1.2.3", False),
    ],
)
def test_what_goes_past_the_proxy(
    monkeypatch: pytest.MonkeyPatch, entries: str, host: str, spared: bool
) -> None:
    """As curl, Go and httpx read NO_PROXY; what cannot be read does no harm."""
    monkeypatch.setenv("HTTPS_PROXY", PROXY)
    monkeypatch.setenv("NO_PROXY", entries)
    assert (proxy_for(httpx.URL(f"https://{host}")) is None) is spared
    made(f"https://{host}")


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({}, None),
        ({"HTTP_PROXY": PROXY}, None),
        ({"HTTPS_PROXY": ""}, None),
        ({"HTTPS_PROXY": PROXY}, f"the proxy of HTTPS_PROXY ({PROXY})"),
        ({"https_proxy": "proxy:3128"}, f"the proxy of https_proxy ({PROXY})"),
        ({"HTTPS_PROXY": "http://u:hidden@proxy:3128/"}, f"the proxy of HTTPS_PROXY ({PROXY})"),
        ({"ALL_PROXY": "socks5h://h:1"}, "the proxy of ALL_PROXY (socks5://h:1)"),
        ({"ALL_PROXY": "http://h:1", "https_proxy": PROXY}, f"the proxy of https_proxy ({PROXY})"),
        ({"HTTPS_PROXY": "http://[::1]:1"}, "the proxy of HTTPS_PROXY (http://[::1]:1)"),
    ],
)
def test_the_proxy_that_is_taken(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], told: str | None
) -> None:
    """That for https, then that for everything; its password is not part of its name."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    proxy = proxy_for(httpx.URL(REAL))
    assert (str(proxy) if proxy else None) == told
    assert "hidden" not in repr(proxy)


@pytest.mark.parametrize(
    ("variable", "path", "why"),
    [
        ("SSL_CERT_FILE", "nowhere", "No such file or directory"),
        ("SSL_CERT_FILE", ".", "Is a directory"),
        ("SSL_CERT_FILE", "empty", "it has no certificate"),
        ("SSL_CERT_FILE", "text", "it has no certificate"),
        ("SSL_CERT_DIR", "nowhere", "it is not a folder"),
        ("SSL_CERT_DIR", "text", "it is not a folder"),
        ("SSLKEYLOGFILE", "nowhere/log", "No such file or directory"),
        ("SSLKEYLOGFILE", ".", "Is a directory"),
    ],
)
def test_certificates_that_are_not_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str, path: str, why: str
) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "text").write_text("no certificate")
    if variable == "SSLKEYLOGFILE":  # which httpx itself has looked at since 0.28
        monkeypatch.setenv("SSL_CERT_FILE", certifi.where())
    monkeypatch.setenv(variable, str(tmp_path / path))
    assert refused() == (
        f"{variable} is {tmp_path / path}: {why}. No run was started.\n"
        f"hint: correct or unset `{variable}`"
    )


def test_certificates_that_are_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What the failures above are compared with."""
    for variable, path in (
        ("SSL_CERT_DIR", tmp_path),
        ("SSL_CERT_FILE", certifi.where()),
        ("SSLKEYLOGFILE", tmp_path / "log"),
    ):
        monkeypatch.setenv(variable, str(path))
        made()
