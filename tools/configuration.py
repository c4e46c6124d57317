#!/usr/bin/env python3
"""Writes docs/configuration.md: what the code knows of each key, and what config/busbar.toml says of it.

  tools/configuration.py [--busbard FILE]           writes the reference
  tools/configuration.py --check [--busbard FILE]   says what differs, and exits with 1 if anything does
"""
import argparse
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
TOML = ROOT / "config/busbar.toml"
REFERENCE = ROOT / "docs/configuration.md"

HEAD = """# Configuration

<!-- Written by tools/configuration.py from the code and config/busbar.toml: change those, and run it. -->

`busbard --config FILE` reads a TOML file. A value in it overrides the default, the environment variable of its key overrides
the file, and a flag of busbard overrides both. Durations and sizes are text with a unit: `"500ms"`, `"30s"`, `"16MiB"`.

`busbar config check FILE` says what is wrong with a file, `busbar config show` what a host runs with and where that comes
from. `busbar config reload`, or SIGHUP, has a host read its file again: a key that is *live* takes effect at once, others
after a restart, of which it is told. Where anything in the file is wrong, nothing changes.
"""

TAIL = """
## [plugin.NAME]

The configuration of the plugin NAME, given to its `start`. Anything may be in it; dates and times arrive as text. It can be
set in the file only. What has changed takes effect when the plugin is loaded again: `busbar config reload`, then
`busbar reload NAME`.
"""


def explanations(text):
    """What the file says of each key, by "section.key", and of each section, by "[section]"."""
    section, lines, found = "", [], {}
    for line in text.splitlines():
        if match := re.match(r"\[([a-z_.]+)\]", line):
            section = match[1]
            found[f"[{section}]"] = " ".join(lines)
        if match := re.match(r"#([a-z][a-z_.\"]*) *=", line):
            found[f"{section}.{match[1]}"] = " ".join(lines)
        if line.startswith("# "):
            lines.append(line[2:].strip())
        else:
            lines = []
    return found


def known_keys(busbard):
    """What busbard knows: the keys, and the tables that may have any."""
    return json.loads(subprocess.run([busbard, "--describe-config"], check=True, capture_output=True, text=True).stdout)


def differences(known_of, texts):
    known = {f"{row['section']}.{row['key']}" for row in known_of["keys"]} | {f"[{row['table']}]" for row in known_of["tables"]}
    sections = {f"[{row['section']}]" for row in known_of["keys"]}
    for name in sorted(known - texts.keys()):
        if name.startswith("["):
            yield f"config/busbar.toml: {name} is missing: explain it above a line \"{name}\""
            continue
        section, key = name.rsplit(".", 1)
        yield f"config/busbar.toml: {name} is missing: explain it in [{section}], and write its default as \"#{key} = …\""
    for name in sorted(texts.keys() - known - sections):
        yield f"config/busbar.toml: {name} is explained, but busbard does not know it (host/config/keys.cpp)"
    for name in sorted(known & texts.keys()):
        if not texts[name]:
            yield f"config/busbar.toml: {name} has no explanation above it"


def crowded(text):
    """Sections that begin without an empty line before them."""
    lines = [""] + [line for line in text.splitlines() if not line.startswith("# ")]
    return [line for before, line in zip(lines, lines[1:]) if line.startswith("[") and before]


def table_of(row, texts):
    return (f"## [{row['table']}]\n\n{texts.get('[' + row['table'] + ']', '')}\n\n"
            f"| | |\n|---|---|\n| Each is | {row['expected'].replace('|', '&#124;')} |\n| Default | an empty table |\n"
            f"| Environment | none: in the file only |\n| Changes | {'live' if row['live'] else 'with a restart'} |\n")


def reference(known_of, texts):
    out, section = [HEAD], ""
    tables = {row["table"].split(".")[0]: row for row in known_of["tables"]}

    def end_section():
        if section in tables:
            out.append(table_of(tables[section], texts))

    for row in known_of["keys"]:
        if row["section"] != section:
            end_section()
            section = row["section"]
            out.append(f"## [{section}]\n")
        name = f"{section}.{row['key']}"
        out.append(f"### {name}\n")
        out.append(texts.get(name, row["description"]) + "\n")
        default = row["default"]
        is_value = re.match(r'^("|\d|\[|true|false)', default)
        out.append(f"| | |\n|---|---|\n| Is | {row['expected'].replace('|', '&#124;')} |\n"
                   f"| Default | {f'`{default}`' if is_value else default} |\n"
                   f"| Environment | `{row['environment']}` |\n"
                   f"| Changes | {'live' if row['live'] else 'with a restart'} |\n")
    end_section()
    return "\n".join(out) + TAIL


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--busbard", default=ROOT / "build/dev/bin/busbard")
    arguments = parser.parse_args()
    known_of, texts = known_keys(arguments.busbard), explanations(TOML.read_text())
    faults = list(differences(known_of, texts))
    faults += [f"config/busbar.toml: there is no empty line before {section}" for section in crowded(TOML.read_text())]
    wanted = reference(known_of, texts)
    if arguments.check:
        if not REFERENCE.exists() or REFERENCE.read_text() != wanted:
            faults.append("docs/configuration.md is not current: run tools/configuration.py, and look at what it has changed")
    elif not faults:
        REFERENCE.write_text(wanted)
    for fault in faults:
        print(f"tools/configuration.py: {fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
