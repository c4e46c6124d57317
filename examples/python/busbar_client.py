"""A client of a Busbar node, with ZeroMQ, CBOR and nothing of Busbar's.

A client is no member of the cluster: it connects to the call address of one node, its entry node, which finds out who
serves each call. What is said between them stands in docs/protocol.md; the numbers of sections here are that page's.

    with Client("tcp://127.0.0.1:7100") as client:
        print(client.call("greet", {"name": "Ada"}).value)
"""

from __future__ import annotations

import io
import itertools
import math
import time
import tomllib
import uuid
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Any, Mapping

import cbor2
import zmq
import zmq.utils.monitor

from busbar_envelope import MAJOR, MINOR, BusbarError, Key, Type, decode_envelope, decode_payload, encode

MAX_MESSAGE = 64 << 20  # the largest frame that is taken, in bytes
CONNECT_TIMEOUT = 3.0  # seconds for the welcome, and for a frame to find room in the queue to the node
QUERY_TIMEOUT = 15.0  # a node that has just started, and asks others, takes this long
PATIENCE = 2.0  # how much longer than a call's time its answer is waited for


class Kind(IntEnum):
    """The kinds of responses (section 6)."""
    OK = 1
    CREATED = 2
    SERVICE_UNAVAILABLE = 3
    SERVICE_TIMEOUT = 4
    VALIDATION_ERROR = 5
    MISSING_ID = 6
    ERROR = 7


class DryRun(IntEnum):
    """Whether a service is to do all but the effects; VERBOSE brings the events back as well."""
    NO = 0
    YES = 1
    VERBOSE = 2


class Strategy(IntEnum):
    """How one of several nodes is picked (section 13)."""
    AS_SERVICE_SAYS = 0
    RANDOM = 1
    LEAST_PENDING = 2
    STICKY = 3


@dataclass(frozen=True)
class Request:
    """A call. What is left out is as the service and the node have it."""
    service: str
    payload: Any = field(default_factory=dict)
    timeout: float = 5.0  # seconds; always sent, for else only the node would know how long the service may take
    assigns: Mapping[str, Any] = field(default_factory=dict)
    dry_run: DryRun = DryRun.NO
    authorize_only: bool = False
    only_node: str = ""
    strategy: Strategy = Strategy.AS_SERVICE_SAYS
    sticky_key: str = ""
    message_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    correlation_id: str = ""
    causation_id: str = ""

    def envelope(self, attempt: int) -> dict[Key, Any]:
        return {
            Key.TYPE: Type.REQUEST, Key.MAJOR: MAJOR, Key.ATTEMPT: attempt, Key.SERVICE: self.service,
            Key.MESSAGE_ID: self.message_id, Key.INVOKED_AT_US: time.time_ns() // 1000,
            Key.REMAINING_US: max(1, int(self.timeout * 1e6)), Key.RAW_REQUEST: cbor2.dumps(self.payload),
            Key.CORRELATION_ID: self.correlation_id, Key.CAUSATION_ID: self.causation_id,
            Key.ASSIGNS: cbor2.dumps(dict(self.assigns)) if self.assigns else b"", Key.DRY_RUN: self.dry_run,
            Key.ONLY_NODE: self.only_node, Key.AUTHORIZE_ONLY: self.authorize_only, Key.STRATEGY: self.strategy,
            Key.STICKY_KEY: self.sticky_key,
        }


