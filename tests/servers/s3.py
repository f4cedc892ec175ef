"""
A real S3 server on this machine: versitygw, which `tools/object_servers.py` builds.

`conftest.py` of a folder imports the fixture `s3`. Each process of pytest has its own server.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode
from uuid import uuid4

import pytest

from tests.servers.object_server import Server, running
from tests.servers.process import free_port, started
from tools.object_servers import S3

ROOT_KEY: Final = ("root", "root-secret-key")
READER_KEY: Final = ("reader", "reader-secret-key")
"""A user who may only read the buckets of `S3Server.bucket(reader=True)`."""
REGION: Final = "us-east-1"
VIRTUAL_DOMAIN: Final = "s3.test"
"""The domain below which each bucket is a host. A client reaches it by the server as a proxy."""


class S3Server(Server):
    """A running server of S3's object store."""

    program = S3

    def _start(self) -> subprocess.Popen[bytes]:
        for name in ("buckets", "versions", "users"):
            (self._folder / name).mkdir()
        self.port = free_port()
        access, secret = ROOT_KEY
        command = [
            str(self._executable),
            *("--port", f"127.0.0.1:{self.port}", "--access", access, "--secret", secret),
            *("--region", REGION, "--iam-dir", str(self._folder / "users")),
            *("--virtual-domain", VIRTUAL_DOMAIN, "--keep-alive", "--quiet", "posix"),
            *("--versioning-dir", str(self._folder / "versions")),
            str(self._folder / "buckets"),
        ]
        return started(command, self.port, self._folder)

    @property
    def endpoint(self) -> str:
        """The URL of the server."""
        return f"http://127.0.0.1:{self.port}"

    def url(self, bucket: str, path: str = "", *, endpoint: str = "") -> str:
        """Return the URL of a folder, as `pulumi login` and the journal take it."""
        query = {"region": REGION, "endpoint": endpoint or self.endpoint}
        return f"s3://{bucket}{path}?{urlencode({**query, 's3ForcePathStyle': 'true'})}"

    def environ(self, *, reader: bool = False) -> dict[str, str]:
        """Return the environment with the credentials of a user, also one who may only read."""
        key = READER_KEY if reader else ROOT_KEY
        return {"AWS_ACCESS_KEY_ID": key[0], "AWS_SECRET_ACCESS_KEY": key[1]}

    @cached_property
    def client(self) -> Any:
        """A client of the AWS SDK, for what only tests do."""
        import boto3

        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=ROOT_KEY[0],
            aws_secret_access_key=ROOT_KEY[1],
        )

    def bucket(self, *, versioned: bool = False, reader: bool = False) -> str:
        """
        Make a bucket and return its name.

        Args:
            versioned: whether it keeps deleted objects.
            reader: whether the user with `READER_KEY` may read it.

        """
        name = f"bucket-{uuid4().hex[:12]}"
        self.client.create_bucket(Bucket=name)
        if versioned:
            self.client.put_bucket_versioning(
                Bucket=name, VersioningConfiguration={"Status": "Enabled"}
            )
        if reader:
            self._make_reader()
            policy = {
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"AWS": [READER_KEY[0]]},
                        "Action": ["s3:GetObject", "s3:ListBucket"],
                        "Resource": [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"],
                    }
                ]
            }
            self.client.put_bucket_policy(Bucket=name, Policy=json.dumps(policy))
        return name

    def folder(self, bucket: str) -> Path:
        """Return the folder with a bucket's objects as files."""
        return self._folder / "buckets" / bucket

    def _make_reader(self) -> None:
        access, secret = ROOT_KEY
        options = ("--access", access, "--secret", secret, "--endpoint-url", self.endpoint)
        user = ("--access", READER_KEY[0], "--secret", READER_KEY[1], "--role", "user")
        subprocess.run(
            [self._executable, "admin", *options, "create-user", *user],
            check=False,  # it may exist
            capture_output=True,
        )

    def paths(self, bucket: str) -> list[str]:
        """Return the paths of all objects."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return [each["Key"] for page in pages for each in page.get("Contents", [])]


class HostStyleServer(S3Server):
    """A server whose clients put the bucket's name into the host's name, as TOS requires."""

    def url(self, bucket: str, path: str = "", *, endpoint: str = "") -> str:
        query = {"region": REGION, "endpoint": endpoint or f"http://{VIRTUAL_DOMAIN}"}
        return f"s3://{bucket}{path}?{urlencode(query)}"

    def environ(self, *, reader: bool = False) -> dict[str, str]:
        proxy = {"HTTP_PROXY": self.endpoint, "NO_PROXY": "127.0.0.1,localhost"}
        return {**super().environ(reader=reader), **proxy}


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A server for all tests of a process."""
    yield from running(S3Server, tmp_path_factory)


@pytest.fixture(scope="session")
def s3_hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A server whose buckets are hosts."""
    yield from running(HostStyleServer, tmp_path_factory)


def without_aws(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without settings of AWS."""
    return {name: value for name, value in environ.items() if not name.startswith("AWS_")}
