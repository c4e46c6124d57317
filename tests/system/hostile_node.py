"""What the Python client of examples/python does when a node says what no node should: it raises BusbarError, and soon.

hostile_node.py DIRECTORY: the directory of the client.
"""

import sys
import threading
import time

import cbor2
import zmq

sys.path.insert(0, sys.argv[1])
import busbar_client  # noqa: E402
from busbar_client import BusbarError, Client, Kind, Request  # noqa: E402

busbar_client.PATIENCE = 0.1

WELCOME = {0: 2, 1: 1, 21: "n1", 24: 2, 25: "busbar", 26: 7, 27: 1, 28: 1 << 20}
OK = {0: 5, 1: 1, 2: 1, 11: b"", 17: 1, 21: "n1"}


def frame(*envelopes):
    return b"".join(cbor2.dumps(envelope) for envelope in envelopes)


class HostileNode:
    """A ROUTER that answers the first frame with `first`, and the second one with `second`: lists of messages."""

    def __init__(self, first, second=()):
        self.context = zmq.Context()
        self.router = self.context.socket(zmq.ROUTER)
        self.router.linger = 0
        self.address = f"tcp://127.0.0.1:{self.router.bind_to_random_port('tcp://127.0.0.1')}"
        self.ended = False
        self.thread = threading.Thread(target=self.serve, args=(first, second))
        self.thread.start()

    def serve(self, *answers):
        answers = list(answers)
        while not self.ended:
            if not self.router.poll(10):
                continue
            sender = self.router.recv_multipart()[0]
            for message in answers.pop(0) if answers else ():
                self.router.send_multipart([sender, *(message if isinstance(message, list) else [message])])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ended = True
        self.thread.join()
        self.context.destroy(linger=0)


def call(client):
    return client.call("greet", {"name": "Ada"}, timeout=20.0)


def call_in_vain(client):
    return client.call("greet", {"name": "Ada"}, timeout=0.2)


def query(client):
    return client.nodes()


def outcome(first, second, act):
    """The code of the error, or what came back, and how long it took."""
    with HostileNode(first, second) as node:
        begin = time.monotonic()
        try:
            with Client(node.address) as client:
                return act(client), time.monotonic() - begin
        except BusbarError as error:
            return error.code, time.monotonic() - begin


def document(body):
    return [frame({0: 9, 1: 1, 2: 1, 39: body})]


def payload(data):
    return [frame({**OK, 20: data})]


WELCOMES = {
    "silence": ([], "timeout"),
    "an empty frame": ([b""], "malformed"),
    "two frames": ([[b"", frame(WELCOME)]], "malformed"),
    "no CBOR": ([b"\xff\xff"], "malformed"),
    "no map": ([frame([1, 2])], "malformed"),
    "a map that ends too soon": ([frame(WELCOME)[:-1]], "malformed"),
    "a length beyond all memory": ([b"\xa1\x00\x5b\x7f" + b"\xff" * 7], "malformed"),
    "an array beyond all memory": ([b"\xa1\x18\x63\x9b\x40" + b"\x00" * 7], "malformed"),
    "a map without an end": ([b"\xbf\x00\x02"], "malformed"),
    "a text that is not UTF-8": ([b"\xa3\x00\x02\x01\x01\x15\x61\xff"], "malformed"),
    "nested without an end": ([b"\xa1\x18\x63" + b"\x81" * 100_000], "malformed"),
    "a key that is a text": ([frame({**WELCOME, "x": 1})], "malformed"),
    "a cluster that is a number": ([frame({**WELCOME, 25: 1})], "malformed"),
    "a number that is a boolean": ([frame({**WELCOME, 24: True})], "malformed"),
    "a number that is too large": ([frame({**WELCOME, 24: 2**32})], "malformed"),
    "a negative number": ([frame({**WELCOME, 28: -1})], "malformed"),
    "another cluster": ([frame({**WELCOME, 25: "other"})], "cluster"),
    "another major version": ([frame({**WELCOME, 1: 2})], "protocol"),
    "no major version": ([frame({0: 2})], "protocol"),
    "a small max_message": ([frame({**WELCOME, 28: 100})], "protocol"),
    "refused": ([frame({0: 3, 1: 1, 18: "protocol", 22: "no"})], "protocol"),
    "refused by another version": ([frame({0: 3, 1: 9, 18: "protocol", 22: "no", 24: "x"})], "protocol"),
    "refused for a reason of later": ([frame({0: 3, 1: 1, 18: "moon", 22: "no"})], "moon"),
}

