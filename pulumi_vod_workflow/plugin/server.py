"""The process of the packaged provider: its port, and its end."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import suppress
from typing import Final

import grpc.aio
from pulumi.runtime.proto.provider_pb2_grpc import add_ResourceProviderServicer_to_server

from pulumi_vod_workflow.hosting.engine_watch import watch_engine

# The engine's own limit (sdk/go/common/util/rpcutil). A batch of 10,000 items is a few megabytes.
MAX_MESSAGE_BYTES: Final = 400 * 1024 * 1024
OPTIONS: Final = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
)


async def serve(engine_address: str) -> None:
    """
    Serve the engine until it ends this process, or is gone.

    Args:
        engine_address: the address of the engine; empty for a process that engines attach to.

    """
    server = grpc.aio.server(options=OPTIONS)
    port = server.add_insecure_port("127.0.0.1:0")  # listens from now on
    sys.stdout.write(f"{port}\n")  # the engine reads it
    sys.stdout.flush()
    # The engine connects while these load, and its first call waits.
    from pulumi_vod_workflow.plugin.servicer import VodServicer  # noqa: PLC0415 - see above

    servicer = VodServicer(engine_address)
    add_ResourceProviderServicer_to_server(servicer, server)
    await server.start()
    end = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # on Windows
            loop.add_signal_handler(number, end.set)
    watch_engine(engine_address, lambda: loop.call_soon_threadsafe(end.set))
    await end.wait()
    # This cancels each call, which ends waits and retries. A start that already has its permit is
    # still sent, and the operation records its answer.
    await server.stop(None)
    await servicer.wait_for_operations()
