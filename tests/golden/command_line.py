"""The command line: verbs, flags and arguments as the help has them; the keys of the JSON documents, and exit statuses, by use."""
import json
import re
import subprocess

import host

FILE = "command_line.json"
PROMISE = "scripts that were written for that version must go on working"

# In their order: what they are given, of which {…} stands for a folder. Verbs that this version does not have are passed over.
STEPS = [
    ["status"], ["services"], ["plugins"], ["nodes"], ["nodes", "--views"], ["calls"], ["trail", "no_such_call"],
    ["describe", "greet"], ["describe", "nobody_has_this"], ["discover", "greet"], ["discover", "nobody_has_this"],
    ["authorized", "greet", '{"name": "Ada"}'], ["authorized", "forbidden_to_all"], ["validate", "greet", '{"name": "Ada"}'],
    ["call", "greet", '{"name": "Ada"}'], ["call", "greet", "{}"], ["call", "greet", "{no json"], ["call", "nobody_has_this"],
    ["call", "forbidden_to_all"], ["call", "sleeps", '{"ms": 300}', "--timeout", "30"],
    *(["call", "answers_kind", json.dumps({"key": kind})] for kind in (
        "ok", "ok_value", "ok_value_version", "ok_version", "created", "created_version", "validation_error", "missing_id",
        "error", "bad_rpc", "forbidden")),
    ["call", "greet", '{"name": "Ada"}', "--explain"],
    ["top", "--once", "--interval", "100ms"], ["log-level"], ["log-level", "host.dispatch", "debug"],
    ["config", "show"], ["config", "check", "{plugins}/none.toml"], ["config", "reload"], ["doctor"],
    ["rescan"], ["unload", "greeter"], ["reload", "greeter"], ["rollback", "greeter"], ["load", "{plugins}/greeter.so"],
    ["events"], ["check", "{plugins}/greeter.so"], ["check", "{plugins}/greeter.so", "{plugins}/greeter.so"],
    ["new", "golden-plugin"], ["keygen", "ada"], ["no_such_verb"],
]


# Their exit status is the machine's to say.
OF_THE_MACHINE = ("doctor",)


def help_of(program, words=()):
    return subprocess.run([program, *words, "--help"], check=True, capture_output=True, text=True).stdout


def section(text, name):
    found = re.search(rf"^{name}:\n(.*?)(?:\n\n|\Z)", text, flags=re.M | re.S)
    return found[1].splitlines() if found else []


def grammar(program, words=()):
    """{"flags": {NAME: "none"|"value"|"optional"}, "arguments": ["required"|"optional"…], "verbs": {…}}"""
    text = help_of(program, words)
    flags, arguments = {}, []
    for line in section(text, "Options"):
        found = re.match(r"  ((?:-\w,)?--[\w-]+|-\w)( \[=| \S| [A-Z])?", line)
        if not found:
            continue
        value = re.match(r"  \S+ (\S+)(?:  | REQUIRED|\Z)", line)
        for name in found[1].split(","):
            flags[name] = "optional" if value and value[1].startswith("[=") else "value" if value else "none"
    for line in section(text, "Positionals"):
        if re.match(r"  [A-Za-z]", line):
            arguments.append("required" if " REQUIRED" in line.split("   ")[0] else "optional")
    verbs = [found[1] for line in section(text, "Subcommands") if (found := re.match(r"  ([a-z][a-z-]*)\b", line))]
    out = {"flags": flags, "arguments": arguments}
    if verbs:
        out["verbs"] = {verb: grammar(program, (*words, verb)) for verb in verbs}
    return out


