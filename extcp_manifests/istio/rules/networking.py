"""What istiod's webhook reports of a Gateway, a VirtualService or a DestinationRule, by release.

Source: istio 1.15.7: pkg/config/validation/validation.go; 1.30.3: pkg/config/validation/{validation,virtualservice}.go,
pkg/config/validation/agent/validation.go, pkg/config/{gateway,protocol,host}. Read; of VirtualServices 1.30.3 and the
branch release-1.31 were run too. What the API server makes of a document comes first: keys that the CRD does not know
never reach istiod, and a wrong type ends it there; here the rules then look at what could be read. Conflicts between
documents are `istioctl analyze`'s.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from extcp_manifests import yaml
from extcp_manifests.documents.findings import Findings, Found, as_errors, as_warnings
from extcp_manifests.documents.model import Model
from extcp_manifests.errors import InvalidInput, Problem
from extcp_manifests.istio.releases import Release, find_release
from extcp_manifests.istio.rules import destination_rule, gateway, virtual_service
from extcp_manifests.istio.rules.rows import RuleRow, RuleTree, rows_of
from extcp_manifests.istio.schema.decoder import Finding, decode
from extcp_manifests.istio.schema.tables import read_schema
from extcp_manifests.records import Record

GROUP = "networking.istio.io"


def validate_networking(document: Model | Mapping[str, Any], *, release: Release | str) -> Findings:
    """Validate a Gateway, VirtualService or DestinationRule, typed or plain.

    Paths begin with the document's `metadata` or `spec`. Raises InvalidInput for a document of another kind.
    """
    given: Any = document.plain() if isinstance(document, Model) else document
    if not isinstance(given, Mapping):
        raise InvalidInput([Problem((), "must be a mapping with `kind: Gateway`, VirtualService or DestinationRule")])
    yaml.require_plain(given)
    record = find_release(release)
    version = given.get("apiVersion")
    is_other = isinstance(version, str) and version.rpartition("/")[0] != GROUP
    if is_other or not _rules(str(given.get("kind")), record):
        problem = f"is {given.get('kind')!r}: give a Gateway, VirtualService or DestinationRule"
        raise InvalidInput([Problem(("kind",), problem)])
    return Findings(tuple(check_networking(given, record)))


def check_networking(document: Mapping[str, Any], release: Release) -> Iterator[Found]:
    """Do the same for a mapping of one of the kinds that is known to be plain data, as all that YAML gives."""
    admitted = _as_admitted(document, release)
    yield from as_errors(admitted.wrong, "networking/wrong-value")
    yield from as_warnings(admitted.unknown, "networking/unknown-key")
    wrong = [problem.place for problem in admitted.wrong]
    yield from _rules(document["kind"], release).run(admitted.plain, wrong)


class _Admitted(Record):
    """What the API server hands to the webhook, the keys that it drops, and the values that it refuses."""

    plain: Mapping[str, Any]
    unknown: Sequence[Problem]
    wrong: Sequence[Problem]


def _as_admitted(document: Mapping[str, Any], release: Release) -> _Admitted:
    schema = read_schema("networking")
    given = document.get("spec")
    is_readable = isinstance(given, Mapping)
    whole = decode(schema, "Networking", {**document, "spec": {}} if is_readable else document, release)
    spec = decode(schema, f"{document['kind']}Spec", given if is_readable else {}, release)
    plain = {**whole.value, "spec": spec.value}
    return _Admitted(
        plain=_without_gaps(plain) if whole.errors or spec.errors else plain,
        unknown=[*_problems(whole.unknown), *_problems(spec.unknown, "spec")],
        wrong=[*_problems(whole.errors), *(_problems(spec.errors, "spec") if is_readable or given is None else ())],
    )


def _without_gaps(value: Any) -> Any:
    """Leave out the values of mappings that could not be decoded; items of lists stay, so that the others are found."""
    if isinstance(value, Mapping):
        return {key: _without_gaps(item) for key, item in value.items() if item is not None}
    return [_without_gaps(item) for item in value] if isinstance(value, list) else value


def _problems(findings: Iterable[Finding], *place: str) -> Iterator[Problem]:
    return (Problem((*place, *each.path), each.message) for each in findings)


_ROWS: Mapping[str, Sequence[RuleRow]] = {
    "Gateway": gateway.ROWS,
    "VirtualService": virtual_service.ROWS,
    "DestinationRule": destination_rule.ROWS,
}


@cache
def _rules(kind: str, release: Release) -> RuleTree:
    return RuleTree(rows_of(_ROWS.get(kind, ()), release))
