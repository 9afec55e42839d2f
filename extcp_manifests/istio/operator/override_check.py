"""The check of a document with overrides by the rules of its release."""

from collections.abc import Iterator, Mapping
from typing import Any

from extcp_manifests.documents.findings import Found
from extcp_manifests.documents.lookup import at
from extcp_manifests.documents.paths import before_lists
from extcp_manifests.errors import Path, Problem, path_text
from extcp_manifests.istio.releases import Release
from extcp_manifests.istio.rules.istio_operator import validate_operator


def problems_of_operator(ours: Mapping[str, Any], whole: Mapping[str, Any], release: Release) -> Iterator[Problem]:
    """Yield what a release refuses in a document and did not refuse before a piece was laid over it.

    Places are those below `spec`.
    """
    if ours.get("kind") == "Istio":
        for problem in _problems_of_values(at(ours, "spec", "values"), at(whole, "spec", "values"), release):
            yield problem.under("values")
        return
    if ours.get("kind") != "IstioOperator":
        yield from _problems_of_values(ours, whole, release)
        return
    known = {_told(found) for found in validate_operator(ours, release=release).found}
    for found in validate_operator(whole, release=release).found:
        if not found.is_warning and _told(found) not in known:
            place = found.problem.place
            yield found.problem.with_(place=place[1:] if place[:1] == ("spec",) else place)


def _problems_of_values(ours: Mapping[str, Any], whole: Mapping[str, Any], release: Release) -> Iterator[Problem]:
    """Yield what istioctl would refuse in values of the chart istiod; the charts themselves accept every key.

    The chart gateway has a schema of its own, which Helm checks.
    """
    if "global" not in ours:
        return
    for problem in problems_of_operator(_with_values(ours), _with_values(whole), release):
        yield problem.with_(place=problem.place[1:])


def _with_values(values: Mapping[str, Any]) -> Mapping[str, Any]:
    shared = {key: value for key, value in values.items() if key not in ("profile", "revision", "meshConfig")}
    return {"apiVersion": "install.istio.io/v1alpha1", "kind": "IstioOperator", "spec": {"values": shared}}


def _told(found: Found) -> tuple[Path, str]:
    return found.problem.place, found.problem.message


def at_lists(problem: Problem) -> Problem:
    """Return a problem of a whole document as one of the piece, where items of lists have other places: at the list."""
    place = before_lists(problem.place)
    rest = problem.place[len(place) :]
    return problem.with_(place=place, message=f"{path_text(rest)}: {problem.message}" if rest else problem.message)
