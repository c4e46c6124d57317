"""check_schemas.py FILE: services as `busbar describe --json` tells them, each with the "answer" to its example.

Checks that every schema is a valid one of the dialect that it names, and takes the example, or the answer.
"""
import json
import sys

from jsonschema import Draft202012Validator

DIALECT = "https://json-schema.org/draft/2020-12/schema"
schemas, checked = 0, {"request": 0, "response": 0}

for service in json.load(open(sys.argv[1], encoding="utf-8")):
    for side, value in (("request", "example"), ("response", "answer")):
        if side not in service:
            continue
        schema = service[side]
        Draft202012Validator.check_schema(schema)
        if isinstance(schema, dict) and schema.get("$schema", DIALECT) != DIALECT:
            sys.exit(f"{service['name']}: the {side} is of another dialect: {schema['$schema']}")
        schemas += 1
        if value in service:
            Draft202012Validator(schema).validate(service[value])
            checked[side] += 1
print(f"checked {schemas} schemas, {checked['request']} requests and {checked['response']} answers")
