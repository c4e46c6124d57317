"""Names by which others look: events, metrics with their labels, alerts."""
import json
import pathlib
import re
import urllib.request

import configuration
import host

ROOT = pathlib.Path(__file__).resolve().parents[2]
FILE = "names.json"
PROMISE = "dashboards, rules and scripts that were written for that version must go on working"


def events():
    text = (ROOT / "plugin-sdk/include/busbar/wire/event_names.hpp").read_text()
    return sorted(set(re.findall(r'"([a-z]+(?:_[a-z]+)+)"', text)))


def alerts():
    file = ROOT / "config/prometheus/alerts.yml"
    return sorted(re.findall(r"^ *- alert: (\w+)", file.read_text(), flags=re.M)) if file.exists() else []


def scrape(options):
    """What a host tells that has served a call, and had another one served by a second host."""
    def in_use(here):
        services = {row["name"] for row in here.ask("services")["services"]}
        others = [row for row in here.ask("nodes")["nodes"] if row["state"] == "up" and row["round_trip_us"]]
        return {"greet", "echo"} <= services and len(others) == 1

    settings = {"BUSBAR_HTTP__LISTEN": "127.0.0.1:0", "BUSBAR_REGISTRY__HEARTBEAT": "100ms"}
    with host.Host(options, [options.plugins / "greeter.so"], environment=settings) as here:
        status = here.ask("status")
        join = ["--join", status["cluster"]["registry_address"]]
        with host.Host(options, [options.plugins / "echo.so"], flags=join, node="golden-2"):
            if not host.eventually(lambda: in_use(here)):
                raise SystemExit("golden: the two hosts did not find each other")
            here.busbar(["call", "greet", '{"name": "Ada"}'])
            here.busbar(["call", "echo", "1"])
            address = status["http"]["address"].removeprefix("http://")
            with urllib.request.urlopen(f"http://{address}/metrics", timeout=host.PATIENCE_S) as answer:
                return answer.read().decode()


def metrics(options):
    """NAME -> {"type", "labels"}; nothing where hosts tell none."""
    if "http.listen" not in configuration.keys_of(configuration.effective(options)[0]):
        return {}
    text = scrape(options)
    found = {name: {"type": kind, "labels": []} for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", text, flags=re.M)}
    for sample, labels in re.findall(r"^(\w+)\{(.*)\} ", text, flags=re.M):
        name = sample if sample in found else re.sub(r"_(bucket|sum|count)$", "", sample)
        found[name]["labels"] = sorted(set(found[name]["labels"]) | set(re.findall(r"(\w+)=\"", labels)) - {"le"})
    return found


def names(options):
    return {"events": events(), "alerts": alerts(), "metrics": dict(sorted(metrics(options).items()))}


def write(folder, options):
    (folder / FILE).write_text(json.dumps(names(options), indent=1) + "\n")


def faults(folder, options):
    kept, now = json.loads((folder / FILE).read_text()), names(options)
    for kind in ("events", "alerts"):
        for name in kept[kind]:
            if name not in now[kind]:
                yield f"{kind}: {name} is gone: {PROMISE}"
    for name, row in kept["metrics"].items():
        found = now["metrics"].get(name)
        if found is None:
            yield f"metrics: {name} is gone: {PROMISE}"
        elif found["type"] != row["type"] or found["labels"] != row["labels"]:
            # A label more makes other series of the same name.
            yield f"metrics: {name} was {row}, is {found}: {PROMISE}"
