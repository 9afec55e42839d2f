"""Validation of Gateways, VirtualServices and DestinationRules."""

import json
from collections.abc import Iterator
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from extcp_manifests import InvalidInput, load, plan, yaml
from extcp_manifests.istio.releases import RELEASES, Release, find_release
from extcp_manifests.istio.rules.networking import validate_networking
from extcp_manifests.istio.schema.decoder import decode
from extcp_manifests.istio.schema.tables import read_schema

TESTS = Path(__file__).parents[2]
KINDS = {"gateway": "Gateway", "virtual_service": "VirtualService", "destination_rule": "DestinationRule"}
TOPOLOGIES = ["examples/guide", "tests/topologies/ip", "tests/topologies/revision"]


def cases(name: str) -> list[Any]:
    suite = yaml.load((Path(__file__).parent / f"cases/{name}.yaml").read_bytes())
    return [
        pytest.param(
            suite.get("base"), case, release, id=f"{release}-{json.dumps(case.get('change', case.get('spec')))}"
        )
        for case in suite["cases"]
        for release in case["releases"]
    ]


def check(document: dict[str, Any], case: Any, release: str, start: str) -> None:
    """The document has exactly the errors and warnings of the case."""
    found = validate_networking(document, release=release)
    assert [str(problem) for problem in found.errors] == [f"{start}{each}" for each in case.get("errors", [])]
    assert [str(problem) for problem in found.warnings] == [f"{start}{each}" for each in case.get("warnings", [])]


@pytest.mark.parametrize(("base", "case", "release"), cases("gateway"))
def test_gateways(base: Any, case: Any, release: str) -> None:
    """Hosts, ports, protocols and TLS of the second of two servers, by release."""
    server = {**base, **case["change"]}
    for key in ("port", "tls"):
        change = case["change"].get(key, {})
        server[key] = None if change is None else {**base[key], **change}
    other = {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}
    metadata = {"name": "g", "namespace": "ns"}
    document = {"kind": "Gateway", "metadata": metadata, "spec": {"servers": [other, server]}}
    check(document, case, release, "spec.servers[1].")


@pytest.mark.parametrize("name", ["virtual_service", "destination_rule"])
def test_specs(name: str) -> None:
    """Routes, destinations, policies and subsets, by release."""
    for parameters in cases(name):
        _, case, release = parameters.values
        document = {"kind": KINDS[name], "metadata": {"name": "x", "namespace": "ns"}, "spec": case["spec"]}
        check(document, case, release, "")


def test_gateways_as_a_whole() -> None:
    """Names, missing servers and port names that appear twice; a null server is refused before all that."""
    server = {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}
    document = {"kind": "Gateway", "metadata": {"name": "a.b"}, "spec": {"servers": [server, server]}}
    assert [str(problem) for problem in validate_networking(document, release="1.24").errors] == [
        "metadata.name: is 'a.b', which is not a valid DNS label: use letters, digits and inner '-'",
        "spec.servers[1].port.name: is 'http' like another server's: choose another",
    ]
    null = {"kind": "Gateway", "metadata": {"name": 5}, "spec": {"servers": [server, None]}}
    assert [str(problem) for problem in validate_networking(null, release="1.24").errors] == [
        "metadata.name: must be text, not the number 5: put it in quotes",
        "spec.servers[1]: is null: leave it out",
    ]
    empty = {"kind": "Gateway", "metadata": {"name": "a"}}
    assert [str(problem) for problem in validate_networking(empty, release="1.24").errors] == [
        "spec.servers: is empty: add a server"
    ]


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_our_own_documents(topology: str, release: str) -> None:
    """Every networking document that we write has neither errors nor warnings, in every release."""
    seen = set()
    for step in plan(load(TESTS.parent / f"{topology}.yaml", release=release)).steps:
        for document in step.documents:
            if (kind := document.plain().get("kind")) in KINDS.values():
                found = validate_networking(document, release=release)
                assert (found.errors, found.warnings) == ((), ()), step.path
                seen.add(kind)
    assert {"Gateway", "VirtualService"} <= seen


FORMATS = jsonschema.FormatChecker(formats=())
FORMATS.checks("int32")(lambda value: not isinstance(value, int | float) or -(2**31) <= value < 2**31)


@cache
def facts(path: Path) -> Any:
    return json.loads(path.read_text())


def need_facts(guide: Path, release: str) -> Path:
    """Return the folder of the CRDs, which must have the release."""
    folder = guide.parent / "reference/schema/crds"
    if release not in facts(folder / "gateway.json")["releases"]:
        pytest.skip(f"the CRDs beside this checkout have no Istio {release}")
    return folder


