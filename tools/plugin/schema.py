"""
Write the packaged provider's schema, from the package: `.venv/bin/python -m tools.plugin.schema`.

The classes of `resources` are the source of types and descriptions, and the page of the
configuration is the source of the settings. The file is checked in. A test compares it.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import metadata
from pathlib import Path
from typing import Any, Final, get_args

import griffe
from pydantic.alias_generators import to_camel

from pulumi_vod_workflow.config.settings import DEFAULT_RESEND_WITHIN, KEYS, MAX_RATE, Preflight
from pulumi_vod_workflow.core.execution import OUTPUT_FIELDS, TERMINAL_PHASES, Phase, StatusClass
from pulumi_vod_workflow.core.request import REQUEST_FIELDS
from pulumi_vod_workflow.core.resource_types import PACKAGED_TYPES
from pulumi_vod_workflow.core.values import normalise
from pulumi_vod_workflow.plugin.provider_config import SECRET_KEYS

ROOT: Final = Path(__file__).resolve().parents[2]
SCHEMA: Final = ROOT / "pulumi_vod_workflow" / "plugin" / "schema.json"
EXAMPLES: Final = Path(__file__).with_name("examples")
CONFIGURATION: Final = ROOT / "docs" / "configuration.md"

PACKAGE: Final = "pulumi_vod_workflow"
RESOURCES: Final = {token.rpartition(":")[2]: token for token in PACKAGED_TYPES.values()}
"""Name of a resource -> its token."""
ALIASES: Final = {packaged: dynamic for dynamic, packaged in PACKAGED_TYPES.items()}
"""Token of a resource -> the token of its dynamic form."""
LANGUAGES: Final = {
    "Pulumi.yaml": "yaml",
    "index.ts": "typescript",
    "__main__.py": "python",
    "main.go": "go",
}
"""File of an example -> the language of its block."""

ANY: Final = {"$ref": "pulumi.json#/Any"}

Json = dict[str, Any]


def token(name: str) -> str:
    """Return the token of a resource, function or type."""
    return f"vod:index:{name}"


def reference(name: str) -> Json:
    """Return the use of a type."""
    return {"$ref": f"#/types/{token(name)}"}


# -- words -------------------------------------------------------------------------------------


class Words:
    """Descriptions in the names of the schema, from docstrings in the names of Python."""

    def __init__(self, names: Iterable[str]) -> None:
        # Only these words change. A name without an underscore has one spelling.
        self._names = {name: to_camel(name) for name in names if "_" in name}

    def of(self, text: str) -> str:
        """Return a docstring as a description: Python's names in lowerCamelCase, a capital."""
        text = re.sub(r" \(page: \w+\)", "", text.strip())  # the service's page, for developers
        text = re.sub(r"[a-z0-9]+(?:_[a-z0-9]+)+", self._rename, text)
        return text[:1].upper() + text[1:]

    def _rename(self, found: re.Match[str]) -> str:
        return self._names.get(found[0], found[0])


def docstring(item: griffe.Object) -> str:
    """Return an object's docstring, which each public object has."""
    assert item.docstring is not None, item.path
    return item.docstring.value


# -- types -------------------------------------------------------------------------------------

