"""
The object store of a URL: `s3://`, `gs://` or `azblob://`, as the engine's backend reads the URL.

The credentials are those of the backend: of the environment, or of the URL's parameters. They are
never the service's keys.
"""

# journal-facts 1: the parameters of gocloud.dev, which opens the engine's backend.

from __future__ import annotations

import json
import os
import random
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlsplit

from pulumi_vod_workflow.config.backend import OBJECT_STORES, azure_account, azure_connection
from pulumi_vod_workflow.config.shown_url import shown_url, without_user_info
from pulumi_vod_workflow.errors import JournalError

if TYPE_CHECKING:
    from obstore import PutMode
    from obstore.store import ClientConfig, GCSCredential, ObjectStore, RetryConfig

# journal-facts 5: an unreachable store is reported within 10 s. The library's defaults are 10
# retries within 180 s (journal-facts 4).
CLIENT_OPTIONS: Final[ClientConfig] = {"connect_timeout": "3s", "timeout": "10s"}
RETRIES: Final[RetryConfig] = {
    "max_retries": 2,
    "backoff": {
        "init_backoff": timedelta(milliseconds=100),
        "max_backoff": timedelta(seconds=2),
        "base": 2,
    },
    "retry_timeout": timedelta(seconds=20),
}
MAX_ATTEMPTS: Final = 3
"""The attempts to create an object without an answer, or that is refused and does not exist."""

NO_ANSWER: Final = "no answer in time"
NO_CONNECTION: Final = (
    "the host name is unknown",
    "no connection",
    "the connection broke",
    NO_ANSWER,
)
"""The causes that concern a host."""
OTHER_LOCATION: Final = "set `vod:journal` to another location"

# They concern checksums and speed of the engine's own requests.
IGNORED_S3: Final = {
    "awssdk",
    "rate_limiter_capacity",
    "request_checksum_calculation",
    "response_checksum_validation",
}

BOTO3_HINT: Final = (
    "install the extra: `pip install 'pulumi-vod-workflow[aws]'`\n"
    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
)

CREDENTIALS_HINTS: Final = {
    "s3": "set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, and AWS_SESSION_TOKEN if the key has one",
    "gs": (
        "set GOOGLE_CREDENTIALS to the key of a service account (JSON), or "
        "GOOGLE_OAUTH_ACCESS_TOKEN, or run `gcloud auth application-default login`; external "
        "accounts are not supported"
    ),
    "azblob": "set AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN, or run `az login`",
}
"""Scheme -> the credentials that work."""

TRUE: Final = {"1", "t", "T", "true", "True", "TRUE"}
"""The words of Go for true."""

AZURE_DOMAIN: Final = "blob.core.windows.net"
"""The domain of Azure's public cloud."""

AZURE_IDENTITIES: Final = (
    "AZURE_CLIENT_ID",
    "AZURE_FEDERATED_TOKEN_FILE",
    "IDENTITY_ENDPOINT",
    "MSI_ENDPOINT",
)
"""The variables of identities that come before `az login`."""

INVALID_CREDENTIALS: Final = {
    "AuthenticationFailed",
    "AuthenticationRequired",
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidToken",
    "NoAuthenticationInformation",
    "SignatureDoesNotMatch",
}
"""The codes of an answer to a key, a token or a signature that is wrong."""

# Without credentials in the environment, obstore looks for those of a virtual machine: at the first
# address for S3 and Azure, at the second for Google.
NO_CREDENTIALS: Final = (
    "//169.254.169.254/",
    "//metadata.google.internal/",
    "Unable to decode service account file",
    "Invalid Access Key",
)
"""The marks of an error about credentials that do not exist, or that obstore cannot read."""


class StoreUrlError(Exception):
    """An error of the URL or its credentials: the cause, and the remedy."""

    def __init__(self, why: str, remedy: str) -> None:
        self.remedy = remedy
        super().__init__(why)


@dataclass(frozen=True, slots=True)
class StoreLocation:
    """The parts of a URL."""

    scheme: str
    bucket: str
    prefix: str
    """The path below the bucket, without slashes at its ends."""
    parameters: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        path = f"/{self.prefix}" if self.prefix else ""
        return f"{self.scheme}://{self.bucket}{path}"