@cache
def validator(path: Path, release: str, version: str) -> jsonschema.Draft202012Validator:
    """What checks documents by a CRD's schema."""
    key = facts(path)["releases"][release]["schemas"][version]
    return jsonschema.Draft202012Validator(facts(path)["schemas"][key], format_checker=FORMATS)


@pytest.mark.parametrize("release", RELEASES)
def test_the_schema_of_the_crds_agrees(guide: Path, release: str) -> None:
    """The API server's schema for the version that we write accepts our documents."""
    folder = need_facts(guide, release)
    for topology in TOPOLOGIES:
        for step in plan(load(TESTS.parent / f"{topology}.yaml", release=release)).steps:
            for document in step.documents:
                plain = document.plain()
                name = {kind: name for name, kind in KINDS.items()}.get(plain.get("kind", ""))
                if name is not None:
                    version = plain["apiVersion"].split("/")[1]
                    assert list(validator(folder / f"{name}.json", release, version).iter_errors(plain)) == []


NUMBERS = [0, 1, -1, 0.5, 100, 443.0, 599, 600, 2**31, -(2**31) - 1, 2**32 - 1, 2**32]


@st.composite
def messages(draw: st.DrawFn, name: str) -> Any:
    """A message of some fields that a release of the CRDs has, nearly always with those that a release requires."""
    fields = read_schema("networking").messages[name]
    names = set(draw(st.lists(st.sampled_from([field.name for field in fields]), max_size=3)))
    if draw(st.integers(0, 9)):
        names |= {field.name for field in fields if field.required}
    return {
        name: draw(values(draw(st.sampled_from([field.type for field in fields if field.name == name]))))
        for name in sorted(names)
    }


@st.composite
def values(draw: st.DrawFn, type_: str) -> Any:
    """A value of a type, or rarely another. No list is empty, and no text is a duration that a CEL rule refuses."""
    if not draw(st.integers(0, 29)):
        return draw(st.sampled_from(["1s", True, 1, 2.5, [1], {}, {"1s": [1]}, None]))
    kind, _, inner = type_.partition(":")
    words = [word.name for word in read_schema("networking").enums.get(inner, ())]
    kinds: dict[str, st.SearchStrategy[Any]] = {
        "message": messages(inner),
        "list": st.lists(values(inner).filter(lambda item: item is not None), min_size=1, max_size=2),
        "map": st.dictionaries(st.just("k"), values(inner).filter(lambda item: item is not None)),
        "enum": st.sampled_from([*words, *words, "1s", 1]),
        "bool": st.booleans(),
        "string": st.just("1s"),
        "interval": st.just("1s"),
        "struct": st.just({}),
    }
    return draw(kinds.get(kind, st.sampled_from(NUMBERS)))


def pruned(value: Any) -> Any:
    """The value without null keys, which the API server drops."""
    if isinstance(value, dict):
        return {key: pruned(item) for key, item in value.items() if item is not None}
    return [pruned(item) for item in value] if isinstance(value, list) else value


def is_twice_hashed(value: Any) -> bool:
    """Whether a load balancer beside `simple` has two hashes or algorithms, which CRDs up to 1.19 do not see."""
    if isinstance(value, dict) and "simple" in value and isinstance(value.get("consistentHash"), dict):
        keys = set(value["consistentHash"])
        groups = ({"httpHeaderName", "httpCookie", "useSourceIp", "httpQueryParameterName"}, {"maglev", "ringHash"})
        return any(len(keys & group) > 1 for group in groups)
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(is_twice_hashed(item) for item in items)


@pytest.mark.parametrize("name", KINDS)
@given(data=st.data(), release=st.sampled_from(list(RELEASES)))
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_the_decoder_refuses_what_the_crds_refuse(guide: Path, name: str, data: st.DataObject, release: str) -> None:
    """Any spec has an error exactly if a version of the release's CRD does not take it, CEL rules aside."""
    message = f"{KINDS[name]}Spec"
    spec = data.draw(messages(message))
    kept = pruned(spec)
    assume(release not in list(RELEASES)[:5] or not is_twice_hashed(kept))
    path = guide.parent / f"reference/schema/crds/{name}.json"
    assume(release in facts(path)["releases"])
    versions = facts(path)["releases"][release]["served"]
    refused = [list(validator(path, release, version).iter_errors({"spec": kept})) for version in versions]
    found = decode(read_schema("networking"), message, spec, find_release(release)).errors
    assert bool(found) == any(refused), (spec, found, refused)


def good(type_: str, release: Release) -> Any:
    """A value that the type takes."""
    kind, _, inner = type_.partition(":")
    schema = read_schema("networking")
    match kind:
        case "message":
            fields = schema.fields(inner, release).values()
            return {field.name: good(field.type, release) for field in fields if field.required_in(release)}
        case "list":
            return [good(inner, release)]
        case "map":
            return {"k": good(inner, release)}
        case "enum":
            return next(iter(schema.values(inner, release)))
        case _:
            return {"bool": True, "string": "1s", "interval": "1s"}.get(kind, 100)


