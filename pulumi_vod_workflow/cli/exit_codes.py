"""The exit codes of the commands."""

from __future__ import annotations

from typing import Final

EXIT_ATTENTION: Final = 1
"""A run failed (`runs --fail-on-failed`), or a start needs a decision or a wait (`recover`)."""
EXIT_UNUSABLE: Final = 2
"""The command cannot do its work: a mistyped option, an unreadable file or run."""
EXIT_LIMIT_EXCEEDED: Final = 3
"""The preview may start or cost more than `review --max-starts` or `--max-cost` allows."""
EXIT_CANCELLED: Final = 130
"""The user pressed Ctrl-C: 128 + SIGINT, as of a shell."""
