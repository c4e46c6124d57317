"""The envelopes of Busbar's call plane: how they are written and read (docs/protocol.md, section 2)."""

from __future__ import annotations

import io
from enum import IntEnum
from typing import Any, Mapping

import cbor2

MAJOR, MINOR = 1, 2  # the version of the protocol
MAX_DEPTH = 64  # how deep payloads may be nested


class Key(IntEnum):
    """The fields of envelopes (section 2) that a client writes or reads."""
    TYPE = 0
    MAJOR = 1
    ATTEMPT = 2
    SERVICE = 3
    MESSAGE_ID = 4
    INVOKED_AT_US = 6
    REMAINING_US = 7
    RAW_REQUEST = 8
    CORRELATION_ID = 9
    CAUSATION_ID = 10
    ASSIGNS = 11
    EVENTS = 15
    DRY_RUN = 16
    KIND = 17
    NAME = 18
    VERSION = 19
    VALUE = 20
    NODE = 21
    TEXT = 22
    DETAIL = 23
    MINOR = 24
    CLUSTER = 25
    MAX_MESSAGE = 28
    ONLY_NODE = 29
    AUTHORIZE_ONLY = 30
    TIMEOUT_MS = 36
    UNSTARTED = 37
    WARNING = 38
    BODY = 39
    STRATEGY = 40
    STICKY_KEY = 41


UNSIGNED_32, UNSIGNED_64, INTEGER_64 = range(2**32), range(2**64), range(-(2**63), 2**63)
# What those must be that a node may send. All else is passed over: a later version may have added it.
EXPECTED: dict[int, range | type] = {
    Key.TYPE: UNSIGNED_64, Key.MAJOR: UNSIGNED_32, Key.ATTEMPT: UNSIGNED_64, Key.ASSIGNS: bytes, Key.EVENTS: bytes,
    Key.KIND: range(2**8), Key.NAME: str, Key.VERSION: INTEGER_64, Key.VALUE: bytes, Key.NODE: str, Key.TEXT: str,
    Key.DETAIL: str, Key.MINOR: UNSIGNED_32, Key.CLUSTER: str, Key.MAX_MESSAGE: UNSIGNED_64,
    Key.TIMEOUT_MS: UNSIGNED_32, Key.UNSTARTED: bool, Key.WARNING: str, Key.BODY: bytes,
}
# Those that stay the same in every version of the protocol, so that the refusal of another version can be read.
IN_EVERY_VERSION = (Key.TYPE, Key.MAJOR, Key.ATTEMPT, Key.NAME, Key.TEXT)


class Type(IntEnum):
    """The types of envelopes (section 3), without those between nodes: a client passes over what it does not know."""
    HELLO = 1
    WELCOME = 2
    REFUSED = 3
    REQUEST = 4
    ANSWER = 5
    CANCEL = 7
    QUERY = 8
    DOCUMENT = 9


class BusbarError(Exception):
    """There is no answer: the node refused, is gone, was silent for too long, or said what cannot be read.

    `code` is the node's own where it refused ("cluster", "protocol", "overloaded" and others, sections 4 and 8); else
    "connection", "timeout", "malformed" or "too_large". An answer that is an error is no exception, but a Response.
    """

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text


def encode(envelope: Mapping[Key, Any]) -> bytes:
    """An envelope as it is sent: what is empty, zero or false is left out."""
    return cbor2.dumps({int(key): int(value) if isinstance(value, IntEnum) else value
                        for key, value in envelope.items() if value or key in (Key.TYPE, Key.MAJOR)})


def decode_envelope(stream: io.BytesIO) -> dict[int, Any]:
    """Reads the next envelope, and whether its fields are what they must be. Raises BusbarError."""
    envelope = _decode(stream)
    if type(envelope) is not dict or any(type(key) is not int for key in envelope):
        raise BusbarError("malformed", "an envelope is no map, or has a key that is no integer")
    known = EXPECTED if envelope.get(Key.MAJOR) == MAJOR else {key: EXPECTED[key] for key in IN_EVERY_VERSION}
    for key, expected in known.items():
        value = envelope.get(key)
        fits = type(value) is int and value in expected if isinstance(expected, range) else type(value) is expected
        if key in envelope and not fits:
            raise BusbarError("malformed", f"the field {Key(key).name.lower()} is of another type, or out of range")
    return envelope


def decode_payload(data: Any) -> Any:
    """Reads a payload: one CBOR item, of what JSON has, and byte strings. Raises BusbarError."""
    if type(data) is not bytes:
        raise BusbarError("malformed", "a payload is no byte string")
    stream = io.BytesIO(data)
    value = _decode(stream)
    if stream.tell() != len(data):
        raise BusbarError("malformed", "a payload has more than one item")
    _check_payload(value, MAX_DEPTH)
    return value


def _decode(stream: io.BytesIO) -> Any:
    try:
        return cbor2.load(stream)
    except Exception as error:  # the library has many: for what is no text, too short, too deep, too much for memory
        raise BusbarError("malformed", f"this is no CBOR: {error}") from error


def _check_payload(value: Any, depth: int) -> None:
    """Payloads have no tags; what the library makes of those (dates, sets, references to themselves) is refused."""
    if type(value) in (list, dict) and depth == 0:
        raise BusbarError("malformed", f"a payload is nested deeper than {MAX_DEPTH}")
    if type(value) is dict and all(type(key) is str for key in value):
        value = list(value.values())
    if type(value) is list:
        for item in value:
            _check_payload(item, depth - 1)
    elif type(value) not in (str, bytes, bool, int, float, type(None)):
        raise BusbarError("malformed", f"a payload has a {type(value).__name__}, or a key that is no text")
