"""The proxy and the certificates of the environment, for one endpoint."""

# httpx reads the same variables. This module reads them instead, because some errors of httpx quote
# a proxy's password, and httpx fails at a NO_PROXY entry that it cannot parse.

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
"""The variables with a proxy for https, in their order; capitals work, too."""
SOCKS_INSTALL_COMMAND: Final = "pip install 'pulumi-vod-workflow[socks]'"
NO_RUN_STARTED: Final = "No run was started."


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy of the environment."""

    variable: str
    """The variable with the proxy."""
    address: httpx.Proxy

    def __str__(self) -> str:
        url = self.address.url
        return f"the proxy of {self.variable} ({url.scheme}://{url.netloc.decode()})"


def proxy_for(url: httpx.URL, certificates: ssl.SSLContext | None = None) -> Proxy | None:
    """
    Return the environment's proxy for an https URL, if it has one.

    Args:
        url: the endpoint.
        certificates: the trusted certificates of an https proxy.

    Raises:
        ConfigurationError: for an unusable proxy. The text has the variable, not its value.

    """
    proxies = getproxies()
    if _bypasses_proxy(url.host, url.port or 443, proxies.get("no", "")):
        return None
    for name in PROXY_VARIABLES:
        value = proxies.get(name.removesuffix("_proxy"), "").strip()
        if value:
            return _proxy(_variable_spelling(name), value, certificates)
    return None


def _variable_spelling(name: str) -> str:
    """Return the variable in the environment's spelling."""
    here = (spelling for spelling in (name, name.upper()) if os.environ.get(spelling))
    return next(here, "the system's proxy settings")


def _proxy(variable: str, value: str, certificates: ssl.SSLContext | None) -> Proxy:
    scheme, separator, _ = value.partition("://")
    scheme = scheme.lower() if separator else "http"
    if scheme not in {"http", "https", "socks5", "socks5h"}:
        near = "socks5://host:port" if scheme.startswith("socks") else "http://host:port"
        raise ConfigurationError(
            f"{variable} has a proxy of an unsupported kind. {NO_RUN_STARTED}\n"
            f"hint: set `{variable}` to {near}, or add the service to `NO_PROXY`"
        )
    if scheme.startswith("socks") and find_spec("socksio") is None:
        raise ConfigurationError(
            f"{variable} has a SOCKS proxy, which needs another package. {NO_RUN_STARTED}\n"
            f"hint: run `{SOCKS_INSTALL_COMMAND}`, or add the service to `NO_PROXY`"
        )
    # With both kinds of SOCKS the proxy resolves names. Older httpx accepts only `socks5`.
    address = f"{scheme.removesuffix('h')}://{value.partition('://')[2] if separator else value}"
    with suppress(ValueError, httpx.InvalidURL):  # their texts quote the value, and a password
        proxy = httpx.Proxy(address, ssl_context=certificates if scheme == "https" else None)
        if re.fullmatch(r"[\w.:-]+", proxy.url.host) and (proxy.url.port or 1) < 65536:
            return Proxy(variable, proxy)
    raise ConfigurationError(
        f"{variable} is not the address of a proxy. {NO_RUN_STARTED}\n"
        f"hint: set `{variable}` to http://host:port, with percent-encoded special characters of "
        "user and password"
    )


def _bypasses_proxy(host: str, port: int, entries: str) -> bool:
    """Return whether NO_PROXY has the host; unreadable entries are ignored."""
    return any(
        _entry_matches(entry, host.lower(), port) for entry in re.split(r"[,\s]+", entries.lower())
    )


def _entry_matches(entry: str, host: str, port: int) -> bool:
    """Return whether an entry matches: `*`, an address, a network, a name or a domain."""
    scheme, _, entry = entry.rpartition("://")
    if scheme not in {"", "all", "https"}:
        return False
    if entry == "*":
        return True
    try:
        return ip_address(host) in ip_network(re.sub(r"[\[\]]", "", entry), strict=False)
    except ValueError:  # host or entry is a name
        pass
    entry, _, of_port = entry.partition(":")
    if of_port and of_port != str(port):
        return False
    entry = entry.removeprefix("*")
    ending = entry if entry.startswith(".") else f".{entry}"
    return len(ending) > 1 and (host == entry or host.endswith(ending))


def trusted_certificates(*, local: bool) -> ssl.SSLContext:
    """
    Return the trusted certificates: of SSL_CERT_FILE, else of SSL_CERT_DIR, else Mozilla's.

    Args:
        local: whether the endpoint is on this machine; both variables then have no effect.

    Raises:
        ConfigurationError: for a variable with an unusable file or folder.

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
        # OpenSSL ignores a missing folder silently.
        message = _unusable_certificates("SSL_CERT_DIR", folder, "it is not a folder")
    except OSError as error:
        why = "it has no certificate" if isinstance(error, ssl.SSLError) else str(error.strerror)
        if log and error.filename == log:  # Python opens it as well
            message = _unusable_certificates("SSLKEYLOGFILE", log, why)
        elif file:
            message = _unusable_certificates("SSL_CERT_FILE", file, why)
        else:
            message = f"The certificates are not loadable: {why}. {NO_RUN_STARTED}"
    raise ConfigurationError(message)


def _unusable_certificates(variable: str, path: str, why: str) -> str:
    return f"{variable} is {path}: {why}. {NO_RUN_STARTED}\nhint: correct or unset `{variable}`"
