"""The strict reader of the schema data."""

import json
from importlib import resources
from typing import Any

import jsonschema
import pytest

from extcp_manifests.istio.releases import EVERY_RELEASE, RELEASES, ReleaseRange, find_release, since, until
from extcp_manifests.istio.schema.model import EnumValue, Field
from extcp_manifests.istio.schema.tables import SCHEMAS, SchemaDataError, parse_schema, read_schema

NEWEST = list(RELEASES)[-1]


def schema_text(field: Any = None, decoding: Any = "protobuf", **message: Any) -> str:
    """Return a schema whose message `M` has the field `maxSize`."""
    of_message = {"type": "object", "properties": {"maxSize": {} if field is None else field}, **message}
    return json.dumps({"x-istio-decoding": decoding, "$defs": {"M": of_message}})


def read_field(field: Any) -> Field:
    """Return the field of a message as the reader reads it."""
    return parse_schema(schema_text(field), "test.json").messages["M"][0]


@pytest.mark.parametrize(
    ("node", "type_"),
    [
        ({}, "value"),
        ({"type": "string"}, "string"),
        ({"type": "boolean"}, "bool"),
        ({"type": "boolean", "x-istio-wrapper": True}, "wrapper:bool"),
        ({"type": "integer"}, "integer"),
        ({"type": "integer", "minimum": 1}, "integer:1.."),
        ({"type": "number", "minimum": 0, "maximum": 100}, "number:0..100"),
        ({"type": "integer", "format": "uint32", "x-istio-wrapper": True}, "wrapper:uint32"),
        ({"type": "number", "format": "double"}, "double"),
        ({"type": "string", "format": "go-duration"}, "duration"),
        ({"type": "string", "format": "go-duration-from-1ms"}, "interval"),
        ({"type": "object"}, "struct"),
        ({"type": "object", "additionalProperties": {"type": "string"}}, "map:string"),
        ({"type": "array", "items": {"$ref": "#/$defs/M"}}, "list:message:M"),
        ({"$ref": "kubernetes.json#/$defs/k8s.Affinity"}, "message:k8s.Affinity"),
        ({"$ref": "mesh_config.json#/$defs/Resource"}, "enum:Resource"),
        ({"x-kubernetes-int-or-string": True}, "intOrString"),
    ],
)
def test_types(node: Any, type_: str) -> None:
    """Types are read from JSON Schema's own keywords."""
    assert read_field(node).type == type_


def test_a_field() -> None:
    """A field has its spellings, its oneof, and the releases that know and require it."""
    node = {"type": "string", "x-istio-oneof": "size", "x-istio-required-since": "1.20", "x-istio-since": "1.18"}
    assert read_field(node) == Field("maxSize", "string", "max_size", 0, "size", since("1.18"), since("1.20"))
    assert read_field({"x-istio-proto-name": "max__size"}).proto == "max__size"
    one_spelling = parse_schema(schema_text(decoding="json"), "test.json")
    assert one_spelling.messages["M"][0].proto == "maxSize"


def test_a_record_has_the_range_of_what_it_is_in() -> None:
    """An end that a record leaves out is that of its message, and open where that is open too."""
    around = {"x-istio-since": "1.18", "x-istio-until": "1.25"}

    def releases(node: Any, **message: Any) -> ReleaseRange:
        return parse_schema(schema_text(node, **message), "test.json").messages["M"][0].releases

    assert releases({}) == EVERY_RELEASE
    assert releases({"x-istio-until": "1.20"}) == until("1.20")
    assert releases({}, **around) == since("1.18", until="1.25")
    assert releases({"x-istio-since": "1.20"}, **around) == since("1.20", until="1.25")


def test_a_field_of_several_types() -> None:
    """A field whose type changed has a record for each, in the place of one."""
    records = [{"type": "string", "x-istio-until": "1.21"}, {"type": "boolean", "x-istio-since": "1.22"}]
    schema = parse_schema(schema_text({"anyOf": records}), "test.json")
    assert [(each.type, each.index, str(each.releases)) for each in schema.messages["M"]] == [
        ("string", 0, "Istio to 1.21"),
        ("bool", 1, "Istio from 1.22"),
    ]
    assert schema.fields("M", find_release("1.22"))["max_size"].type == "bool"


def test_enums() -> None:
    """Values have their number, or in a CRD their place."""
    values = [{"const": "A", "x-istio-number": 7}, {"const": "B", "x-istio-since": "1.30"}]
    schema = parse_schema(json.dumps({"x-istio-decoding": "protobuf", "$defs": {"E": {"oneOf": values}}}), "test.json")
    assert schema.enums["E"] == (EnumValue("A", 7, EVERY_RELEASE), EnumValue("B", 1, since("1.30")))


