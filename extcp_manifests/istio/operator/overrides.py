"""Overrides: pieces of a document that people lay over one of this library's, by which they say what it has no key for.

A piece adds to the document, and replaces what is open. It never takes away or changes what makes the installation one,
such as CLUSTER_ID, mounts, names of webhooks and addresses. Items of lists that have names, such as variables and
ports, and `k8s.overlays` are joined to ours; istioctl would replace such lists (istio 1.24.6 to 1.30.3:
operator/pkg/render/manifest.go), and ours would be lost.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from extcp_manifests import yaml
from extcp_manifests.documents.lookup import copied
from extcp_manifests.errors import Path, Problem, kind_of
from extcp_manifests.records import Record


class Replaced(Record):
    """A value of ours that an override replaces."""

    place: Path
    ours: Any
    theirs: Any


class OverrideResult(Record):
    """A document with pieces laid over it, and what came of that."""

    plain: dict[str, Any]
    replaced: tuple[Replaced, ...]
    problems: tuple[Problem, ...]
    """Why pieces are refused; the places are those in the pieces."""


def overridden(
    ours: Mapping[str, Any], piece: Mapping[str, Any], *, open_places: Collection[Path] = ()
) -> OverrideResult:
    """Return a document with a piece laid over it; neither is changed.

    Values at `open_places` may be replaced, all other ones of ours stay.
    """
    run = _Run(frozenset(open_places))
    plain = run.mapping(copied(ours), piece, ())
    return OverrideResult(plain, tuple(run.replaced), tuple(run.problems))


class _Run:
    """One laying over, and what it finds."""

    def __init__(self, open_places: frozenset[Path]) -> None:
        self._open_places = open_places
        self.replaced: list[Replaced] = []
        self.problems: list[Problem] = []

    def mapping(self, ours: dict[str, Any], theirs: Mapping[str, Any], place: Path) -> dict[str, Any]:
        """Lay one mapping over another, which is changed."""
        for key, value in theirs.items():
            below = (*place, key)
            if key in ours:
                ours[key] = self._value(ours[key], value, below)
            else:
                self._refuse_nulls(value, below)
                ours[key] = copied(value)
        return ours

    def _value(self, ours: Any, theirs: Any, place: Path) -> Any:
        if isinstance(ours, dict) and isinstance(theirs, Mapping):
            return self.mapping(ours, theirs, place)
        if isinstance(ours, list) and isinstance(theirs, list | tuple):
            return self._list(ours, theirs, place)
        if type(ours) is type(theirs) and ours == theirs:
            return ours
        if place in self._open_places and type(ours) is type(theirs):
            self.replaced.append(Replaced(place, ours, theirs))
            return theirs
        self.problems.append(Problem(place, _set_here(ours)))
        return ours

    def _list(self, ours: list[Any], theirs: Sequence[Any], place: Path) -> list[Any]:
        if place[-1] == "overlays":
            self._refuse_nulls(theirs, place)
            return [*ours, *copied(theirs)]
        if ours and not theirs:
            self.problems.append(Problem(place, "is empty, and would take away what is set here: leave it out"))
            return ours
        places = {_name(item): index for index, item in enumerate(ours)}
        for index, item in enumerate(theirs):
            name = _name(item)
            if name is None or None in places:
                if list(theirs) != ours:
                    self.problems.append(Problem(place, "is a list that is set here: leave it out"))
                return ours
            if name in places and "valueFrom" in item and "value" in ours[places[name]]:
                value = ours[places[name]]["value"]  # Kubernetes refuses a variable that has both
                self.problems.append(Problem((*place, index, "valueFrom"), _set_here(value)))
            elif name in places:
                ours[places[name]] = self.mapping(ours[places[name]], item, (*place, index))
            else:
                self._refuse_nulls(item, (*place, index))
                places[name] = len(ours)
                ours.append(copied(item))
        return ours

    def _refuse_nulls(self, value: Any, place: Path) -> None:
        if value is None:
            self.problems.append(Problem(place, "is null, which no document of ours carries: leave it out"))
        elif isinstance(value, Mapping):
            for key, item in value.items():
                self._refuse_nulls(item, (*place, key))
        elif isinstance(value, list | tuple):
            for index, item in enumerate(value):
                self._refuse_nulls(item, (*place, index))


def _set_here(ours: Any) -> str:
    if isinstance(ours, dict | list):
        return f"must be {kind_of(ours)}"
    text = yaml.dump(ours).rstrip()
    shown = text if len(text) <= 80 else f"{text[:40]}..."
    return f"is set to {shown} here, and the installation needs that value: leave it out"


def _name(item: Any) -> str | None:
    name = item.get("name") if isinstance(item, Mapping) else None
    return name if isinstance(name, str) else None