def parse_location(url: str) -> StoreLocation:
    """
    Return the parts of a URL. User and password have no effect, as in the engine's backend.

    Raises:
        StoreUrlError: when it is not the URL of an object store.

    """
    parts = urlsplit(without_user_info(url))
    if parts.scheme not in OBJECT_STORES or not parts.netloc:
        raise StoreUrlError(
            "the URL names no bucket", "set `vod:journal` to a URL such as `s3://bucket/path`"
        )
    parameters = dict(parse_qsl(parts.query, keep_blank_values=True))
    return StoreLocation(parts.scheme, parts.netloc, parts.path.strip("/"), parameters)


def open_store(
    location: StoreLocation, path: str = "", environ: Mapping[str, str] | None = None
) -> ObjectStore:
    """
    Return the store of a folder below a location; makes no request.

    Raises:
        StoreUrlError: when a parameter is unknown, or an option needs a missing library.

    """
    folder = "/".join(part for part in (location.prefix, path) if part)
    opener = {"s3": _open_s3, "gs": _open_gcs, "azblob": _open_azure}[location.scheme]
    environ = os.environ if environ is None else environ
    return opener(location, folder, _Parameters(location), environ)


class _Parameters:
    """The parameters of a URL, each read once; an unread one is unknown."""

    def __init__(self, location: StoreLocation) -> None:
        self._scheme = location.scheme
        self._rest = {**location.parameters}
        self._known: list[str] = []

    def text(self, *names: str) -> str:
        """Return the value of the first given name; empty without one."""
        self._known += names
        found = [value for name in names if (value := self._rest.pop(name, ""))]
        return found[0] if found else ""

    def flag(self, *names: str) -> bool:
        """
        Return whether a parameter is true.

        Raises:
            StoreUrlError: when the value is not a boolean of Go.

        """
        value = self.text(*names)
        if value in {"", "0", "f", "F", "false", "False", "FALSE"}:
            return False
        if value in TRUE:
            return True
        raise StoreUrlError(
            f"the URL's parameter `{names[0]}` is neither `true` nor `false`",
            f"correct `{names[0]}` in the URL",
        )

    def end(self) -> None:
        """
        Reject parameters that were not read.

        Raises:
            StoreUrlError: when there is one.

        """
        if self._rest:
            names = ", ".join(f"`{name}`" for name in sorted(self._rest))
            raise StoreUrlError(
                f"the {self._scheme}:// URL has unknown parameters: {names}",
                f"remove them from the URL; its parameters are {', '.join(sorted(self._known))}",
            )


def _open_s3(
    location: StoreLocation, folder: str, parameters: _Parameters, environ: Mapping[str, str]
) -> ObjectStore:
    from obstore.store import S3Store  # noqa: PLC0415 - of this store

    config = s3_config(location, parameters, environ)
    profile, role = parameters.text("profile"), parameters.text("role")
    parameters.text(*IGNORED_S3)
    parameters.end()
    provider = None
    if not config.get("skip_signature") and (profile or role or _needs_boto3(environ)):
        provider = _boto3_provider(profile, role)
        config = {**provider.config, **config}  # the URL's region comes before the profile's
    return _new_store(S3Store, location.bucket, folder, config, environ, provider=provider)


def s3_config(
    location: StoreLocation, parameters: _Parameters, environ: Mapping[str, str]
) -> dict[str, Any]:
    """Return the library's configuration for an S3 URL of gocloud.dev."""
    config: dict[str, Any] = {}
    if region := parameters.text("region"):
        config["region"] = region
    if parameters.flag("anonymous"):
        config["skip_signature"] = True
    if encryption := parameters.text("ssetype"):
        config["server_side_encryption"] = encryption
    if key := parameters.text("kmskeyid"):
        config["sse_kms_key_id"] = key
    plain_http = parameters.flag("disable_https", "disableSSL")
    path_style = parameters.flag("use_path_style", "s3ForcePathStyle")
    path_style |= parameters.flag("hostname_immutable")
    dualstack, fips = parameters.flag("dualstack"), parameters.flag("fips")
    endpoint = (
        parameters.text("endpoint")
        or environ.get("AWS_ENDPOINT_URL_S3", "")
        or environ.get("AWS_ENDPOINT_URL", "")
    )
    if parameters.flag("accelerate"):
        dual = ".dualstack" if dualstack else ""
        endpoint = f"s3-accelerate{dual}.amazonaws.com"
        path_style = False
    elif not endpoint and (dualstack or fips):
        name = region or environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION", "us-east-1")
        endpoint = f"s3{'-fips' if fips else ''}{'.dualstack' if dualstack else ''}.{name}"
        endpoint += ".amazonaws.com.cn" if name.startswith("cn-") else ".amazonaws.com"
    if endpoint:
        scheme = "http" if plain_http else "https"
        url = endpoint if "://" in endpoint else f"{scheme}://{endpoint}"
        virtual = not path_style and _fits_host_name(location.bucket, url)
        if virtual:
            # TOS refuses path style (journal-facts 1). The library wants the bucket in the host.
            url = url.replace("://", f"://{location.bucket}.", 1)
        config |= {"endpoint": url, "aws_endpoint_url_s3": url}
        config["virtual_hosted_style_request"] = virtual
    elif path_style:
        config["virtual_hosted_style_request"] = False
    return config