def tried(type_: str) -> list[Any]:
    """Values that the type takes or not; no text is a duration that a CEL rule refuses."""
    kind, _, inner = type_.partition(":")
    match kind:
        case "list":
            return [1, {}, *([item] for item in tried(inner) if item is not None)]
        case "map":
            return [1, [1], *({"k": item} for item in tried(inner) if item is not None)]
        case "enum":
            return ["x", 1, *(word.name for word in read_schema("networking").enums[inner])]
        case "integer" | "number" | "int32" | "uint32":
            return ["1", None, True, 2, 99, 101, *NUMBERS]
        case _:
            return ["1s", None, True, 1, [1], {}]


def parts(message: str, part: Any, release: Release) -> Iterator[tuple[str, Any]]:
    """The messages that a message reaches, itself among them, with what the CRD has of each."""
    yield message, part
    for field in read_schema("networking").fields(message, release).values():
        kind, _, inner = field.type.rpartition(":")
        if kind.endswith("message") and field.name in part["properties"]:
            below = part["properties"][field.name]
            for level in {"list:message": ["items"], "map:message": ["additionalProperties"]}.get(kind, []):
                below = below[level]
            yield from parts(inner, below, release)


@cache
def takes(part: str, message: str) -> bool:
    """Whether a part of a CRD, as JSON, takes a message."""
    return not list(part_validator(part).iter_errors(json.loads(message)))


@cache
def part_validator(part: str) -> jsonschema.Draft202012Validator:
    """What checks messages by a part of a CRD."""
    return jsonschema.Draft202012Validator(json.loads(part), format_checker=FORMATS)


@pytest.mark.parametrize("release", RELEASES)
def test_each_key_by_the_crds(guide: Path, release: str) -> None:
    """In every message each key is refused, required, or refused beside another, exactly if the CRD says so."""
    folder = need_facts(guide, release)
    schema, record = read_schema("networking"), find_release(release)
    seen = set()
    for name, kind in KINDS.items():
        crd = facts(folder / f"{name}.json")
        for key in crd["releases"][release]["schemas"].values():
            spec = crd["schemas"][key]["properties"]["spec"]
            seen |= {(message, json.dumps(part)) for message, part in parts(f"{kind}Spec", spec, record)}
    assert len(seen) > 40
    for message, part in sorted(seen):
        base = good(f"message:{message}", record)
        fields = [
            each for each in schema.fields(message, record).values() if each.name in json.loads(part)["properties"]
        ]
        changes = [{field.name: value} for field in fields for value in tried(field.type)]
        changes += [{each.name: good(each.type, record) for each in pair} for pair in combinations(fields, 2)]
        for change in [{}, *changes, *({field.name: None} for field in fields)]:
            given = {**base, **change}
            errors = decode(schema, message, given, record).errors
            assert bool(errors) != takes(part, json.dumps(pruned(given))), (message, given, errors)


@pytest.mark.parametrize("document", [{}, {"kind": "Namespace"}, {"kind": None}])
def test_other_kinds(document: Any) -> None:
    """A document of another kind is refused."""
    with pytest.raises(InvalidInput, match=r"give a Gateway, VirtualService or DestinationRule$"):
        validate_networking(document, release="1.24")


@given(
    st.sampled_from(list(KINDS.values())),
    st.dictionaries(
        st.sampled_from(["hosts", "http", "tls", "tcp", "servers", "trafficPolicy", "subsets", "exportTo", "gateways"]),
        st.none()
        | st.lists(st.none() | st.just("*") | st.dictionaries(st.sampled_from(["match", "route"]), st.none())),
    ),
    st.sampled_from(list(RELEASES)),
)
def test_validation_ends_for_strange_specs(kind: str, spec: Any, release: str) -> None:
    """Empty and missing parts, wherever they are, are reported or pass, and never crash."""
    spec.pop("trafficPolicy", None)
    validate_networking({"kind": kind, "metadata": None, "spec": spec}, release=release)


@given(st.lists(st.text("/ab", min_size=1, max_size=4), min_size=1, max_size=9))
def test_overlapping_prefixes(prefixes: list[str]) -> None:
    """A match is reported exactly if an earlier one has its prefix, or a part of it from the beginning."""
    route = {"match": [{"uri": {"prefix": prefix}} for prefix in prefixes], "route": [{"destination": {"host": "a"}}]}
    document = {"kind": "VirtualService", "metadata": {"name": "x"}, "spec": {"hosts": ["a"], "http": [route]}}
    reported = {problem.path for problem in validate_networking(document, release="1.30").warnings}
    expected = {
        f"spec.http[0].match[{number}]"
        for number, prefix in enumerate(prefixes)
        if any(prefix.startswith(before) for before in prefixes[:number])
    }
    assert reported == expected


