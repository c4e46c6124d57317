#!/usr/bin/env python3
"""What a version keeps for the next (docs/compatibility.md), as files: written once for each release, and read with the
code of every later one. Additions pass; what has changed or is gone fails, with the promise that it breaks.

  golden.py write VERSION …     writes tests/golden/VERSION, whole
  golden.py check PART …        reads PART of every version that is kept

tools/golden.sh says the rest of the command line.
"""
import argparse
import pathlib
import shutil
import sys

import abi
import command_line
import configuration
import names
import state
import wire

HERE = pathlib.Path(__file__).resolve().parent
PARTS = {"abi": abi, "wire": wire, "configuration": configuration, "command_line": command_line, "names": names, "state": state}

ADVICE = """This breaks what docs/compatibility.md promises to who uses version {version}. Keep it as it was beside what is new; or announce
its end, and keep it for as long as is promised there. The files in tests/golden/{version} are never written again once {version} is
released; tools/golden.sh writes those of a new version."""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=["write", "check"])
    parser.add_argument("what", help="write: the version; check: the part, or \"all\"")
    path = lambda text: pathlib.Path(text).resolve()
    parser.add_argument("--bin", type=path, required=True, help="where busbar and busbard are")
    parser.add_argument("--plugins", type=path, required=True, help="where greeter.so and echo.so are")
    parser.add_argument("--fixtures", type=path, required=True, help="where the plugins for tests are")
    parser.add_argument("--wire", type=path, required=True, help="the program golden_wire")
    parser.add_argument("--compiler", default="cc", help="a C compiler")
    options = parser.parse_args()
    if options.verb == "write":
        folder = HERE / options.what
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for part in PARTS.values():
            part.write(folder, options)
        return 0
    kept = sorted(file.parent for file in HERE.glob("*/abi.txt"))
    if not kept:
        print("golden: found no version in tests/golden, expected at least one", file=sys.stderr)
        return 1
    chosen = PARTS if options.what == "all" else {options.what: PARTS[options.what]}
    broken = False
    for folder in kept:
        faults = [f"{name}: {fault}" for name, part in chosen.items() for fault in part.faults(folder, options)]
        for fault in faults:
            print(f"golden {folder.name}: {fault}", file=sys.stderr)
        if faults:
            print(ADVICE.format(version=folder.name), file=sys.stderr)
        broken |= bool(faults)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
