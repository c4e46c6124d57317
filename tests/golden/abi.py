"""The boundary in C: every struct with the place, size and type of its fields, every enum and constant of busbar/abi.h."""
import pathlib
import re
import subprocess
import tempfile

INCLUDE = pathlib.Path(__file__).resolve().parents[2] / "plugin-sdk/include"
FILE = "abi.txt"
PROMISE = "plugins that were built against that version must load and work"


def in_one_line(text):
    return re.sub(r"\s+", " ", text).strip()


def name_of_field(declaration):
    function = re.match(r"[^(]*\(\*(\w+)\)\s*\(", declaration)
    return function[1] if function else re.search(r"(\w+)\s*(\[[^]]*\])*$", declaration)[1]


def declarations(header):
    """(structs: name -> [(field, declaration)], enums: name -> [enumerator], constants, function types)"""
    text = re.sub(r"/\*.*?\*/|//[^\n]*", " ", header, flags=re.S)
    constants = re.findall(r"^#define (BUSBAR_\w+) +(0x[0-9a-f]+u?|\d+u?|\"[^\"]*\") *$", text, flags=re.M)
    text = re.sub(r"^#(?:[^\n]*\\\n)*[^\n]*$", "", text, flags=re.M)
    structs = {}
    for name, body in re.findall(r"typedef struct (\w+) \{(.*?)\} \w+;", text, flags=re.S):
        fields = [in_one_line(one) for one in body.split(";") if one.strip()]
        structs[name] = [(name_of_field(one), one) for one in fields]
    enums = {name: re.findall(r"(\w+) *=", body) for name, body in re.findall(r"typedef enum (\w+) \{(.*?)\}", text, flags=re.S)}
    functions = [in_one_line(one) for one in re.findall(r"typedef ([^;{}]*\(\*\w+\)\([^;]*\));", text)]
    if not structs or not enums or not constants:
        raise SystemExit("golden: could not read busbar/abi.h: found no structs, enums or constants")
    return structs, enums, constants, functions


def program(structs, enums, constants):
    lines = ["#include <busbar/abi.h>", "#include <stddef.h>", "#include <stdio.h>", "int main(void) {"]
    for struct, fields in structs.items():
        lines.append(f'printf("size {struct} %zu\\n", sizeof({struct}));')
        for field, declaration in fields:
            if field.startswith("reserved"):
                continue  # promises nothing but to be zero; a later version may give it a meaning
            lines.append(f'printf("field {struct}.{field} at %zu of %zu: {declaration}\\n", offsetof({struct}, {field}), '
                         f"sizeof((({struct}*)0)->{field}));")
    for enum, members in enums.items():
        lines += [f'printf("enum {enum}: {one} %d\\n", (int){one});' for one in members]
    for name, value in constants:
        form, cast = ("%s", "") if value.startswith('"') else ("%llu", "(unsigned long long)")
        lines.append(f'printf("constant {name} {form}\\n", {cast}{name});')
    return "\n".join([*lines, "return 0;", "}", ""])


def shape(options):
    structs, enums, constants, functions = declarations((INCLUDE / "busbar/abi.h").read_text())
    with tempfile.TemporaryDirectory() as scratch:
        source = pathlib.Path(scratch) / "shape.c"
        source.write_text(program(structs, enums, constants))
        subprocess.run([options.compiler, f"-I{INCLUDE}", "-o", f"{scratch}/shape", source], check=True)
        printed = subprocess.run([f"{scratch}/shape"], check=True, capture_output=True, text=True).stdout
    return printed + "".join(f"type {one}\n" for one in functions)


def write(folder, options):
    (folder / FILE).write_text(shape(options))


def facts(text):
    """What is said of what: "size busbar_text" -> "16"."""
    found = {}
    for line in text.splitlines():
        kind, rest = line.split(" ", 1)
        if kind == "type":
            found[line] = ""
        else:
            name, value = re.match(r"((?:\w+: )?[\w.]+) (.*)", rest).groups()
            found[f"{kind} {name}"] = value
    return found


def may_grow(kept):
    """Structs that say their own size, and the note, which ends in one."""
    return {key.split()[1].split(".")[0] for key in kept if key.endswith(".struct_size")} | {"busbar_note"}


def faults(folder, options):
    kept, now = facts((folder / FILE).read_text()), facts(shape(options))
    growing = may_grow(kept)
    for key, value in kept.items():
        found = now.get(key)
        kind, name = key.split(" ", 1)
        grows = (kind == "size" and name in growing) or name == "BUSBAR_ABI_MINOR" or key == "field busbar_note.descriptor"
        if found is None:
            yield f"{key} is gone: {PROMISE}"
        elif grows and key.startswith("field"):
            if found.split(" of ")[0] != value.split(" of ")[0]:
                yield f"{key} was {value}, is {found}: {PROMISE}"
        elif int(found) < int(value) if grows else found != value:
            yield f"{key} was {value}, is {found}: {PROMISE}" + ("; structs grow at their end alone" if kind == "field" else "")
