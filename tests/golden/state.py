"""What a host leaves in its state directory, and key files: a later one must read both."""
import pathlib
import shutil
import subprocess
import tempfile

import host

STATE, KEYS = "state", "keys"
LATE = 4_000_000_000_000_000  # an incarnation beyond any clock's: the next one shows that it was read
PROMISE = "a host that is upgraded must go on with what was decided, with its keys, and where its own starts are counted"


def write(folder, options):
    with host.Host(options, [options.plugins / "greeter.so"]) as running:
        running.busbar(["unload", "greeter"])
        (folder / STATE).mkdir()
        shutil.copy(running.folder / "state/plugins.json", folder / STATE)
    (folder / STATE / "incarnation").write_text(f"{LATE}\n")
    # A pair that nobody uses: its private half is in the repository for everybody to see.
    (folder / KEYS).mkdir()
    subprocess.run([options.bin / "busbar", "keygen", "golden", "--role", "node", "--directory", folder / KEYS], check=True,
                   stdout=subprocess.DEVNULL)


def faults(folder, options):
    with tempfile.TemporaryDirectory() as scratch:
        keys = pathlib.Path(scratch) / KEYS
        shutil.copytree(folder / KEYS, keys)
        keys.chmod(0o700)
        (keys / "golden.key").chmod(0o600)
        (keys / "golden.pub").chmod(0o644)
        (keys / "authorized").mkdir(mode=0o755)
        shutil.move(keys / "golden.pub", keys / "authorized")
        with_keys = ["--security-mode", "curve", "--security-key", keys / "golden.key", "--security-authorized", keys / "authorized"]
        try:
            with host.Host(options, state=folder / STATE, flags=with_keys) as running:
                yield from state_faults(running)
        except SystemExit as failure:
            yield f"no host starts with these files ({failure}): {PROMISE}"


def state_faults(running):
    if (running.folder / "state/plugins.json.bad").exists():
        yield f"plugins.json was put aside as one that cannot be read: {PROMISE}"
    now = int((running.folder / "state/incarnation").read_text())
    if now != LATE + 1:
        yield f"its incarnation was {LATE}, is {now}, expected the next: {PROMISE}"
    log = (running.folder / "log").read_text()
    for complaint in [line for line in log.splitlines() if "key" in line and " info " not in line]:
        yield f"its host complains of the keys: {complaint}: {PROMISE}"
