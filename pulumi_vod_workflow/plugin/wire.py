"""
Pulumi's wire format: protobuf's `Struct` <-> plain values, with unknown and secret values marked.

The format is that of the engine (sdk/go/common/resource/plugin/rpc.go). Marks of secrets leave the
values, because an operation works on plain values. `with_secrets` marks an answer again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from google.protobuf.struct_pb2 import Struct, Value

from pulumi_vod_workflow.core.property_marks import (
    OUTPUT_SIGNATURE,
    SECRET_SIGNATURE,
    SIGNATURE,
    UNKNOWN_TEXT,
)
from pulumi_vod_workflow.core.secrets import Secret
from pulumi_vod_workflow.core.values import UNKNOWN

UNKNOWN_TEXTS: Final = frozenset(
    {
        UNKNOWN_TEXT,
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",  # a flag
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",  # a number
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",  # a list
        "030794c1-ac77-496b-92df-f27374a8bd58",  # an asset
        "e48ece36-62e2-4504-bad9-02848725956a",  # an archive
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",  # an object
    }
)
"""The texts of unknown values, one for each type."""

SecretParts = Mapping[str | int, Any] | bool
"""True if the value is a secret as a whole, else the secret parts by key: each in this form."""


class Decoded(NamedTuple):
    """Properties without marks of secrets, and the marks."""

    values: dict[str, Any]
    secrets: Mapping[str | int, Any]


def decode(struct: Struct) -> Decoded:
    """Return the properties of a message, with `UNKNOWN` for unknown values."""
    values: dict[str, Any] = {}
    secrets: dict[str | int, Any] = {}
    for key, item in struct.fields.items():
        values[key], parts = _decode(item)
        if parts:
            secrets[key] = parts
    return Decoded(values, secrets)


def _decode(value: Value) -> tuple[Any, SecretParts]:
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        text = value.string_value
        return (UNKNOWN if text in UNKNOWN_TEXTS else text), False
    if kind == "number_value":
        number = value.number_value
        return (int(number) if number.is_integer() else number), False
    if kind == "bool_value":
        return value.bool_value, False
    if kind == "list_value":
        parts = [_decode(item) for item in value.list_value.values]
        return [item for item, _ in parts], {
            index: secret for index, (_, secret) in enumerate(parts) if secret
        }
    if kind == "struct_value":
        return _decode_object(value.struct_value)
    return None, False


def _decode_object(struct: Struct) -> tuple[Any, SecretParts]:
    fields = struct.fields
    signature = fields[SIGNATURE].string_value if SIGNATURE in fields else ""
    if signature == SECRET_SIGNATURE:
        return _decode(fields["value"])[0], True
    if signature == OUTPUT_SIGNATURE:
        known = "value" in fields
        value, parts = _decode(fields["value"]) if known else (UNKNOWN, False)
        is_secret = "secret" in fields and fields["secret"].bool_value
        return value, is_secret or parts
    return decode(struct)


def encode(properties: Mapping[str, Any]) -> Struct:
    """Return properties as a message, with the marks of unknown and secret values."""
    struct = Struct()
    struct.update(_encode(properties, is_secret=False))
    return struct


def _encode(value: Any, *, is_secret: bool) -> Any:
    if value is UNKNOWN:
        return UNKNOWN_TEXT
    if isinstance(value, Secret):
        inner = _encode(value.value, is_secret=True)
        # A secret within a secret has no mark of its own.
        return inner if is_secret else {SIGNATURE: SECRET_SIGNATURE, "value": inner}
    if isinstance(value, Mapping):
        return {key: _encode(item, is_secret=is_secret) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_encode(item, is_secret=is_secret) for item in value]
    return value


def with_secrets(properties: Mapping[str, Any], secrets: Mapping[str | int, Any]) -> dict[str, Any]:
    """
    Return properties with the parts marked that were secret in other properties.

    If a part has another place now, all of its property is marked.
    """
    return {
        key: _mark(value, secrets[key]) if key in secrets else value
        for key, value in properties.items()
    }


def _mark(value: Any, parts: SecretParts) -> Any:
    if isinstance(parts, Mapping):
        if isinstance(value, Mapping) and parts.keys() <= value.keys():
            return with_secrets(value, parts)
        if isinstance(value, list) and parts.keys() <= {*range(len(value))}:
            return [
                _mark(item, parts[index]) if index in parts else item
                for index, item in enumerate(value)
            ]
    return Secret(value)