HOSTS = st.sampled_from(["*", "*.a", "*b.a", "*.b.a", "a.a", "b.a", "c.b.a", "b.b.a", "b"])


@given(st.lists(HOSTS, max_size=6))
def test_overlapping_hosts(hosts: list[str]) -> None:
    """Exactly the hosts that share names with another are reported; the same two hosts never twice."""
    spec = {"hosts": hosts, "gateways": ["g"], "http": [{"route": [{"destination": {"host": "a"}}]}]}
    document = {"kind": "VirtualService", "metadata": {"name": "x"}, "spec": spec}
    overlapping = [
        {one, other}
        for one, other in combinations(hosts, 2)
        if one == other
        or (one[:1] == "*" and other.removeprefix("*").endswith(one[1:]))
        or (other[:1] == "*" and one.removeprefix("*").endswith(other[1:]))
    ]
    messages = [each.message for each in validate_networking(document, release="1.30").errors if hosts]
    reported = [set(message.split("'")[1:4:2]) for message in messages]
    assert all(pair in overlapping for pair in reported)
    assert len({frozenset(pair) for pair in reported}) == len(reported)
    assert set[str]().union(*reported) == set[str]().union(*overlapping)


MANY = 5_000


@pytest.mark.parametrize(
    ("kind", "spec", "reported"),
    [
        ("VirtualService", {"hosts": ["a.b"] * MANY}, 1),
        ("VirtualService", {"hosts": ["*"] * MANY, "gateways": ["n/g"] * MANY}, 1),
        ("VirtualService", {"hosts": [f"*.{number}.b" for number in range(MANY)]}, 0),
        ("VirtualService", {"hosts": ["*.b", *(f"{number}.b" for number in range(MANY))]}, MANY),
        ("VirtualService", {"hosts": ["a.b"], "gateways": ["n/g"] * MANY}, 0),
        ("VirtualService", {"hosts": ["a.b"], "http": [{"timeout": "x", "retries": {"attempts": "x"}}] * MANY}, None),
        ("DestinationRule", {"host": "a", "subsets": [{"name": "v"}] * MANY}, MANY - 1),
    ],
)
def test_long_lists_take_time_in_proportion(kind: str, spec: dict[str, Any], reported: int | None) -> None:
    """Each item is looked at once, and what is repeated is reported at most once for each item."""
    routes = {"http": [{"route": [{"destination": {"host": "a"}}]}]} if kind == "VirtualService" else {}
    document = {"kind": kind, "metadata": {"name": "x"}, "spec": {**routes, **spec}}
    errors = validate_networking(document, release="1.30").errors
    assert len(errors) == (reported if reported is not None else 3 * MANY)


@pytest.mark.parametrize("name", KINDS.values())
def test_other_groups(name: str) -> None:
    """A document of another API group is refused, whatever its kind."""
    with pytest.raises(InvalidInput, match=r"give a Gateway, VirtualService or DestinationRule$"):
        validate_networking({"apiVersion": "gateway.networking.k8s.io/v1", "kind": name}, release="1.24")


MATCHES = st.lists(
    st.tuples(st.sampled_from(["/", "/a", "/ab"]), *[st.sampled_from(["", "x", "xy", "y"])] * 3), min_size=30
)


@given(MATCHES)
@settings(max_examples=50)
def test_overlapping_matches_with_headers(matches: list[tuple[str, str, str, str]]) -> None:
    """Of many matches of one prefix the first that takes a later one's requests is reported, as by comparing all."""
    unique = list(dict.fromkeys(matches))
    routes = []
    for prefix, *texts in unique:
        match: dict[str, Any] = {"uri": {"prefix": prefix}, "headers": {}}
        for name, text in zip("abc", texts, strict=True):
            match["headers"][name] = {"exact": text} if text else {"regex": ".*"}
        routes.append({"match": [match], "route": [{"destination": {"host": "a"}}]})
    document = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "a"},
        "spec": {"hosts": ["a.example.com"], "http": routes},
    }
    expected: dict[str, str] = {}
    for later, (prefix, *texts) in enumerate(unique):
        for first, (shorter, *others) in enumerate(unique[:later]):
            if prefix == shorter or not prefix.startswith(shorter):
                continue
            if all(other.startswith(text) for other, text in zip(others, texts, strict=True)):
                expected[f"spec.http[{later}].match[0]"] = f"spec.http[{first}].match[0]"
                break
    reported: dict[str, str] = {}
    for problem in validate_networking(document, release="1.30").warnings:
        if problem.message.startswith("is hardly used: "):
            reported[problem.path] = problem.message.removeprefix("is hardly used: ").split(" ")[0]
    assert reported == expected
