"""The marks of special values in Pulumi's messages, states and previews: public constants."""

from __future__ import annotations

from typing import Final

SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
"""The key that marks values of special kinds."""
SECRET_SIGNATURE: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a public constant
"""The value of that key for a secret."""
OUTPUT_SIGNATURE: Final = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
"""The value of that key for an output, which may be unknown or secret."""
UNKNOWN_TEXT: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""The text in place of an unknown value."""