PLAIN: Final[Mapping[str, Json]] = {
    "str": {"type": "string"},
    "bool": {"type": "boolean"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "object": ANY,
    "Any": ANY,
}
WRAPPERS: Final = {"Input", "InputType", "Output"}


def enumeration(description: str, values: Mapping[str, str]) -> Json:
    """Return a type with a fixed set of texts, value -> meaning."""
    return {
        "type": "string",
        "description": description,
        "enum": [
            {"name": name[0].upper() + name[1:], "value": name, "description": meaning}
            for name, meaning in values.items()
        ],
    }


PHASES: Final = {
    "submitted": "The service has accepted the run. No read has followed.",
    "pending": "The run is queued.",
    "running": "The service processes the run.",
    "succeeded": "The run has ended without an error.",
    "failed": "The run has ended with an error of the user or of the system.",
    "terminated": "A user of the account has ended the run.",
    "expired": "The run is older than 30 days. The state keeps its last outputs.",
}
RESULT_PHASES: Final = {
    **{phase: text for phase, text in PHASES.items() if phase in TERMINAL_PHASES},
    "rejected": "The item has no run: its start was rejected, or was not sent.",
    "unclear": "The item may have a run: its start was sent, and no answer came.",
}
ON_FAILURE: Final = {
    "error": "A run that did not succeed fails the wait.",
    "record": "A run that did not succeed is a result.",
}
RERUN_ON: Final = {
    "systemError": "The run failed by an error of the service's system (2xxx).",
    "userError": "The run failed by an error of the source or of the template (1xxx).",
    "terminated": "A user of the account has ended the run.",
    "expired": "The record of the run is gone, before a read of its end.",
}
PREFLIGHT: Final = {
    "off": "No check.",
    "warn": "A workflow or video that the service does not know is a warning.",
    "error": "A workflow or video that the service does not know is an error.",
}
assert {*PHASES} == {*get_args(Phase)}
assert {*PREFLIGHT} == {*get_args(Preflight)}
assert {*RERUN_ON} == {*get_args(StatusClass)}

ENUMERATIONS: Final = {
    "Phase": enumeration("The phase of a run.", PHASES),
    "ResultPhase": enumeration("The phase of a result.", RESULT_PHASES),
    "OnFailure": enumeration("The effect of a run that did not succeed.", ON_FAILURE),
    "RerunOn": enumeration("A class of runs that did not succeed.", RERUN_ON),
    "Preflight": enumeration("The check of workflows and videos in a preview.", PREFLIGHT),
}
LITERALS: Final = {"RerunOn": RERUN_ON}
"""Name of an enumeration -> its values, which Python has as a literal type."""
# A `WorkflowItemRun` is an input of a wait, too, and the type checker of YAML programs assigns no
# enumeration to itself: its phase is a text.
TYPED: Final = {
    ("WorkflowRun", "phase"): reference("Phase"),
    ("WorkflowResult", "phase"): reference("ResultPhase"),
    ("WorkflowCompletion", "onFailure"): reference("OnFailure"),
    ("WorkflowBatch", "items"): {
        "type": "object",
        "additionalProperties": reference("WorkflowItem"),
    },
    ("WorkflowBatch", "defaults"): reference("WorkflowDefaults"),
    ("WorkflowRun", "directUrl"): reference("DirectUrl"),
    ("WorkflowRun", "input"): reference("WorkflowParams"),
}
"""Properties whose type is narrower than the annotation in Python."""

# Python's class accepts resources, too. The other languages have no such union.
RUNS: Final = {
    "type": "object",
    "additionalProperties": {
        # The type checker of YAML programs rejects a type of which `WaitTarget` is only a part.
        "oneOf": [{"type": "string"}, reference("WaitTarget"), reference("WorkflowItemRun")]
    },
    "description": (
        "The runs to wait for: name -> the id of a run, or an object with its `runId`. All runs "
        "of a batch are `batch.runs`. An item without a run is in the batch's `rejected`, "
        "`notSent` or `unclear`, and not in `batch.runs`."
    ),
}
WAIT_TARGET: Final = {
    "type": "object",
    "description": (
        "A run to wait for, for example an entry of a batch's `runs`. The wait ignores all other "
        "properties."
    ),
    "properties": {
        "runId": {"type": "string", "description": "The service's id of the run."},
        "region": {
            "type": "string",
            "description": "The region of the run; default: the configured region.",
        },
        "endpoint": {
            "type": "string",
            "description": "The endpoint of the run; default: the configured endpoint.",
        },
        "submittedAt": {
            "type": "string",
            "description": (
                "The UTC time at which the service accepted the run. It sets the first pause "
                "between two reads."
            ),
        },
    },
    "required": ["runId"],
}

BUILT_IN_WORKFLOW: Final = {
    "type": "object",
    "description": "A built-in workflow of the service.",
    "properties": {
        "templateId": {"type": "string", "description": "The id of the workflow."},
        "tasks": {
            "type": "integer",
            "description": "The number of its tasks, each with one paid output.",
        },
    },
    "required": ["templateId", "tasks"],
}


def defaults_of(objects: Json) -> Json:
    """Return the types of a batch's defaults, which may have a part of a source only."""
    item, source = objects[token("WorkflowItem")], objects[token("DirectUrl")]
    direct_url = {**item["properties"]["directUrl"], **reference("DirectUrlDefaults")}
    shared = {name: of for name, of in item["properties"].items() if name != "existingRunId"}
    return {
        token("WorkflowDefaults"): {
            "type": "object",
            "description": "The common inputs of a batch's runs.",
            "properties": {**shared, "directUrl": direct_url},
        },
        token("DirectUrlDefaults"): {
            "type": "object",
            "description": "The common part of the sources of a batch's runs.",
            "properties": source["properties"],
        },
    }


def type_name(name: str) -> str:
    """Return the schema's name of a class; the generators add `Args` themselves."""
    return name.removesuffix("Args")


def type_of(annotation: ast.expr) -> Json:
    """Return the type of an annotation; `None` in it makes a property optional, not nullable."""
    match annotation:
        case ast.Name(name):
            return PLAIN.get(name) or reference(type_name(name))
        case ast.Subscript(ast.Name(name), inner) if name in WRAPPERS:
            return type_of(inner)
        case ast.Subscript(ast.Name("Sequence"), inner):
            return {"type": "array", "items": type_of(inner)}
        case ast.Subscript(ast.Name("Literal"), ast.Tuple(values)):
            found = {value.value for value in values if isinstance(value, ast.Constant)}
            return next(reference(name) for name, of in LITERALS.items() if found == {*of})
        case ast.Subscript(ast.Name("Mapping"), ast.Tuple([ast.Name("str"), inner])):
            return {"type": "object", "additionalProperties": type_of(inner)}
        case ast.BinOp(left, ast.BitOr(), right):
            parts = [type_of(part) for part in (left, right) if not is_none(part)]
            return parts[0] if len(parts) == 1 else {"oneOf": parts}
    raise TypeError(f"no type for {ast.unparse(annotation)}")


def is_none(annotation: ast.expr) -> bool:
    """Return whether an annotation is `None`."""
    return isinstance(annotation, ast.Constant) and annotation.value is None


def parsed(annotation: str | griffe.Expr | None) -> ast.expr:
    """Return the syntax tree of an annotation."""
    return ast.parse(str(annotation), mode="eval").body


def is_optional(annotation: ast.expr) -> bool:
    """Return whether an annotation has `None` at its top, or right within a wrapper."""
    match annotation:
        case ast.Subscript(ast.Name(name), inner) if name in WRAPPERS:
            return is_optional(inner)
        case ast.BinOp(left, ast.BitOr(), right):
            return is_none(left) or is_none(right)
    return False


# -- classes -----------------------------------------------------------------------------------


class Builder:
    """The schema of the classes of a package."""

    def __init__(self, package: griffe.Module) -> None:
        self._package = package
        classes = [self.find(str(name)) for name in package.exports or ()]
        self._classes = {item.name: item for item in classes if isinstance(item, griffe.Class)}
        names = {name for item in self._classes.values() for name, _, _ in properties_of(item)}
        self.words = Words({*names, *(name for item in RESOURCES for name, _ in self._args(item))})

    def find(self, name: str) -> griffe.Object:
        """Return a public object of the package, or of a module below it."""
        found = self._package[name]
        return found.final_target if isinstance(found, griffe.Alias) else found

    def types(self) -> Json:
        """Return all types by token."""
        objects = {
            token(type_name(name)): self._object(item)
            for name, item in sorted(self._classes.items())
            if name not in RESOURCES
        }
        enumerations = {token(name): of for name, of in ENUMERATIONS.items()}
        return {
            **objects,
            **defaults_of(objects),
            token("WaitTarget"): WAIT_TARGET,
            token("BuiltInWorkflow"): BUILT_IN_WORKFLOW,
            **enumerations,
        }

    def _object(self, item: griffe.Class) -> Json:
        found = [*properties_of(item)]
        # An argument is optional by its default, an output by its type.
        required = [of.name for _, of, value in found if "default=None" not in str(value)]
        return {
            "type": "object",
            "description": self.words.of(docstring(item)),
            "properties": {of.name: self._property(item.name, of) for _, of, _ in found},
            **({"required": required} if required else {}),
        }

    def _property(self, owner: str, of: Property) -> Json:
        found = TYPED.get((owner, of.name)) or type_of(of.annotation)
        text = self.words.of(of.description)
        if found in map(reference, ENUMERATIONS):  # the values have their own descriptions
            text = ENUMERATIONS[found["$ref"].rpartition(":")[2]]["description"]
        if (owner, of.name) in TYPED:
            text = text.replace(", keys in lowerCamelCase", "")
        return {**found, "description": text}

    def _args(self, name: str) -> Iterator[tuple[str, griffe.Parameter]]:
        """Yield the inputs of a resource by their Python names."""
        init = self._classes[name].all_members["__init__"]
        assert isinstance(init, griffe.Function)
        for parameter in init.parameters:
            if parameter.name not in {"self", "resource_name", "opts"}:
                yield parameter.name, parameter

    def _descriptions(self, name: str) -> dict[str, str]:
        """Return the descriptions of a resource's inputs, by their Python names."""
        init = self._classes[name].all_members["__init__"].docstring
        assert init is not None
        for section in init.parse("google"):
            if isinstance(section, griffe.DocstringSectionParameters):
                return {each.name: each.description for each in section.value}
        raise AssertionError(f"{name}.__init__ describes no arguments")

    def resource(self, name: str) -> Json:
        """Return a resource."""
        item, told = self._classes[name], self._descriptions(name)
        outputs = [of for _, of, _ in properties_of(item)]
        inputs: Json = {}
        for argument, parameter in self._args(name):
            of = Property(to_camel(argument), parsed(parameter.annotation), told[argument])
            if of.name in {"runs", "onFailure"}:
                continue
            inputs[of.name] = self._property(name, of)
            if name == "WorkflowRun" and of.name in REQUEST_FIELDS:
                # Not `replaceOnChanges`: with it the engine replaces after each change of the
                # text, also after one that starts nothing, such as a default that is written down.
                inputs[of.name]["willReplaceOnChanges"] = True
        if name == "WorkflowCompletion":
            on_failure = self.words.of(told["on_failure"])
            inputs = {
                "runs": RUNS,
                **inputs,
                "onFailure": {
                    **reference("OnFailure"),
                    "default": "error",
                    "description": on_failure,
                },
            }
        required = {"WorkflowBatch": ["items"], "WorkflowCompletion": ["runs"]}.get(name)
        return {
            "description": self.words.of(docstring(item)) + example(name),
            "properties": {of.name: self._property(name, of) for of in outputs},
            "required": [of.name for of in outputs if not is_optional(of.annotation)],
            "inputProperties": inputs,
            **({"requiredInputs": required} if required else {}),
            # A stack of the dynamic resources moves to these resources, free.
            "aliases": [{"type": ALIASES[RESOURCES[name]]}],
        }

    def functions(self) -> Json:
        """Return the functions."""
        run = self.resource("WorkflowRun")
        read = [name for name in OUTPUT_FIELDS if name not in {"requestId", "submittedAt"}]
        fields = [*read, *REQUEST_FIELDS]
        described = {name: dict(run["properties"][name]) for name in fields}
        for found in described.values():
            found["description"] = re.sub(OF_DECLARED_RUNS, "", found["description"])
        return {
            token("getRun"): {
                "description": "Read a run by its id, in the configured region; free."
                + example("getRun"),
                "inputs": {
                    "properties": {
                        "runId": {"type": "string", "description": "The service's id of the run."},
                    },
                    "required": ["runId"],
                },
                "outputs": {
                    "properties": described,
                    "required": [
                        name
                        for name in run["required"]
                        if name in fields and name not in REQUEST_FIELDS
                    ],
                },
            },
            token("getBuiltInWorkflows"): {
                "description": (
                    "List the service's built-in workflows that its document names; free and "
                    "offline. A source for one of them needs its `spaceName`."
                )
                + example("getBuiltInWorkflows"),
                "outputs": {
                    "properties": {
                        "workflows": {
                            "type": "array",
                            "items": reference("BuiltInWorkflow"),
                            "description": "The workflows, by id.",
                        }
                    },
                    "required": ["workflows"],
                },
            },
        }


# A function reads once, and declares nothing.
OF_DECLARED_RUNS: Final = (
    r" A change starts a run \(paid\)\.| It is also the id of the resource\.|"
    r"(?<=end); empty until then|; none before the first refresh|, from a refresh(?= after)|"
    r", as declared or, if adopted, as read|; at first empty"
)
"""The parts of descriptions that are about resources only."""


class Property:
    """A property: its name in the state, its type in Python, its docstring."""

    def __init__(self, name: str, annotation: ast.expr, description: str) -> None:
        self.name, self.annotation, self.description = name, annotation, description


def properties_of(item: griffe.Class) -> Iterator[tuple[str, Property, str]]:
    """Yield the Python name, the property and the value of each `pulumi.property` of a class."""
    for name, member in item.all_members.items():
        found = member.final_target if isinstance(member, griffe.Alias) else member
        value = str(found.value) if isinstance(found, griffe.Attribute) else ""
        named = re.match(r"pulumi\.property\(\s*['\"](\w+)", value)
        if named:
            assert isinstance(found, griffe.Attribute)
            yield name, Property(named[1], parsed(found.annotation), docstring(found)), value


# -- settings ----------------------------------------------------------------------------------

NUMBERS: Final = {"requestsPerSecond", "resendWithin"}
# Only constants. A default in the schema becomes a value of an explicit provider, so a default of
# `region` would win over the environment.
DEFAULTS: Final = {
    "requestsPerSecond": normalise({"of": MAX_RATE})["of"],
    "resendWithin": normalise({"of": DEFAULT_RESEND_WITHIN})["of"],
    "preflight": "off",
}


def settings() -> Json:
    """Return the settings by name, described as on the page of the configuration."""
    text = CONFIGURATION.read_text().partition("<!-- keys -->\n")[2].partition("\n\n")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()[2:]]
    found: Json = {}
    for key, meaning, allowed, default in rows:
        name = key.strip("`").removeprefix("vod:")
        sentences = [_sentence(meaning)]
        if allowed:
            sentences.append(_sentence(f"allowed: {allowed}"))
        if not default.startswith("["):  # a link is to a table of the page
            sentences.append(_sentence(f"default: {default}"))
        found[name] = {
            "type": "number" if name in NUMBERS else "string",
            "description": " ".join(sentences),
            **({"secret": True} if name in SECRET_KEYS else {}),
            **({"default": DEFAULTS[name]} if name in DEFAULTS else {}),
        }
    assert [f"vod:{name}" for name in sorted(found)] == sorted(KEYS)
    return found