@dataclass(frozen=True)
class Response:
    """How a call ended. What `name` and `text` are depends on the kind: see section 6, or `document`."""
    kind: Kind
    node: str = ""  # who answered
    name: str = ""
    text: str = ""
    detail: str = ""  # of the error badrpc its kind, such as nodedown
    value: Any = None
    has_value: bool = False  # whether there is one at all, for None is one too
    version: int | None = None
    timeout_ms: int = 0
    assigns: Mapping[str, Any] = field(default_factory=dict)
    events: list[Any] = field(default_factory=list)
    unstarted: bool = False  # nothing was done, so it may be asked for again, of another node
    warning: str = ""

    @property
    def succeeded(self) -> bool:
        return self.kind in (Kind.OK, Kind.CREATED)

    @staticmethod
    def of(answer: Mapping[int, Any]) -> Response:
        """Reads an answer. Raises BusbarError where a payload in it cannot be read."""
        node = answer.get(Key.NODE, "")
        if answer.get(Key.KIND, 0) not in list(Kind):
            return Response(Kind.ERROR, node, "badrpc", "this kind of response is not known", "bad_return")
        value = answer.get(Key.VALUE, b"")
        assigns = decode_payload(answer[Key.ASSIGNS]) if answer.get(Key.ASSIGNS) else {}
        events = decode_payload(answer[Key.EVENTS]) if answer.get(Key.EVENTS) else []
        if type(assigns) is not dict or type(events) is not list:
            raise BusbarError("malformed", "the assigns are no map, or the events no array")
        return Response(
            Kind(answer[Key.KIND]), node, answer.get(Key.NAME, ""), answer.get(Key.TEXT, ""),
            answer.get(Key.DETAIL, ""), decode_payload(value) if value else None, has_value=bool(value),
            version=answer.get(Key.VERSION), timeout_ms=answer.get(Key.TIMEOUT_MS, 0), assigns=assigns, events=events,
            unstarted=answer.get(Key.UNSTARTED, False), warning=answer.get(Key.WARNING, ""))

    def document(self) -> dict[str, Any]:
        """The response with a name for each field, as `busbar call --json` has them."""
        names = {Kind.CREATED: "id", Kind.SERVICE_UNAVAILABLE: "service", Kind.SERVICE_TIMEOUT: "service",
                 Kind.MISSING_ID: "field", Kind.ERROR: "code"}
        out: dict[str, Any] = {"response": self.kind.name.lower(), "node": self.node}
        if self.kind in names:
            out[names[self.kind]] = self.name
        if self.kind == Kind.SERVICE_TIMEOUT:
            out |= {"message_id": self.text, "timeout_ms": self.timeout_ms}
        elif self.text:
            out["text"] = self.text
        if self.detail:
            out["kind" if self.name == "badrpc" else "reason"] = self.detail
        if self.has_value:
            nodes = (self.kind, self.name) == (Kind.ERROR, "no_nodes_available")
            out["details" if self.kind == Kind.VALIDATION_ERROR else "nodes" if nodes else "value"] = self.value
        if self.version is not None:
            out["version"] = self.version
        applying = {"assigns": self.assigns, "events": self.events, "warning": self.warning}
        return out | {name: value for name, value in applying.items() if value}


@dataclass(frozen=True)
class Keys:
    """What a node that asks for keys is asked with: Z85 text, as the files of `busbar keygen` have it (section 1)."""
    public: str
    private: str = field(repr=False)
    node: str  # the node's public key

    @staticmethod
    def from_files(private_file: str, node_file: str) -> Keys:
        """Raises BusbarError where a file cannot be read, or has no key in it."""
        own, node = Keys._read(private_file), Keys._read(node_file)
        try:
            return Keys(own["public"], own["private"], node["public"])
        except KeyError as missing:
            raise BusbarError("keys", f"there is no {missing} in {private_file} or {node_file}") from missing

    @staticmethod
    def _read(path: str) -> dict[str, str]:
        try:
            with open(path, "rb") as file:
                return tomllib.load(file)
        except (OSError, ValueError) as error:
            raise BusbarError("keys", f"could not read {path}: {error}") from error