ANSWERS = {
    "silence": ([], call_in_vain, "timeout"),
    "an answer to something else": ([frame({**OK, 2: 99})], call_in_vain, "timeout"),
    "a document for a call": (document(b"\xa0"), call_in_vain, "timeout"),
    "malformed": ([b"\xff"], call, "malformed"),
    "refused": ([frame({0: 3, 1: 1, 2: 1, 18: "overloaded", 22: "much"})], call, "overloaded"),
    "a kind that is a text": ([frame({**OK, 17: "ok"})], call, "malformed"),
    "a value that is no CBOR": (payload(b"\xff"), call, "malformed"),
    "a value that is two": (payload(b"\x01\x02"), call, "malformed"),
    "a value that is deep": (payload(b"\x81" * 65 + b"\x01"), call, "malformed"),
    "a value that is very deep": (payload(b"\x81" * 100_000), call, "malformed"),
    "a value that has itself in it": (payload(b"\xd8\x1c\x81\xd8\x1d\x00"), call, "malformed"),
    "a value with keys that are numbers": (payload(b"\xa1\x01\x01"), call, "malformed"),
    "a value that is a date": (payload(b"\xc1\x00"), call, "malformed"),
    "assigns that are no map": ([frame({**OK, 11: b"\x01"})], call, "malformed"),
    "events that are no array": ([frame({**OK, 15: b"\x01"})], call, "malformed"),
    "an absent body": ([frame({0: 9, 1: 1, 2: 1})], query, "malformed"),
    "a body that is an array": (document(b"\x80"), query, "malformed"),
    "a body without a document": (document(b"\xa0"), query, "malformed"),
    "a document that is no map": (document(cbor2.dumps({"document": b"\x01"})), query, "malformed"),
    "a document without rows": (document(cbor2.dumps({"document": b"\xa0"})), query, "malformed"),
    "an error": (document(cbor2.dumps({"error": {"code": "internal", "text": "no"}})), query, "internal"),
    "an error without words": (document(cbor2.dumps({"error": {}})), query, "malformed"),
}


def check_good_answers():
    later = {**OK, 99: {"x": [1]}}
    unknown = {0: 77, 1: 1, 2: 1}
    for second in ([frame(later)], [frame(unknown, {**OK, 2: 5}, OK)], [frame(unknown)] * 50 + [frame(OK)]):
        response, _ = outcome([frame(WELCOME)], second, call)
        assert response.kind == Kind.OK and not response.has_value, response
    response, _ = outcome([frame(WELCOME)], [frame({**OK, 17: 200})], call)
    assert (response.name, response.detail) == ("badrpc", "bad_return"), response
    deepest, _ = outcome([frame(WELCOME)], payload(b"\x81" * 64 + b"\x01"), call)
    assert deepest.has_value
    # What stood before the malformed rest is served.
    both, _ = outcome([frame(WELCOME)], [frame(OK) + b"\xff"], call)
    assert both.kind == Kind.OK, both


def check_answers_in_another_order():
    a, b, c = ({**OK, 2: attempt, 20: cbor2.dumps(attempt)} for attempt in (1, 2, 3))

    def three(client):
        return [client.wait(attempt).value for attempt in client.start(*[Request("greet", timeout=20.0)] * 3)]
    values, _ = outcome([frame(WELCOME)], [frame(c, a), frame(b)], three)
    assert values == [1, 2, 3], values


def check_late_answers():
    def cancelled(client):
        attempt = client.start(Request("greet"))[0]
        client.cancel(attempt)  # the answer to it comes now, and is nobody's
        return call_in_vain(client)
    code, _ = outcome([frame(WELCOME)], [frame(OK)], cancelled)
    assert code == "timeout", code


def check_too_large():
    code, _ = outcome([frame({**WELCOME, 28: 2000})], [], lambda client: client.call("greet", "x" * 2000))
    assert code == "too_large", code


def main():
    for name, (first, expected) in WELCOMES.items():
        found, seconds = outcome(first, (), call)
        assert found == expected and seconds < 15, f"welcome, {name}: {found} after {seconds:.1f} s"
    for name, (second, act, expected) in ANSWERS.items():
        found, seconds = outcome([frame(WELCOME)], second, act)
        assert found == expected and seconds < 15, f"answer, {name}: {found} after {seconds:.1f} s"
    check_good_answers()
    check_answers_in_another_order()
    check_late_answers()
    check_too_large()
    print(f"{len(WELCOMES)} welcomes and {len(ANSWERS)} answers that no node gives were told in words")


if __name__ == "__main__":
    main()