def _sentence(text: str) -> str:
    text = re.sub(r": \[[^\]]+\]\([^)]*\)", "", text)  # links are to pages of the site
    return text[:1].upper() + text[1:] + "."


# -- the whole ---------------------------------------------------------------------------------


def example(name: str) -> str:
    """Return the example of a resource or function, in each language, for its description."""
    folder = EXAMPLES / re.sub("(?<!^)([A-Z])", r"-\1", name).lower()
    blocks = [
        f"```{language}\n{(folder / file).read_text().strip()}\n```"
        for file, language in LANGUAGES.items()
        if (folder / file).exists()
    ]
    if not blocks:
        return ""
    body = "\n".join(blocks)
    return (
        "\n\n{{% examples %}}\n## Example Usage\n{{% example %}}\n"
        f"\n{body}\n"
        "\n{{% /example %}}\n{{% /examples %}}"
    )


def schema() -> Json:
    """Return the schema."""
    package = griffe.load(PACKAGE, search_paths=[ROOT], resolve_aliases=True)
    assert isinstance(package, griffe.Module)
    project, builder, variables = metadata("pulumi-vod-workflow"), Builder(package), settings()
    return {
        "name": "vod",
        "displayName": "Volcengine VOD",
        "version": project["Version"],
        "description": project["Summary"],
        "keywords": ["pulumi", "volcengine", "vod", "video", "transcoding", "category/cloud"],
        "license": project["License-Expression"],
        "publisher": project["Author"],
        "meta": {"moduleFormat": "(.*)"},
        "language": {
            # No scope and no organization: this project owns neither.
            "nodejs": {"packageName": "pulumi-vod", "respectSchemaVersion": True},
            "python": {
                "packageName": "pulumi_vod",
                "pyproject": {"enabled": True},
                "inputTypes": "classes-and-dicts",
                "respectSchemaVersion": True,
            },
            "go": {
                "importBasePath": "pulumi-vod/vod",
                "generateResourceContainerTypes": True,
                "respectSchemaVersion": True,
            },
            "csharp": {"respectSchemaVersion": True},
            "java": {"basePackage": "pulumi"},
        },
        "config": {"variables": variables},
        "types": builder.types(),
        "provider": {
            "description": (
                "The provider of one account and region. Each setting is also a setting of the "
                "stack, with the prefix `vod:`."
            ),
            # Not in `config`: the generator of Go writes a type there that does not compile.
            "inputProperties": {
                **variables,
                "preflight": {**variables["preflight"], **reference("Preflight")},
            },
        },
        "resources": {token: builder.resource(name) for name, token in RESOURCES.items()},
        "functions": builder.functions(),
    }


def text() -> str:
    """Return the content of the file."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Write the file."""
    SCHEMA.write_text(text())


if __name__ == "__main__":
    main()