OVERLAPPING = {"anyOf": [{"type": "string", "x-istio-until": "1.22"}, {"type": "boolean", "x-istio-since": "1.22"}]}


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ({"x-istio-sinse": "1.20"}, "'x-istio-sinse' is not a valid keyword here: did you mean 'x-istio-since'?"),
        ({"type": "string", "items": {}}, None),
        ({"anyOf": [], "x-istio-since": "1.20"}, "'x-istio-since' is not a valid keyword here: use anyOf"),
        ({"type": "strin"}, "'strin' is not a valid type: did you mean 'string'?"),
        (
            {"type": ["string"]},
            "['string'] is not a valid type: did you mean 'string'?",
        ),
        ({"type": "integer", "format": "int23"}, "'int23' is not a valid format: did you mean 'int32'?"),
        (
            {"type": "string", "format": "duration"},
            "'duration' is not a valid format: did you mean 'go-duration'?",
        ),
        ({"type": "array"}, "lacks the keyword 'items'"),
        ({"type": "array", "items": 1}, "must be an object, not 1"),
        ([], "must be an object, not []"),
        ({"$ref": "#/$defs/N"}, "refers to 'N', which is not in the file"),
        ({"$ref": "values.json#/$defs/N"}, "refers to 'N', which is not in values.json"),
        ({"$ref": "valus.json#/$defs/N"}, "'valus.json' is not a valid file: did you mean 'values.json'?"),
        ({"x-istio-since": "1.99"}, f"'1.99' is not a known Istio release: known are 1.15 to {NEWEST}"),
        ({"x-istio-required-since": "2"}, f"'2' is not a known Istio release: known are 1.15 to {NEWEST}"),
        ({"x-istio-since": "1.15"}, "is since 1.15, which is the first release: leave x-istio-since out"),
        ({"x-istio-until": NEWEST}, f"is known until {NEWEST}, which is the newest release: leave x-istio-until out"),
        ({"x-istio-since": "1.22", "x-istio-until": "1.21"}, "is known since 1.22, after its end 1.21"),
        (OVERLAPPING, "has records for Istio to 1.22 and for Istio from 1.22, which overlap"),
    ],
)
def test_a_wrong_field_is_refused(node: Any, message: str | None) -> None:
    """Each mistake in a field is refused with the file, the place and the way out."""
    expected = message or "'items' is not a valid keyword here: use format or type or x-istio-by-hand or"
    with pytest.raises(SchemaDataError) as caught:
        read_field(node)
    assert str(caught.value).startswith(f"test.json: M.maxSize: {expected}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (schema_text(decoding="proto"), "x-istio-decoding: 'proto' is not a valid value: did you mean 'protobuf'?"),
        (schema_text({"x-istio-since": "1.17"}, **{"x-istio-since": "1.18"}),
         "M.maxSize: is for Istio from 1.17, but what it is in is for Istio from 1.18"),
        (schema_text(required=["maxSize"]), "M: 'required' is not a valid keyword here: use properties or type or"),
        (schema_text(type="array"), "M: 'array' is not a valid type of a message: use object"),
        ('{"x-istio-decoding": "crd"}', "lacks the keyword '$defs'"),
        ("[]", "must be an object, not []"),
        ('{"$defs": {"M": {}, "M": {}}}', "'M' is there twice: keep one"),
        ("{", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused(text: str, message: str) -> None:
    """Each mistake in a message or a file is refused with the file, the place and the way out."""
    with pytest.raises(SchemaDataError) as caught:
        parse_schema(text, "test.json")
    assert str(caught.value).startswith(f"test.json: {message}")


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_files(name: str) -> None:
    """Every file is read without an error, and is a valid JSON Schema."""
    text = resources.files("extcp_manifests.istio.schema").joinpath("data", f"{name}.json").read_text("utf-8")
    schema = parse_schema(text, f"{name}.json")
    assert dict(schema.messages) == dict(read_schema(name).messages)
    assert dict(schema.enums) == dict(read_schema(name).enums)
    jsonschema.Draft202012Validator.check_schema(json.loads(text))


def test_every_file_is_known() -> None:
    """There is no JSON file beside the reader that nothing reads."""
    folder = resources.files("extcp_manifests.istio.schema").joinpath("data")
    assert sorted(each.name for each in folder.iterdir() if each.name.endswith(".json")) == [
        f"{name}.json" for name in SCHEMAS
    ]