def _fits_host_name(bucket: str, endpoint: str) -> bool:
    """Return whether the AWS SDK puts a bucket's name into the host's name."""
    host = urlsplit(endpoint).hostname or ""
    try:
        ip_address(host)
    except ValueError:
        dots = "" if endpoint.startswith("https:") else "."  # no certificate covers two labels
        return re.fullmatch(rf"[a-z0-9][a-z0-9{dots}-]{{1,61}}[a-z0-9]", bucket) is not None
    return False


def _needs_boto3(environ: Mapping[str, str]) -> bool:
    """Return whether the credentials are in files of the AWS CLI, which obstore does not read."""
    if environ.get("AWS_ACCESS_KEY_ID") or environ.get("AWS_WEB_IDENTITY_TOKEN_FILE"):
        return False
    if any(name.startswith("AWS_CONTAINER_CREDENTIALS_") for name in environ):
        return False
    if environ.get("AWS_PROFILE"):
        return True
    home = Path(environ.get("HOME") or Path.home()) / ".aws"
    files = (
        Path(environ.get("AWS_SHARED_CREDENTIALS_FILE") or home / "credentials"),
        Path(environ.get("AWS_CONFIG_FILE") or home / "config"),
    )
    with suppress(OSError):  # an unreadable file has no credentials for the engine, either
        text = "".join(file.read_text(errors="replace") for file in files if file.exists())
        return (
            re.search(r"^\s*(aws_access_key_id|sso_|role_arn|credential_)", text, re.MULTILINE)
            is not None
        )
    return False


def _boto3_provider(profile: str, role: str) -> Any:
    try:
        import boto3  # noqa: PLC0415 - an extra
        from botocore.exceptions import BotoCoreError  # noqa: PLC0415
        from obstore.auth.boto3 import (  # noqa: PLC0415
            Boto3CredentialProvider,
            StsCredentialProvider,
        )
    except ImportError:
        raise StoreUrlError(
            "its credentials are a profile, a role or SSO of AWS, which need boto3", BOTO3_HINT
        ) from None
    try:
        session = boto3.Session(profile_name=profile or None)
        if role:
            return StsCredentialProvider(
                session, RoleArn=role, RoleSessionName="pulumi-vod-workflow"
            )
        return Boto3CredentialProvider(session)
    except (BotoCoreError, ValueError) as error:
        raise StoreUrlError(
            f"there are no usable AWS credentials ({error})", "check the AWS profile"
        ) from None


def _open_gcs(
    location: StoreLocation, folder: str, parameters: _Parameters, environ: Mapping[str, str]
) -> ObjectStore:
    from obstore.store import GCSStore  # noqa: PLC0415 - of this store

    is_anonymous = parameters.flag("anonymous") or location.parameters.get("access_id") == "-"
    # The engine uses the first two for signed URLs only, and ignores the third.
    parameters.text("access_id", "private_key_path", "universe_domain")
    parameters.end()
    config: dict[str, Any] = {}
    token = None
    if endpoint := environ.get("STORAGE_EMULATOR_HOST"):
        # The engine sends no credentials to an emulator.
        config["base_url"] = endpoint if "://" in endpoint else f"http://{endpoint}"
        is_anonymous = True
    # The engine's names for the content of a key's file and for a token, in the engine's order.
    elif content := environ.get("GOOGLE_CREDENTIALS"):
        config["service_account_key"] = content
    else:
        token = environ.get("GOOGLE_OAUTH_ACCESS_TOKEN") or None
    if is_anonymous:
        # The library looks for credentials before each write, in spite of this option.
        config["skip_signature"] = True
        token = ""
    provider = None if token is None else _TokenProvider(token)
    return _new_store(GCSStore, location.bucket, folder, config, environ, provider=provider)