class Client:
    """One connection to one node; for one thread.

    After a BusbarError about the connection each further use raises that error again: close the client, and make
    another. Whether calls that were under way were handled is not known then. Do not repeat them, unless their service
    is idempotent.
    """

    def __init__(self, address: str, cluster: str = "busbar", name: str = "", keys: Keys | None = None) -> None:
        """Connects and waits for the welcome. `name` is for the node's logs; with keys it is theirs. Raises BusbarError."""
        self._attempts = itertools.count(1)
        self._waiting: dict[int, tuple[Type, float]] = {}  # what is expected of each attempt, and until when
        self._arrived: dict[int, dict[int, Any]] = {}
        self._welcome: dict[int, Any] | None = None
        self._failure: BusbarError | None = None
        self._address = address
        self._keys = keys
        self._context = zmq.Context()
        try:
            self._connect()
            self._send([encode({Key.TYPE: Type.HELLO, Key.MAJOR: MAJOR, Key.NODE: name, Key.MINOR: MINOR,
                                Key.CLUSTER: cluster, Key.MAX_MESSAGE: MAX_MESSAGE})])
            self._greet(cluster)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Ends the connection, which cancels what is under way on it."""
        if self._failure is None:
            self._failure = BusbarError("connection", "this client was closed")
        self._context.destroy(linger=0)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- calls

    def call(self, service: str, payload: Any = None, **options: Any) -> Response:
        """Calls a service and waits. `options` are the other members of Request."""
        return self.wait(self.start(Request(service, {} if payload is None else payload, **options))[0])

    def start(self, *requests: Request) -> list[int]:
        """Sends calls, many in one frame, and gives their attempts, without waiting for answers."""
        attempts = list(itertools.islice(self._attempts, len(requests)))
        self._send([encode(request.envelope(attempt)) for attempt, request in zip(attempts, requests)])
        for attempt, request in zip(attempts, requests):
            self._waiting[attempt] = (Type.ANSWER, time.monotonic() + request.timeout + PATIENCE)
        return attempts

    def wait(self, attempt: int) -> Response:
        """Waits for an answer; others that come meanwhile are kept. Raises BusbarError where none comes in time."""
        return Response.of(self._wait(attempt))

    def cancel(self, attempt: int) -> None:
        """Tells that nobody waits any more. What is answered all the same is dropped."""
        self._arrived.pop(attempt, None)
        if self._waiting.pop(attempt, None) is not None:
            self._send([encode({Key.TYPE: Type.CANCEL, Key.MAJOR: MAJOR, Key.ATTEMPT: attempt})])

    def authorized(self, request: Request) -> bool:
        """Asks whether a call would be authorized. Raises BusbarError where nobody could say."""
        response = self.wait(self.start(replace(request, authorize_only=True))[0])
        unsaid = (Kind.SERVICE_UNAVAILABLE, Kind.SERVICE_TIMEOUT)
        if response.kind in unsaid or response.kind == Kind.ERROR and response.name in (
                "badrpc", "overloaded", "malformed", "no_nodes_available"):
            code = response.name if response.kind == Kind.ERROR else response.kind.name.lower()
            raise BusbarError(code, response.text or f"nobody could say whether {request.service} may be called")
        return response.succeeded

    # -- questions about the node and its cluster (section 8)

    def discover(self, service: str) -> list[dict[str, Any]]:
        """Who offers a service: maps of `node`, which is "local" for the entry node, and `router`."""
        return self._rows(self.query("discover", service=service), "providers")

    def services(self) -> list[dict[str, Any]]:
        return self._rows(self.query("services"), "services")

    def nodes(self) -> list[dict[str, Any]]:
        return self._rows(self.query("nodes"), "nodes")

    def describe(self, service: str) -> dict[str, Any]:
        """All of a service: its time-out, the JSON Schemas of request and response, an example, its nodes."""
        return self.query("describe", service=service)

    def query(self, verb: str, **fields: Any) -> dict[str, Any]:
        """Asks the node itself. Raises BusbarError, also where the node answers with an error."""
        attempt = next(self._attempts)
        body = cbor2.dumps({"protocol": 1, "seq": attempt, "verb": verb, **fields})
        self._send([encode({Key.TYPE: Type.QUERY, Key.MAJOR: MAJOR, Key.ATTEMPT: attempt, Key.BODY: body})])
        limit = max(QUERY_TIMEOUT, fields.get("timeout_ms", 0) / 1000 + 10)
        self._waiting[attempt] = (Type.DOCUMENT, time.monotonic() + limit)
        answer = decode_payload(self._wait(attempt).get(Key.BODY, b""))
        error = answer.get("error") if type(answer) is dict else None
        if type(error) is dict and type(error.get("code")) is str:
            raise BusbarError(error["code"], str(error.get("text", "")))
        document = decode_payload(answer.get("document")) if type(answer) is dict else None
        if type(document) is not dict:
            raise BusbarError("malformed", f"the answer to the query {verb} is no document")
        return document

    @staticmethod
    def _rows(document: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
        rows = document.get(name)
        if type(rows) is not list:
            raise BusbarError("malformed", f"the document has no {name}")
        return rows

    # -- the connection

    def _connect(self) -> None:
        self._socket = self._context.socket(zmq.DEALER)
        for option, value in ((zmq.LINGER, 0), (zmq.RECONNECT_IVL, 2**31 - 1), (zmq.HEARTBEAT_IVL, 1000),
                              (zmq.MAXMSGSIZE, MAX_MESSAGE), (zmq.SNDTIMEO, int(CONNECT_TIMEOUT * 1000))):
            self._socket.setsockopt(option, value)
        try:
            if self._keys is not None:
                self._socket.setsockopt_string(zmq.CURVE_SECRETKEY, self._keys.private)
                self._socket.setsockopt_string(zmq.CURVE_PUBLICKEY, self._keys.public)
                self._socket.setsockopt_string(zmq.CURVE_SERVERKEY, self._keys.node)
        except (zmq.ZMQError, TypeError, ValueError) as error:
            raise BusbarError("keys", f"what was given is no key: {error}") from error
        # Its first event is the end of the connection, also of one that was never made.
        self._ends = self._socket.get_monitor_socket(
            zmq.EVENT_DISCONNECTED | zmq.EVENT_CLOSED | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
            | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_AUTH)
        self._poller = zmq.Poller()
        self._poller.register(self._socket, zmq.POLLIN)
        self._poller.register(self._ends, zmq.POLLIN)
        try:
            self._socket.connect(self._address)
        except zmq.ZMQError as error:
            raise BusbarError("connection", f"{self._address} is no address to connect to: {error}") from error

    def _greet(self, cluster: str) -> None:
        deadline = time.monotonic() + CONNECT_TIMEOUT
        while self._welcome is None:
            if not self._read(deadline) or time.monotonic() > deadline:
                raise self._fail("timeout", f"{self._address} has not answered the hello: is it a node's call address?")
        self.node: str = self._welcome.get(Key.NODE, "")
        self.minor: int = self._welcome.get(Key.MINOR, 0)
        self.max_message: int = self._welcome.get(Key.MAX_MESSAGE, 0)
        found = self._welcome.get(Key.CLUSTER, "")
        if found != cluster:
            raise self._fail("cluster", f"{self._address} is of cluster '{found}', not of '{cluster}'")
        if self.max_message < 1024:
            raise self._fail("protocol", f"{self._address} takes no more than {self.max_message} bytes at once")

    def _send(self, envelopes: list[bytes]) -> None:
        """Sends them, as many in one frame as the node takes."""
        self._raise_failure()
        limit = MAX_MESSAGE if self._welcome is None else self.max_message
        frames: list[list[bytes]] = []
        room = 0
        for envelope in envelopes:
            if len(envelope) > limit:
                raise BusbarError("too_large", f"an envelope has {len(envelope)} bytes, and the node takes {limit}")
            if not frames or len(envelope) > room:
                frames.append([])
                room = limit
            frames[-1].append(envelope)
            room -= len(envelope)
        try:
            for frame in frames:
                self._socket.send(b"".join(frame))
        except zmq.Again:
            raise self._fail("connection", f"{self._address} reads nothing any more") from None

    def _wait(self, attempt: int) -> dict[int, Any]:
        """What has come, or comes, for an attempt."""
        if attempt not in self._waiting:
            raise ValueError(f"attempt {attempt} is not under way")
        deadline = self._waiting[attempt][1]
        while attempt not in self._arrived:
            # What lies there already is read also after the deadline, but not for ever: more may come all the time.
            if not self._read(deadline) or time.monotonic() > deadline + PATIENCE:
                self.cancel(attempt)
                raise BusbarError("timeout", f"{self._address} has not answered in time")
        del self._waiting[attempt]
        envelope = self._arrived.pop(attempt)
        if envelope[Key.TYPE] == Type.REFUSED:
            raise BusbarError(envelope.get(Key.NAME, ""), envelope.get(Key.TEXT, ""))
        return envelope

    def _read(self, deadline: float) -> bool:
        """Takes in one frame. False where none has come by then; raises BusbarError when the connection has ended."""
        self._raise_failure()
        left = max(0.0, deadline - time.monotonic())
        ready = dict(self._poller.poll(math.ceil(left * 1000)))
        if not ready:
            return False
        # An answer may have come just before the end, so the socket is asked once more.
        if self._socket not in ready and not self._socket.poll(0):
            if self._welcome is None:
                raise self._fail("connection", self._why_no_connection())
            raise self._fail("connection",
                             f"the connection to {self._address} has ended, and with it what was under way")
        self._take(self._socket.recv_multipart())
        return True

    def _why_no_connection(self) -> str:
        event = zmq.utils.monitor.recv_monitor_message(self._ends, zmq.NOBLOCK)
        if event["event"] == zmq.EVENT_CLOSED:
            return f"nobody listens at {self._address}"
        if event["event"] == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
            return f"the node at {self._address} does not list this public key"
        if self._keys is not None:
            return f"who listens at {self._address} is no node with that key, or asks for none"
        return f"who listens at {self._address} speaks no ZeroMQ, or asks for keys"

    def _take(self, frames: list[bytes]) -> None:
        """Takes every envelope of a frame, in their order. What stands before something malformed holds."""
        if len(frames) != 1 or not frames[0]:
            self._fail("malformed", f"{self._address} has sent a message of {len(frames)} frames, or an empty one")
            return
        stream = io.BytesIO(frames[0])
        while stream.tell() < len(frames[0]) and self._failure is None:
            try:
                self._accept(decode_envelope(stream))
            except BusbarError as error:
                self._fail("malformed", f"{self._address} has sent what cannot be read: {error.text}")

    def _accept(self, envelope: dict[int, Any]) -> None:
        kind, attempt = envelope.get(Key.TYPE, 0), envelope.get(Key.ATTEMPT, 0)
        if kind == Type.REFUSED and attempt == 0:
            self._fail(envelope.get(Key.NAME, ""), envelope.get(Key.TEXT, ""))
        elif envelope.get(Key.MAJOR, 0) != MAJOR:
            self._fail("protocol", f"{self._address} speaks version {envelope.get(Key.MAJOR, 0)} of the protocol")
        elif kind == Type.WELCOME and self._welcome is None:
            self._welcome = envelope
        elif attempt in self._waiting and kind in (self._waiting[attempt][0], Type.REFUSED):
            self._arrived[attempt] = envelope
        # Everything else is late, or of a later version.

    def _fail(self, code: str, text: str) -> BusbarError:
        """The connection is of no use any more: each further use raises this."""
        self._failure = BusbarError(code, text)
        return self._failure

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise BusbarError(self._failure.code, self._failure.text)
