"""Which release of Istio a document names: by tags of images, labels and the like."""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any

from extcp_manifests import yaml
from extcp_manifests.documents.lookup import EACH, at, each_at, text_of
from extcp_manifests.errors import InvalidInput, Path, path_text
from extcp_manifests.istio.kinds import INSTALL, OURS, likely_group
from extcp_manifests.istio.releases import RELEASES
from extcp_manifests.patterns import pattern
from extcp_manifests.records import Record


class NamedRelease(Record):
    """A release that a document names, and where it does."""

    release: str
    place: Path

    @property
    def path(self) -> str:
        """The place as text."""
        return path_text(self.place)


def release_named_by(document: Mapping[str, Any]) -> NamedRelease | None:
    """Return the release that a document names, or None; the first place that names one counts."""
    known, _ = releases_in(document)
    return known


def releases_in(document: Mapping[str, Any]) -> tuple[NamedRelease | None, NamedRelease | None]:
    """Return the release that a document names; where it names none, what else is there, as the tag `latest`."""
    unknown: NamedRelease | None = None
    for value in _values_that_name(document):
        if value.release in RELEASES:
            return NamedRelease(value.release, value.place), None
        if unknown is None and (value.release or (value.is_version and value.text)):
            unknown = NamedRelease(value.text, value.place)
    return None, unknown


def releases_named_by(texts: Iterable[str | bytes]) -> list[NamedRelease]:
    """Return the different releases that the documents of texts name, each with the first place that names it.

    A text that is not YAML names none; whoever reads it for its own sake reports what is wrong with it.
    """
    named: dict[str, NamedRelease] = {}
    for text in texts:
        with suppress(InvalidInput):
            for document in yaml.load_all(text):
                found = release_named_by(document) if isinstance(document, Mapping) else None
                if found is not None:
                    named.setdefault(found.release, found)
    return list(named.values())


class _Value(Record):
    """A value at a place that may name a release."""

    place: Path
    text: str
    """The value; empty where it is not text."""
    release: str
    """The minor in it, known or not; empty where there is none."""
    is_version: bool
    """Whether nothing but a version is written there; labels and images of any document may hold other things."""


def _values_that_name(document: Mapping[str, Any]) -> Iterator[_Value]:
    labels = at(document, "metadata", "labels")
    is_istio = at(labels, "app.kubernetes.io/part-of") == "istio"
    for row in _rows(likely_group(document), text_of(document, "kind")):
        if (row.only_of_istio and not is_istio) or (row.group == _ANY and not labels):
            continue
        for place, value in each_at(document, row.place):
            text = text_of(value)
            is_version = row.group != _ANY and row.form is _VERSION
            yield _Value(place, text, _release_in(text, row.form), is_version)


def _release_in(text: str, form: re.Pattern[str]) -> str:
    found = form.fullmatch(text) if len(text) < 1000 else None
    return "" if found is None else found[1]


_ANY = "*"


_VERSION = pattern(r"v?(1\.[0-9]{1,3})(?:[.-].*)?", re.DOTALL)


_CHART = pattern(r"(?:istiod|base|gateway|cni|ztunnel|istio-[a-z]+)-v?(1\.[0-9]{1,3})\..*", re.DOTALL)


_IMAGE = pattern(r".*/(?:pilot|proxyv2)[^/:]*:v?(1\.[0-9]{1,3})(?:[.-].*)?", re.DOTALL)


class _Row(Record):
    """A place in the documents of a kind that names the release."""

    group: str
    kind: str
    place: Path
    """The place, in which EACH may occur."""
    form: re.Pattern[str] = _VERSION
    """The form of what names it; its first group is the minor."""
    only_of_istio: bool = False
    """Whether the document must have the label by which Istio's charts mark what is Istio's."""


_ROWS = (
    _Row(OURS, "ExternalControlPlane", ("spec", "release")),
    _Row(INSTALL, "IstioOperator", ("spec", "tag")),
    _Row(INSTALL, "IstioOperator", ("spec", "values", "global", "tag")),
    _Row(INSTALL, "IstioOperator", ("spec", "values", "pilot", "tag")),
    _Row(INSTALL, "IstioOperator", ("spec", "components", EACH, "tag")),
    _Row(INSTALL, "IstioOperator", ("spec", "components", EACH, EACH, "tag")),
    _Row("sailoperator.io", "Istio", ("spec", "version")),
    _Row("apps", "Deployment", ("spec", "template", "spec", "containers", EACH, "image"), _IMAGE),
    _Row(_ANY, _ANY, ("metadata", "labels", "operator.istio.io/version")),
    _Row(_ANY, _ANY, ("metadata", "labels", "helm.sh/chart"), _CHART),
    # Any project may use this label; istio 1.24.6: charts set part-of to istio beside it.
    _Row(_ANY, _ANY, ("metadata", "labels", "app.kubernetes.io/version"), only_of_istio=True),
)


@lru_cache(maxsize=256)
def _rows(group: str, kind: str) -> tuple[_Row, ...]:
    """Return the rows for the documents of a kind."""
    return tuple(row for row in _ROWS if row.group in (group, _ANY) and row.kind in (kind, _ANY))