class _TokenProvider:
    """Provides one token of Google for the whole process."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self) -> GCSCredential:
        return {"token": self._token, "expires_at": None}


def _open_azure(
    location: StoreLocation, folder: str, parameters: _Parameters, environ: Mapping[str, str]
) -> ObjectStore:
    from obstore.store import AzureStore  # noqa: PLC0415 - of this store

    config = azure_config(parameters, environ)
    parameters.end()
    return _new_store(AzureStore, location.bucket, folder, config, environ)


def azure_config(parameters: _Parameters, environ: Mapping[str, str]) -> dict[str, Any]:
    """
    Return the library's configuration for an Azure URL of gocloud.dev.

    Raises:
        StoreUrlError: when there is no name of a storage account.

    """
    connection = azure_connection(environ)
    account = parameters.text("storage_account") or azure_account(environ)
    if not account:
        raise StoreUrlError(
            "the URL names no storage account",
            "add `?storage_account=NAME` to the URL, or set AZURE_STORAGE_ACCOUNT",
        )
    domain = parameters.text("domain") or environ.get("AZURE_STORAGE_DOMAIN") or AZURE_DOMAIN
    protocol = (
        parameters.text("protocol")
        or environ.get("AZURE_STORAGE_PROTOCOL")
        or connection.get("DefaultEndpointsProtocol", "https")
    )
    is_local = parameters.flag("localemu") or domain.startswith(("127.0.0.1", "localhost"))
    is_local |= environ.get("AZURE_STORAGE_IS_LOCAL_EMULATOR") in TRUE
    is_cdn = parameters.flag("cdn") or environ.get("AZURE_STORAGE_IS_CDN") in TRUE
    host = domain if is_local or is_cdn else f"{account}.{domain}"
    address = f"{host}/{account}" if is_local else host
    config = {"account_name": account, "endpoint": f"{protocol}://{address}"}
    if key := environ.get("AZURE_STORAGE_KEY"):
        config["account_key"] = key
    elif token := environ.get("AZURE_STORAGE_SAS_TOKEN"):
        config["sas_key"] = token
    elif connection:
        suffix = connection.get("EndpointSuffix", "core.windows.net")
        config["endpoint"] = connection.get("BlobEndpoint", f"{protocol}://{account}.blob.{suffix}")
        for name, part in (("account_key", "AccountKey"), ("sas_key", "SharedAccessSignature")):
            if part in connection:
                config[name] = connection[part]
    elif _has_azure_login(environ):
        return {**config, "use_azure_cli": True}
    return config


def _has_azure_login(environ: Mapping[str, str]) -> bool:
    """Return whether the only credentials are those of `az login`; obstore needs an option then."""
    if any(environ.get(name) for name in AZURE_IDENTITIES):
        return False
    folder = Path(
        environ.get("AZURE_CONFIG_DIR") or Path(environ.get("HOME") or Path.home()) / ".azure"
    )
    # The file also exists after `az logout`, without a subscription. A virtual machine may have the
    # program and no login: there, obstore reads the machine's own identity.
    with suppress(OSError, ValueError):
        profile = json.loads((folder / "azureProfile.json").read_text("utf-8-sig"))
        return bool(profile.get("subscriptions")) and shutil.which("az") is not None
    return False


def _new_store(
    store: Callable[..., ObjectStore],
    bucket: str,
    folder: str,
    config: Mapping[str, Any],
    environ: Mapping[str, str],
    *,
    provider: Any = None,
) -> ObjectStore:
    """Return a store of the library. `provider` has credentials that `config` does not have."""
    endpoint = config.get("endpoint") or config.get("base_url", "")
    return store(
        bucket,
        prefix=folder or None,
        config=config,
        client_options=_client_options(endpoint, environ),
        retry_config=RETRIES,
        credential_provider=provider,
    )


def _client_options(endpoint: str, environ: Mapping[str, str]) -> ClientConfig:
    options: ClientConfig = {**CLIENT_OPTIONS, "allow_http": endpoint.startswith("http:")}
    # The AWS SDK of the engine adds the authorities of this file, too.
    if bundle := environ.get("AWS_CA_BUNDLE"):
        try:
            options["root_certificate"] = Path(bundle).read_bytes()
        except OSError as error:
            raise StoreUrlError(
                f"the file of AWS_CA_BUNDLE is not readable ({error.strerror})",
                "correct AWS_CA_BUNDLE",
            ) from None
    return options


def describe_failure(error: BaseException) -> str:
    """Return the cause of a request's failure, without URLs: they may carry a signature."""
    text = str(error)
    status = re.search(r"status code: (\d{3})", text)
    code = re.search(r"<Code>([A-Za-z0-9.]+)</Code>", text)
    if status or code:
        return " ".join([f"HTTP {status[1]}" if status else "", code[1] if code else ""]).strip()
    for mark, reason in (
        ("dns error", NO_CONNECTION[0]),
        ("kind: Timeout", NO_ANSWER),
        ("operation timed out", NO_ANSWER),
        ("kind: Connect", NO_CONNECTION[1]),
        ("error sending request", NO_CONNECTION[2]),
    ):
        if mark in text:
            return reason
    return type(error).__name__


