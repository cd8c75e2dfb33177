"""Generates the typed client of the interface from its OpenAPI document (ADR 0031).

The types of requests and answers are datamodel-code-generator's; the operations, one method each, are made here: no
generator of clients makes them for the standard library, and the command line must not load an HTTP library first.
"""

from __future__ import annotations

import json
import keyword
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from datamodel_code_generator import InputFileType, LiteralType, generate
from datamodel_code_generator.config import GenerateConfig
from datamodel_code_generator.enums import DataModelType
from datamodel_code_generator.format import Formatter, PythonVersion

ROOT = Path(__file__).resolve().parents[3]
FOLDER = Path("api/client")
MODELS, OPERATIONS = "models.py", "operations.py"
MADE = "Generated from the OpenAPI document by `make client`: do not edit."
STREAMED = "text/event-stream"
"""An answer without an end is no answer of a method."""

KINDS = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}
HEAD = f'''"""The operations of the interface. {MADE}"""

from __future__ import annotations

from typing import Literal

from api.client import models
from api.client.calls import Calls, in_path


class Operations:
    """One method per operation; `calls` carries them. Every method raises UnansweredError, RefusedError and
    StrangeAnswerError (`api.client.errors`)."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
'''


def sources(document: Mapping[str, Any]) -> dict[str, str]:
    """The generated modules by name, formatted."""
    with tempfile.TemporaryDirectory() as folder:
        made = {MODELS: _models(document, Path(folder)), OPERATIONS: HEAD + "".join(_operations(document))}
    return {name: _formatted(text, name) for name, text in made.items()}


def _models(document: Mapping[str, Any], folder: Path) -> str:
    target = folder / MODELS
    generate(
        json.dumps(document),
        config=GenerateConfig(
            input_file_type=InputFileType.OpenAPI,
            output=target,
            output_model_type=DataModelType.TypingTypedDict,
            target_python_version=PythonVersion.PY_311,
            enum_field_as_literal=LiteralType.All,
            use_closed_typed_dict=False,  # fields are added to answers (IF-4): an older client must take them
            use_schema_description=True,
            use_single_line_docstring=True,
            use_union_operator=True,
            type_mappings=["string+decimal=string"],  # as it is sent; who calculates makes a Decimal of it
            formatters=[Formatter.BUILTIN],
            disable_timestamp=True,
            custom_file_header=f'"""What the interface takes and answers. {MADE}"""',
        ),
    )
    # pydantic checks answers, and before Python 3.12 takes this TypedDict alone
    lines = target.read_text(encoding="utf-8").splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("from typing import"))
    lines[at] = lines[at].replace(", TypedDict", "")
    lines.insert(at + 1, "\nfrom typing_extensions import TypedDict")
    return "\n".join(lines) + "\n"


def _operations(document: Mapping[str, Any]) -> Iterator[str]:
    for path, ways in document["paths"].items():
        for way, operation in ways.items():
            if STREAMED not in operation["responses"]["200"]["content"]:
                yield _operation(path, way.upper(), operation)


def _operation(path: str, way: str, operation: Mapping[str, Any]) -> str:
    name = _name(path, way, operation["operationId"])
    parameters = operation.get("parameters", [])
    inside = [one for one in parameters if one["in"] == "path"]
    asked = [one for one in parameters if one["in"] == "query"]
    required = sorted(asked, key=lambda one: not one.get("required"))
    arguments = [f"{one['name']}: str" for one in inside]
    body = operation.get("requestBody")
    if body is not None:
        arguments.append(f"body: {_type(body['content']['application/json']['schema'])}")
    if required:
        arguments += ["*", *(_argument(one) for one in required)]
    answers = operation["responses"]
    content = answers["200"]["content"]
    kind = "str" if {"text/plain", "text/html"} & content.keys() else _type(content["application/json"]["schema"])
    same = [status for status, one in answers.items() if one.get("content") == content]
    where = path
    for one in inside:
        where = where.replace(f"{{{one['name']}}}", f"{{in_path({one['name']})}}")
    call = [kind, json.dumps(way), f"{'f' if inside else ''}{json.dumps(where)}"]
    if asked:
        names = ", ".join(f"{one['name']!r}: {_python(one['name'])}" for one in asked)
        call.append(f"query={{{names}}}")
    if body is not None:
        call.append("body=body")
    if len(same) > 1:
        call.append(f"accepts=({', '.join(same)})")
    about = operation["summary"].rstrip(".?")
    return (
        f"    def {name}({', '.join(['self', *arguments])}) -> {kind}:\n"
        f'        """{about}.\n\n        `{way} {path}`\n        """\n'
        f"        return self._calls.call({', '.join(call)})\n\n"
    )


def _name(path: str, way: str, identity: str) -> str:
    """The name of the route's function, which FastAPI puts before path and method."""
    rest = "".join(letter if letter.isalnum() else "_" for letter in path)
    return identity.removesuffix(f"{rest}_{way.lower()}")


def _argument(parameter: Mapping[str, Any]) -> str:
    schema = parameter["schema"]
    kind = _type(schema)
    if parameter.get("required"):
        return f"{_python(parameter['name'])}: {kind}"
    if "default" in schema:
        return f"{_python(parameter['name'])}: {kind} = {schema['default']!r}"
    return f"{_python(parameter['name'])}: {kind} = None"


def _python(name: str) -> str:
    return f"{name}_" if keyword.iskeyword(name) else name


def _type(schema: Mapping[str, Any]) -> str:
    """The annotation of a schema. Raises KeyError for one that this generator has not met."""
    if "$ref" in schema:
        return f"models.{schema['$ref'].rpartition('/')[2].replace('_', '')}"
    if "enum" in schema:
        literal = f"Literal[{', '.join(json.dumps(one) for one in schema['enum'])}]"
        return f"{literal} | None" if any(one.get("type") == "null" for one in schema.get("anyOf", [])) else literal
    if "anyOf" in schema:
        return " | ".join(_type(one) for one in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list[{_type(schema['items'])}]"
    return KINDS[schema["type"]]


def _formatted(text: str, name: str) -> str:
    """As `make format` leaves it."""
    for command in (["format"], ["check", "--fix"], ["format"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--quiet", "--stdin-filename", str(FOLDER / name), "-"],
            input=text, capture_output=True, text=True, cwd=ROOT, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"ruff refuses the generated {name}: {done.stderr[-2_000:]}")
        text = done.stdout
    return text
