"""What nodes, clients and the command line send: an example of each message, as bytes and as what they mean."""
import json
import subprocess

FILE = "wire.jsonl"
PROMISE = "nodes, clients and command lines of that version must be understood, and understand"


def write(folder, options):
    (folder / FILE).write_text(subprocess.run([options.wire, "write"], check=True, capture_output=True, text=True).stdout)


def differences(kept, found, path="it"):
    """Where `found` does not say all that `kept` says."""
    if isinstance(kept, dict) and isinstance(found, dict):
        for key, value in kept.items():
            if key not in found:
                yield f"{path}.{key} is gone"
            else:
                yield from differences(value, found[key], f"{path}.{key}")
    elif isinstance(kept, list) and isinstance(found, list) and len(kept) == len(found):
        for number, (one, other) in enumerate(zip(kept, found)):
            yield from differences(one, other, f"{path}[{number}]")
    elif kept != found or isinstance(kept, bool) != isinstance(found, bool):
        yield f"{path} was {json.dumps(kept)}, is {json.dumps(found)}"


def faults(folder, options):
    text = (folder / FILE).read_text()
    read = subprocess.run([options.wire, "read"], input=text, check=True, capture_output=True, text=True).stdout
    lines = text.splitlines()
    answers = read.splitlines()
    if not lines or len(lines) != len(answers):
        yield f"{len(lines)} messages are kept, {len(answers)} were read"
    for line, answer in zip(lines, answers):
        kept, now = json.loads(line), json.loads(answer)
        what = f"{kept['plane']}, {kept['what']}"
        if "problem" in now:
            yield f"{what}: cannot be read any more ({now['problem']}): {PROMISE}"
            continue
        for difference in differences(kept["meaning"], now["meaning"]):
            yield f"{what}: means something else: {difference}: {PROMISE}"
        # Those of the others carry names, and have been compared above as they are written now.
        if kept["plane"] == "call" and kept["hex"] != now["hex"]:
            yield f"{what}: is written otherwise: was {kept['hex']}, is {now['hex']}: {PROMISE}"
