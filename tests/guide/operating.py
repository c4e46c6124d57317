#!/usr/bin/env python3
"""What a host can show stands in the operators' guide: every alert, state of a plugin and of a node, system error, kind of badrpc.
What counts as a refused key is the same for the metric's help, the alert and the dashboard. Links between the documents lead somewhere, and so do the alerts' runbooks."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs/operating.md"
ALERTS = ROOT / "config/prometheus/alerts.yml"


def found(file, pattern, least):
    """What `pattern` finds in a source, which must be `least` things: else the source has changed, and not the guide."""
    names = re.findall(pattern, (ROOT / file).read_text(), flags=re.S)
    if len(names) < least:
        raise SystemExit(f"operating.py: found {len(names)} names in {file}, expected at least {least}: mend the pattern here")
    return names


def names():
    responses = "plugin-sdk/include/busbar/response.hpp"
    codes = found(responses, r"namespace code \{(.*?)\}", 1)[0] + found(responses, r"namespace badrpc \{(.*?)\}", 1)[0]
    yield "error", re.findall(r'= "(\w+)"', codes)
    failures = found("plugin-sdk/include/busbar/wire/admin.hpp", r'Response::Kind::\w+, "(\w+)"', 7)
    yield "response", [one for one in failures if one not in ("ok", "created", "error")]
    yield "plugin's state", found("host/plugins/plugin_row.cpp", r'case PluginState::\w+:\s*return "(\w+)";', 7)
    yield "node's state", found("registry/net/cluster.cpp", r'case NodeState::\w+:\s*return "(\w+)";', 5)
    yield "alert", re.findall(r"- alert: (\w+)", ALERTS.read_text()) if ALERTS.exists() else []


def anchors(file):
    heads = re.findall(r"^#+ (.*)$", file.read_text(), flags=re.M)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


def dead_links():
    for file in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", file.read_text(), flags=re.S)):
            if re.match(r"\w+:", target):
                continue
            path, _, anchor = target.partition("#")
            other = (file.parent / path).resolve() if path else file
            if not other.exists() or (anchor and anchor not in anchors(other)):
                yield f"{file.relative_to(ROOT)}: the link to {target} leads nowhere"


def refused_keys():
    """Where each of these says which reasons are refused keys."""
    places = {"host/metrics/peer_metrics.cpp": r'refused keys are "\s*"([^"]*)\."', "config/prometheus/busbar.json": r"Refused keys are ([^\"]*)\.",
              "config/prometheus/alerts.yml": r'reason=~"(\w*unlisted_key[^"]*)"'}
    said = {file: sorted(re.findall(r"[a-z]+_[a-z_]+", found(file, pattern, 1)[0])) for file, pattern in places.items()}
    for file, reasons in said.items():
        if reasons != said["config/prometheus/alerts.yml"]:
            yield f"{file} says other reasons for refused keys than config/prometheus/alerts.yml: {', '.join(reasons)}"


def main():
    guide = GUIDE.read_text()
    faults = [f"docs/operating.md does not tell of the {kind} {name}" for kind, all_of_it in names() for name in all_of_it
              if f"`{name}`" not in guide]
    heads = set(re.findall(r"^#+ (.*)$", guide, flags=re.M))
    for runbook in re.findall(r"runbook: .*“(.*)”", ALERTS.read_text()) if ALERTS.exists() else []:
        if runbook not in heads:
            faults.append(f"docs/operating.md has no section “{runbook}”, to which an alert of {ALERTS.relative_to(ROOT)} sends")
    faults += dead_links()
    faults += refused_keys()
    for fault in faults:
        print(f"operating.py: {fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