def _are_credentials_unusable(text: str) -> bool:
    """Return whether a failure is due to credentials that are missing, invalid or unknown."""
    code = re.search(r"<Code>([A-Za-z0-9.]+)</Code>", text)
    if code:
        return code[1] in INVALID_CREDENTIALS
    return any(mark in text for mark in NO_CREDENTIALS)


def _is_bucket_missing(error: BaseException) -> bool:
    """Return whether the bucket does not exist, in the words of S3 and Google, or of Azure."""
    return re.search("<Code>(NoSuchBucket|ContainerNotFound)</Code>", str(error)) is not None


class AccessDeniedError(JournalError):
    """An error of rights: the credentials may not make the request."""


class NameRefusedError(JournalError):
    """An error of a name: the store refuses to create the object, which does not exist."""


class ObjectFolder:
    """
    A folder of an object store, whose objects are created and never overwritten.

    The first request opens the store. All methods block, and are callable from any thread.

    Args:
        url: the URL of all journals.
        path: the folder's path below the URL's path.

    """

    # journal-facts 4: the coroutines of obstore abort the interpreter at exit, 11 times of 60.
    # Its synchronous calls did so 0 times of 60.

    def __init__(self, url: str, path: str) -> None:
        self._url = url
        self._path = path
        self._is_conditional = True
        """Whether the store can create an object only if it does not exist."""

    @property
    def location(self) -> str:
        """The URL for messages, without credentials and parameters."""
        return shown_url(self._url).rstrip("/")

    @cached_property
    def _store(self) -> ObjectStore:
        return open_store(parse_location(self._url), self._path)

    def create(self, path: str, body: Any) -> Any:
        """
        Create an object of a JSON value, unless it exists.

        Returns:
            The value of the object: `body` itself if this call has created it.

        Raises:
            AccessDeniedError: when the credentials may not write.
            NameRefusedError: when the store refuses the name, and has no such object.
            JournalError: when the store is not writable.

        """
        for attempt in range(1, MAX_ATTEMPTS + 1):
            if self._put(path, body):
                return body
            existing = self.read(path)
            if existing is not None:
                return existing
            # A store may refuse each of two requests at the same time (HTTP 409), or another
            # operation has deleted its rejected claim.
            time.sleep(random.uniform(0, 0.05) * attempt)  # noqa: S311 - no secret
        raise NameRefusedError(self.location, f"the store refuses to create {path}")

    def create_first(self, path: str) -> bool:
        """
        Create an object twice, and learn whether the store creates it only once.

        Raises:
            AccessDeniedError: when the credentials may not write.
            JournalError: when the store is not writable.

        """
        # journal-facts 3: a store may ignore the condition or not implement it.
        try:
            self.create(path, [])
        except JournalError as error:
            if not error.why.endswith("NotImplemented)"):
                raise
            self._is_conditional = False
            self.create(path, [])
        return self._is_conditional and not self._put(path, [])

    def _put(self, path: str, body: Any) -> bool:
        """Create an object, and return whether it did not exist."""
        data = json.dumps(body, separators=(",", ":")).encode()
        mode: PutMode = "create" if self._is_conditional else "overwrite"
        with self._explained_errors():
            from obstore.exceptions import (  # noqa: PLC0415 - of this store
                AlreadyExistsError,
                PreconditionError,
            )

            try:
                self._repeated(lambda: self._store.put(path, data, mode=mode))
            except (AlreadyExistsError, PreconditionError):  # HTTP 409 and 412
                return False
        return True

    def read(self, path: str) -> Any:
        """
        Return the JSON value of an object; `None` if it does not exist.

        Raises:
            JournalError: when the store is not readable.

        """
        with self._explained_errors():
            try:
                return json.loads(bytes(self._store.get(path).bytes()))
            except FileNotFoundError as error:
                if _is_bucket_missing(error):
                    raise
                return None

    def modified_at(self, path: str) -> datetime:
        """
        Return the time of an object's creation, by the store's clock, in whole seconds.

        Raises:
            JournalError: when the store is not readable.

        """
        with self._explained_errors():
            return self._store.head(path)["last_modified"]

    def list(self, folder: str) -> list[str]:
        """
        Return the paths of all objects below a folder; a request for each 1,000.

        Raises:
            JournalError: when the store is not readable.

        """
        with self._explained_errors():
            found = self._store.list(folder).collect()
            return [each["path"] for each in found]

    def delete(self, paths: Sequence[str]) -> None:
        """
        Delete objects, if they exist; a request for each 1,000, at Google for each object.

        Raises:
            JournalError: when the store is not writable.

        """
        if not paths:
            return
        with self._explained_errors():
            try:
                self._store.delete(paths)
            except FileNotFoundError:
                # Google and Azure report an object that another process has deleted before. The
                # library then makes no further request.
                for path in paths:
                    with suppress(FileNotFoundError):
                        self._store.delete(path)

    def _repeated(self, request: Callable[[], object]) -> None:
        """Make a conditional request, which the library does not repeat after a timeout."""
        for attempt in range(1, MAX_ATTEMPTS + 1):
            try:
                request()
            except Exception as error:
                if attempt == MAX_ATTEMPTS or describe_failure(error) != NO_ANSWER:
                    raise
            else:
                return

    @contextmanager
    def _explained_errors(self) -> Iterator[None]:
        try:
            from obstore.exceptions import (  # noqa: PLC0415 - of this store
                BaseError,
                PermissionDeniedError,
                UnauthenticatedError,
            )
        except ImportError:
            raise JournalError(
                self.location,
                "the package obstore cannot be loaded",
                "install it again: `pip install --force-reinstall obstore`",
            ) from None

        try:
            yield
        except StoreUrlError as error:
            raise JournalError(self.location, str(error), error.remedy) from None
        except (BaseError, OSError, ValueError) as error:
            why = describe_failure(error)
            host = re.search(r"https?://([^/\s?)@]+)", str(error))
            if host and why in NO_CONNECTION:
                why += f": {host[1]}"
            scheme = self.location.partition(":")[0]
            if _are_credentials_unusable(str(error)):
                raise JournalError(
                    self.location,
                    f"the store gets no usable credentials ({why})",
                    f"{CREDENTIALS_HINTS.get(scheme, 'set the credentials')}\n{OTHER_LOCATION}",
                ) from None
            denied = isinstance(error, PermissionDeniedError | UnauthenticatedError)
            # The library gives a denied list request no class of its own.
            if denied or why.startswith(("HTTP 401", "HTTP 403")):
                raise AccessDeniedError(
                    self.location,
                    f"the store denies the access ({why})",
                    "allow the credentials of the backend to list, get, put and delete "
                    f"`{self.location}/*`\n{OTHER_LOCATION}",
                ) from None
            if _is_bucket_missing(error):
                raise JournalError(
                    self.location, "the bucket does not exist", f"create it\n{OTHER_LOCATION}"
                ) from None
            raise JournalError(
                self.location,
                f"the store is not usable ({why})",
                f"check the URL, the region and the network\n{OTHER_LOCATION}",
            ) from None
