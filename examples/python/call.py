"""Calls a service of a Busbar node, and prints the answer as JSON: an example of busbar_client.py.

With several requests all calls are under way at the same time, and a document is printed for each, in their order.
Exit status, as that of `busbar`: 0 ok, created, yes; 1 error; 2 usage, or no valid JSON; 3 service unavailable;
4 timeout; 5 validation_error, missing_id; 6 forbidden, not authorized; 7 no host answers. Of several answers, that of
the first one that did not succeed.
"""

from __future__ import annotations

import argparse
import base64
import json
import sys
from typing import Any, Iterator

from busbar_client import BusbarError, Client, DryRun, Keys, Kind, Request, Response, Strategy

STATUS_OF_KIND = {Kind.OK: 0, Kind.CREATED: 0, Kind.SERVICE_UNAVAILABLE: 3, Kind.SERVICE_TIMEOUT: 4,
                  Kind.VALIDATION_ERROR: 5, Kind.MISSING_ID: 5, Kind.ERROR: 1}
STATUS_OF_CODE = {"connection": 7, "timeout": 7, "keys": 2, "service_unavailable": 3, "service_timeout": 4, "forbidden": 6}


def status_of(response: Response) -> int:
    if response.kind == Kind.ERROR and response.name == "forbidden":
        return 6
    if response.kind == Kind.ERROR and (response.name, response.detail) == ("badrpc", "timeout"):
        return 4
    return STATUS_OF_KIND[response.kind]


def from_json(text: str) -> Any:
    """Reads JSON in which {"$bytes": BASE64} are bytes, as the command line of Busbar has it."""
    def bytes_or_map(value: dict[str, Any]) -> Any:
        return base64.b64decode(value["$bytes"], validate=True) if set(value) == {"$bytes"} else value
    try:
        return json.loads(text, object_hook=bytes_or_map)
    except (ValueError, TypeError, RecursionError) as error:
        raise argparse.ArgumentTypeError(f"no valid JSON: {error}") from error


def assign(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"expected KEY=JSON, found {text}")
    return key, from_json(value)


def show(document: Any) -> None:
    def base64_of(value: bytes) -> dict[str, str]:
        return {"$bytes": base64.b64encode(value).decode()}
    print(json.dumps(document, default=base64_of, ensure_ascii=False), flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address", metavar="ADDRESS", help="a node's call address, tcp://HOST:PORT or ipc://PATH")
    parser.add_argument("service", metavar="SERVICE")
    parser.add_argument("requests", metavar="JSON", nargs="*", type=from_json, help="a request; {} if there is none")
    parser.add_argument("--cluster", metavar="NAME", default="busbar", help="the cluster the node belongs to")
    parser.add_argument("--key", metavar="FILE", help="your private key, where the node asks for keys")
    parser.add_argument("--node-key", metavar="FILE", help="with --key: the node's public key")
    parser.add_argument("--timeout", metavar="MS", type=int, default=5000, help="what each call may take (5000)")
    parser.add_argument("--assign", metavar="KEY=JSON", type=assign, action="append", default=[])
    parser.add_argument("--node", metavar="NAME", default="", help="the node that must serve the call")
    parser.add_argument("--strategy", choices=["random", "least_pending"], help="how one of several nodes is picked")
    parser.add_argument("--sticky", metavar="KEY", default="", help="calls with the same key go to the same node")
    parser.add_argument("--dry-run", action="store_true", help="have the service do all but the effects")
    parser.add_argument("--verbose", action="store_true", help="with --dry-run: show the events")
    parser.add_argument("--authorize-only", action="store_true", help="ask only whether the call would be authorized")
    parser.add_argument("--discover", action="store_true", help="show who offers the service, and call nothing")
    found = parser.parse_intermixed_args()
    if not 1 <= found.timeout <= 86_400_000:
        parser.error("--timeout: 1 to 86400000")
    if (found.key is None) != (found.node_key is None):
        parser.error("--key and --node-key: both, or none")
    if found.strategy and found.sticky:
        parser.error("--strategy and --sticky: one of them")
    if found.verbose and not found.dry_run:
        parser.error("--verbose: only with --dry-run")
    return found


def request_of(found: argparse.Namespace, payload: Any) -> Request:
    strategy = Strategy.STICKY if found.sticky else Strategy[(found.strategy or "as_service_says").upper()]
    dry_run = DryRun.VERBOSE if found.verbose else DryRun.YES if found.dry_run else DryRun.NO
    return Request(found.service, payload, timeout=found.timeout / 1000, assigns=dict(found.assign),
                   dry_run=dry_run, only_node=found.node, strategy=strategy,
                   sticky_key=found.sticky)


def documents(client: Client, found: argparse.Namespace) -> Iterator[tuple[Any, int]]:
    """What to print, and the status that goes with it."""
    payloads = found.requests or [{}]
    if found.discover:
        providers = client.discover(found.service)
        yield {"providers": providers}, 0 if providers else 3
    elif found.authorize_only:
        for payload in payloads:
            yes = client.authorized(request_of(found, payload))
            yield {"authorized": yes}, 0 if yes else 6
    else:
        for attempt in client.start(*(request_of(found, payload) for payload in payloads)):
            response = client.wait(attempt)
            yield response.document(), status_of(response)


def main() -> int:
    found = arguments()
    status = 0
    try:
        keys = Keys.from_files(found.key, found.node_key) if found.key else None
        with Client(found.address, found.cluster, "" if keys else "call.py", keys) as client:
            for document, its_status in documents(client, found):
                show(document)
                status = status or its_status
    except BusbarError as error:
        show({"error": {"code": error.code, "text": error.text}})
        return status or STATUS_OF_CODE.get(error.code, 1)
    return status


if __name__ == "__main__":
    sys.exit(main())
