"""
The proxy and the certificates that the environment names, for one endpoint.

httpx reads the same variables by itself. It is given what they amount to instead: what it cannot
use it reports by errors of many kinds, some of which quote a proxy's password, and one entry of
NO_PROXY that it cannot parse keeps it from being made at all.
"""

from __future__ import annotations

import os
import re
import ssl
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Final
from urllib.request import getproxies

import httpx

from pulumi_vod_workflow.errors import ConfigurationError

PROXY_VARIABLES: Final = ("https_proxy", "all_proxy")
"""Variables that name a proxy for https, in their order; each in capitals, too."""
SOCKS: Final = "pip install 'pulumi-vod-workflow[socks]'"
NOTHING_SENT: Final = "Nothing was sent."


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy of the environment."""

    variable: str
    """The variable that names it."""
    address: httpx.Proxy

    def __str__(self) -> str:
        url = self.address.url
        return f"the proxy of {self.variable} ({url.scheme}://{url.netloc.decode()})"


def proxy_for(url: httpx.URL, certificates: ssl.SSLContext | None = None) -> Proxy | None:
    """
    Return the proxy that the environment names for an https URL, if there is one.

    Args:
        url: where requests go.
        certificates: those to trust, of a proxy that is spoken to over TLS as well.

    Raises:
        ConfigurationError: for a proxy that cannot be used; it names the variable, never the value.

    """
    proxies = getproxies()
    if _is_spared(url.host, url.port or 443, proxies.get("no", "")):
        return None
    for name in PROXY_VARIABLES:
        value = proxies.get(name.removesuffix("_proxy"), "").strip()
        if value:
            return _proxy(_spelled(name), value, certificates)
    return None


def _spelled(name: str) -> str:
    """Return the variable as the environment has it."""
    here = (spelling for spelling in (name, name.upper()) if os.environ.get(spelling))
    return next(here, "the system's proxy settings")


def _proxy(variable: str, value: str, certificates: ssl.SSLContext | None) -> Proxy:
    scheme, separator, _ = value.partition("://")
    scheme = scheme.lower() if separator else "http"
    if scheme not in {"http", "https", "socks5", "socks5h"}:
        near = "socks5://host:port" if scheme.startswith("socks") else "http://host:port"
        raise ConfigurationError(
            f"{variable} names a proxy of a kind that is not supported. Set it to {near}, "
            f"or name the service in NO_PROXY. {NOTHING_SENT}"
        )
    if scheme.startswith("socks") and find_spec("socksio") is None:
        raise ConfigurationError(
            f"{variable} names a SOCKS proxy, which needs another package: `{SOCKS}`, or name "
            f"the service in NO_PROXY. {NOTHING_SENT}"
        )
    # Both kinds of SOCKS leave names to the proxy, and older httpx knows one word for it.
    address = f"{scheme.removesuffix('h')}://{value.partition('://')[2] if separator else value}"
    with suppress(ValueError, httpx.InvalidURL):  # each quotes the value, and so a password
        proxy = httpx.Proxy(address, ssl_context=certificates if scheme == "https" else None)
        if re.fullmatch(r"[\w.:-]+", proxy.url.host) and (proxy.url.port or 1) < 65536:
            return Proxy(variable, proxy)
    raise ConfigurationError(
        f"{variable} is no address of a proxy. Set it to http://host:port, with special characters "
        f"of a user and password percent-encoded. {NOTHING_SENT}"
    )


def _is_spared(host: str, port: int, entries: str) -> bool:
    """Tell whether NO_PROXY names the host; an entry that cannot be read names none."""
    return any(_names(entry, host.lower(), port) for entry in re.split(r"[,\s]+", entries.lower()))


def _names(entry: str, host: str, port: int) -> bool:
    """Tell whether an entry names the host: `*`, an address or its network, a name or its end."""
    scheme, _, entry = entry.rpartition("://")
    if scheme not in {"", "all", "https"}:
        return False
    if entry == "*":
        return True
    try:
        return ip_address(host) in ip_network(re.sub(r"[\[\]]", "", entry), strict=False)
    except ValueError:  # one of them is a name
        pass
    entry, _, of_port = entry.partition(":")
    if of_port and of_port != str(port):
        return False
    entry = entry.removeprefix("*")
    ending = entry if entry.startswith(".") else f".{entry}"
    return len(ending) > 1 and (host == entry or host.endswith(ending))


def trusted(*, local: bool) -> ssl.SSLContext:
    """
    Return the certificates to trust: of SSL_CERT_FILE, else of SSL_CERT_DIR, else Mozilla's.

    Args:
        local: whether the endpoint is on this machine, so that neither variable counts.

    Raises:
        ConfigurationError: for a variable whose file or folder cannot be used.

    """
    names = ("SSL_CERT_FILE", "SSL_CERT_DIR")
    file, folder = (None if local else os.environ.get(name) for name in names)
    log = os.environ.get("SSLKEYLOGFILE")
    try:
        if file:
            return ssl.create_default_context(cafile=file)
        if not folder:
            return httpx.create_ssl_context(trust_env=False)
        if Path(folder).is_dir():
            return ssl.create_default_context(capath=folder)
        message = _unusable("SSL_CERT_DIR", folder, "it is no folder")  # OpenSSL would not say so
    except OSError as error:
        why = "it holds no certificate" if isinstance(error, ssl.SSLError) else str(error.strerror)
        if log and error.filename == log:  # Python opens it as well
            message = _unusable("SSLKEYLOGFILE", log, why)
        elif file:
            message = _unusable("SSL_CERT_FILE", file, why)
        else:
            message = f"The certificates to trust cannot be loaded: {why}. {NOTHING_SENT}"
    raise ConfigurationError(message)


def _unusable(variable: str, path: str, why: str) -> str:
    return f"{variable} names {path}: {why}. Correct or unset it. {NOTHING_SENT}"
