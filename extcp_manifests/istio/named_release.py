"""Which release of Istio documents tell of themselves: by tags of images, labels and the like."""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from extcp_manifests import yaml
from extcp_manifests.documents.lookup import at, items_of, mapping_of, text_of
from extcp_manifests.errors import InvalidInput
from extcp_manifests.istio.kinds import INSTALL, OURS, likely_group
from extcp_manifests.istio.releases import RELEASES


@dataclass(frozen=True, slots=True)
class Told:
    """A release that a document tells, and the place that tells it."""

    release: str
    path: str


def told_release(document: Mapping[str, Any]) -> Told | None:
    """Return the release that a document tells, or None; the first place that tells one counts."""
    for teller, path, value in _told_values(document):
        release = _release_in(value, teller.form)
        if release is not None and release in RELEASES:
            return Told(release, path)
    return None


def told_unknown(document: Mapping[str, Any]) -> Told | None:
    """Return what a document tells that is no release known here, such as the tags `latest` and `1.99.0`, or None."""
    for teller, path, value in _told_values(document):
        is_version = teller.group != _ANY and teller.form is _VERSION  # labels and images may tell other things
        release = _release_in(value, teller.form)
        if (is_version and release is None and text_of(value)) or (release is not None and release not in RELEASES):
            return Told(value, path)
    return None


def _told_values(document: Mapping[str, Any]) -> Iterator[tuple["_Teller", str, Any]]:
    is_istio = at(document, "metadata", "labels", "app.kubernetes.io/part-of") == "istio"
    for teller in _tellers(likely_group(document), text_of(document, "kind")):
        if is_istio or not teller.part_of_istio:
            for path, value in _values(document, teller.path):
                yield teller, path, value


def told_of(texts: Iterable[str | bytes]) -> list[Told]:
    """Return the different releases that the documents of texts tell, each with the first place that tells it.

    A text that is not YAML tells none; whoever reads it for its own sake says what is wrong with it.
    """
    told: dict[str, Told] = {}
    for text in texts:
        with suppress(InvalidInput):
            for document in yaml.load_all(text):
                found = told_release(document) if isinstance(document, Mapping) else None
                if found is not None:
                    told.setdefault(found.release, found)
    return list(told.values())


_ANY = "*"


_VERSION = re.compile(r"v?(1\.[0-9]{1,3})(?:[.-].*)?", re.DOTALL)


_CHART = re.compile(r"(?:istiod|base|gateway|cni|ztunnel|istio-[a-z]+)-v?(1\.[0-9]{1,3})\..*", re.DOTALL)


_IMAGE = re.compile(r".*/(?:pilot|proxyv2)[^/:]*:v?(1\.[0-9]{1,3})(?:[.-].*)?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Teller:
    """A place that tells the release: a path of keys, in which `*` stands for every key or item."""

    group: str
    kind: str
    path: tuple[str, ...]
    form: re.Pattern[str] = _VERSION
    part_of_istio: bool = False
    """Whether the document must have the label that says that it is Istio's."""


_TELLERS = (
    _Teller(OURS, "ExternalControlPlane", ("spec", "release")),
    _Teller(INSTALL, "IstioOperator", ("spec", "tag")),
    _Teller(INSTALL, "IstioOperator", ("spec", "values", "global", "tag")),
    _Teller(INSTALL, "IstioOperator", ("spec", "values", "pilot", "tag")),
    _Teller(INSTALL, "IstioOperator", ("spec", "components", "*", "tag")),
    _Teller(INSTALL, "IstioOperator", ("spec", "components", "*", "*", "tag")),
    _Teller("sailoperator.io", "Istio", ("spec", "version")),
    _Teller("apps", "Deployment", ("spec", "template", "spec", "containers", "*", "image"), _IMAGE),
    _Teller(_ANY, _ANY, ("metadata", "labels", "operator.istio.io/version")),
    _Teller(_ANY, _ANY, ("metadata", "labels", "helm.sh/chart"), _CHART),
    # Any project may use this label; istio 1.24.6: charts set part-of to istio beside it.
    _Teller(_ANY, _ANY, ("metadata", "labels", "app.kubernetes.io/version"), part_of_istio=True),
)


@lru_cache(maxsize=256)
def _tellers(group: str, kind: str) -> tuple[_Teller, ...]:
    """Return the places that may tell the release in a document of a kind."""
    return tuple(each for each in _TELLERS if each.group in (group, _ANY) and each.kind in (kind, _ANY))


def _values(document: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    places: list[tuple[str, Any]] = [("", document)]
    for key in path:
        places = [below for place, value in places for below in _below(place, value, key)]
    return iter(places)


def _below(place: str, value: Any, key: str) -> Iterator[tuple[str, Any]]:
    if key != "*":
        if (found := at(value, key)) is not None:
            yield f"{place}.{key}".lstrip("."), found
        return
    for name, item in mapping_of(value).items():
        yield f"{place}.{name}", item
    for index, item in enumerate(items_of(value)):
        yield f"{place}[{index}]", item


def _release_in(value: Any, form: re.Pattern[str]) -> str | None:
    found = form.fullmatch(value) if isinstance(value, str) and len(value) < 1000 else None
    return found[1] if found else None
