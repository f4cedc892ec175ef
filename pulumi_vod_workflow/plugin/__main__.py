"""The executable `pulumi-resource-vod`, which the engine starts."""

from __future__ import annotations

import asyncio
import sys


def main() -> None:
    """
    Serve the engine whose address is the last argument.

    Without an argument, show a port for `PULUMI_DEBUG_PROVIDERS=vod:PORT`, and serve the engines
    that attach to it, until Ctrl-C.
    """
    from pulumi_vod_workflow.plugin.server import serve  # noqa: PLC0415 - loads gRPC

    arguments = [text for text in sys.argv[1:] if not text.startswith("-")]
    asyncio.run(serve(arguments[-1] if arguments else ""))


if __name__ == "__main__":
    main()
