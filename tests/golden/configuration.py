"""The configuration: each key with its type and default, and files that set every one to something else."""
import json
import re
import subprocess

import host

KEYS, FILES = "configuration_keys.json", ("configuration", "configuration_insecure")
PROMISE = "a configuration that was written for that version must load, and mean the same"

# Their defaults are those of the machine, or of who runs the host.
DEPENDING = ("node.name", "security.key", "pool.threads", "paths.run", "paths.state", "paths.cache")

# Values that are no defaults, of what cannot be made from the default; whatever else there is is doubled, counted up, or
# turned round.
OTHER = {
    "node.name": "golden-1",
    "cluster.name": "warehouse",
    "cluster.join": ["tcp://127.0.0.1:4711", "tcp://seeds.example.org:4711"],
    "cluster.listen": "tcp://127.0.0.1:7100",
    "cluster.registry_listen": "tcp://127.0.0.1:7101",
    "cluster.advertise": "127.0.0.1",
    "cluster.insecure": False,  # with keys it is refused: the second file has it
    "security.mode": "curve",
    "security.key": "/srv/busbar/keys/golden-1.key",
    "security.authorized": "/srv/busbar/authorized",
    "paths.plugins": "/srv/busbar/plugins",
    "paths.run": "/srv/busbar/run",
    "paths.state": "/srv/busbar/state",
    "paths.cache": "/srv/busbar/cache",
    "plugins.watch": "poll",
    "pool.threads": 3,
    "log.level": "debug",
    "log.format": "json",
    "log.file": "/srv/busbar/log",
    "log.levels": {"host.dispatch": "trace", "plugin.greeter": "warn"},
    "http.listen": "127.0.0.1:9464",
    "readiness.require": ["greet"],
}
INSECURE = {"cluster.insecure": True, "cluster.listen": "tcp://0.0.0.0:7100", "security.mode": "none", "security.key": None,
            "security.authorized": None}
PLUGIN = {"check_from": 5, "ratio": 0.5, "name": "ledger", "open": True, "since": "2026-01-02T03:04:05Z", "towns": ["Graz", "Linz"]}


def effective(options, file=None):
    """(what busbard says is in effect, or None, and its complaint)"""
    ran = subprocess.run([options.bin / "busbard", "--print-config", *(["--config", file] if file else [])],
                         capture_output=True, text=True, env=host.clean_environment(), cwd="/")
    return (json.loads(ran.stdout) if ran.returncode == 0 else None), ran.stderr


def keys_of(document):
    return {f"{section}.{key}": value for section, keys in document.items() if section != "plugin" for key, value in keys.items()}


def type_of(value):
    return {bool: "boolean", int: "integer", float: "number", str: "text", list: "array", dict: "table"}[type(value)]


def another(key, value):
    if key in OTHER:
        return OTHER[key]
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    unit = re.fullmatch(r"(\d+)([a-zA-Z]+)", value) if isinstance(value, str) else None
    if unit and int(unit[1]):
        return f"{2 * int(unit[1])}{unit[2]}"
    raise SystemExit(f"golden: {key} is new, and no other value than {value!r} is known: give it one in tests/golden/configuration.py")


def toml(values, insecure):
    lines, section = [], ""
    for key, value in values.items():
        value = INSECURE.get(key, another(key, value)) if insecure else another(key, value)
        if value is None:
            continue
        if key.rsplit(".", 1)[0] != section:
            section = key.rsplit(".", 1)[0]
            lines.append(f"\n[{section}]")
        inline = "{" + ", ".join(f'"{name}" = {json.dumps(one)}' for name, one in value.items()) + "}" if isinstance(value, dict) else None
        lines.append(f"{key.rsplit('.', 1)[1]} = {inline or json.dumps(value)}")
    lines += ["\n[plugin.accounts]", *(f"{name} = {json.dumps(value)}" for name, value in PLUGIN.items())]
    return "\n".join(lines).lstrip() + "\n"


def write(folder, options):
    defaults = keys_of(effective(options)[0])
    rows = {key: {"type": type_of(value), "default": None if key in DEPENDING else value} for key, value in defaults.items()}
    (folder / KEYS).write_text(json.dumps(rows, indent=1) + "\n")
    for name in FILES:
        file = folder / f"{name}.toml"
        file.write_text(toml(defaults, insecure=name != FILES[0]))
        document, complaint = effective(options, file)
        if document is None:
            raise SystemExit(f"golden: could not write a configuration in which all is another: {complaint}")
        (folder / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n")


def faults(folder, options):
    now = keys_of(effective(options)[0])
    for key, row in json.loads((folder / KEYS).read_text()).items():
        if key not in now:
            yield f"{key} is gone: {PROMISE}"
        elif type_of(now[key]) != row["type"]:
            yield f"{key} was of type {row['type']}, is {type_of(now[key])}: {PROMISE}"
        elif row["default"] is not None and now[key] != row["default"]:
            yield f"the default of {key} was {json.dumps(row['default'])}, is {json.dumps(now[key])}: {PROMISE}"
    for name in FILES:
        document, complaint = effective(options, folder / f"{name}.toml")
        if document is None:
            yield f"{name}.toml does not load any more: {complaint.strip()}: {PROMISE}"
            continue
        kept = json.loads((folder / f"{name}.json").read_text())
        found = keys_of(document)
        for key, value in keys_of(kept).items():
            if found.get(key) != value:
                yield f"{name}.toml: {key} meant {json.dumps(value)}, means {json.dumps(found.get(key))}: {PROMISE}"
        if document["plugin"] != kept["plugin"]:
            yield f"{name}.toml: the plugins' tables mean something else: {PROMISE}"