def grammar_faults(kept, now, where):
    for name, value in kept["flags"].items():
        found = now["flags"].get(name)
        if found is None:
            yield f"{where} does not take {name} any more: {PROMISE}"
        elif found != value:
            yield f"{where} {name}: its value was \"{value}\", is \"{found}\": {PROMISE}"
    before, after = kept["arguments"], now["arguments"]
    if after[:len(before)] != before or "required" in after[len(before):]:
        yield f"{where}: its arguments were {before}, are {after}: {PROMISE}"
    for verb, one in kept.get("verbs", {}).items():
        if verb not in now.get("verbs", {}):
            yield f"{where} {verb} is gone: {PROMISE}"
        else:
            yield from grammar_faults(one, now["verbs"][verb], f"{where} {verb}")


# ---- by use

TYPES = {bool: "boolean", int: "number", float: "number", str: "text", list: "array", dict: "object", type(None): "null"}
FREE = {"value", "schema", "request", "response", "example", "assigns", "plugin_tables"}  # a service's own


def keys_of(value, path="", found=None):
    """"plugins[].name" -> ["text"], of all that is in it."""
    found = {} if found is None else found
    if path:
        found.setdefault(path, set()).add(TYPES[type(value)])
    if path.split(".")[-1] in FREE:
        return found
    if isinstance(value, dict):
        for key, one in value.items():
            keys_of(one, f"{path}.{key}" if path else key, found)
    if isinstance(value, list):
        for one in value:
            keys_of(one, f"{path}[]", found)
    return found


def documents(text):
    try:
        return [json.loads(text)] if text.strip() else []
    except json.JSONDecodeError:
        return [json.loads(line) for line in text.splitlines()]  # events: one a line


def use(options, steps):
    """What each step has said: {"command", "exit", "keys"}."""
    plugins = [options.plugins / "greeter.so", options.plugins / "echo.so", options.fixtures / "behaviours/behaviours.so"]
    out = []
    with host.Host(options, plugins) as running:
        for words in steps:
            given = [word.replace("{plugins}", str(options.plugins)) for word in words]
            said = running.busbar(["--json", *given])
            keys = {}
            for document in documents(said.stdout):
                keys_of(document, found=keys)
            out.append({"command": words, "exit": said.returncode, "keys": {key: sorted(types) for key, types in sorted(keys.items())}})
    nobody = subprocess.run([options.bin / "busbar", "--run-dir", "/nonexistent", "--json", "status"], capture_output=True, text=True)
    out.append({"command": ["status", "of no host"], "exit": nobody.returncode, "keys": {}})
    return out


def key_faults(kept, now, where):
    """`now` may say more; what can be null on one machine may be so on another."""
    for key, types in kept["keys"].items():
        found = now["keys"].get(key)
        if found is None:
            yield f"{where} --json: \"{key}\" is gone: {PROMISE}"
        elif not set(types) & set(found) and "null" not in types + found:
            yield f"{where} --json: \"{key}\" was {' or '.join(types)}, is {' or '.join(found)}: {PROMISE}"


def programs(options):
    return {name: grammar(options.bin / name) for name in ("busbar", "busbard")}


def write(folder, options):
    found = programs(options)
    known = set(found["busbar"]["verbs"])
    explain = "--explain" in found["busbar"]["verbs"]["call"]["flags"]
    steps = [step for step in STEPS if step[0] in known | {"no_such_verb"} and (explain or "--explain" not in step)]
    (folder / FILE).write_text(json.dumps({"programs": found, "uses": use(options, steps)}, indent=1, ensure_ascii=False) + "\n")


def faults(folder, options):
    kept, now = json.loads((folder / FILE).read_text()), programs(options)
    for name, one in kept["programs"].items():
        yield from grammar_faults(one, now[name], name)
    uses = [one for one in kept["uses"] if one["command"] != ["status", "of no host"]]
    for before, after in zip(kept["uses"], use(options, [one["command"] for one in uses])):
        where = "busbar " + " ".join(before["command"])
        if before["exit"] != after["exit"] and before["command"][0] not in OF_THE_MACHINE:
            yield f"{where}: its exit status was {before['exit']}, is {after['exit']}: {PROMISE}"
        yield from key_faults(before, after, where)
