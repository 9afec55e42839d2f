"""Validation of whole texts: which documents are in them, by which release's rules each is checked, and what was found.

Group and kind together decide what a document is; items of lists are documents too. What is not checked is counted, so
that nobody takes silence for approval.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from extcp_manifests import yaml
from extcp_manifests.documents.findings import Found, Level, as_errors, as_warnings, error, warning
from extcp_manifests.documents.identity import document_name
from extcp_manifests.documents.lookup import at, items_of, mapping_of, text_of
from extcp_manifests.errors import InvalidInput, Path, Problem, path_text, require
from extcp_manifests.istio.kinds import CORE, INSTALL, NETWORKING, OURS, check_identity, likely_group
from extcp_manifests.istio.mesh.networks import choose_mesh_networks
from extcp_manifests.istio.release_of_documents import NamedRelease, releases_in
from extcp_manifests.istio.releases import RELEASES, Release, find_release
from extcp_manifests.istio.rules.across_documents import OtherDocuments, check_agreement
from extcp_manifests.istio.rules.istio_operator import mesh_config_at, moved, validate_operator
from extcp_manifests.istio.rules.networking import check_networking
from extcp_manifests.records import Record

Check = Callable[[Mapping[str, Any], Release], Iterable[Found]]
"""What checks a document by the rules of a release."""

Checks = Mapping[tuple[str, str], Check]
"""The check of each kind that is checked, by API group and kind."""

NO_CHECKS: Checks = {}


class Result(Record):
    """A finding in a document of a file."""

    file: str
    document: str
    """Kind, namespace and name: `Gateway external-istiod/external-istiod-gw`; empty for the whole file."""
    level: Level
    place: Path
    message: str
    line: int | None = None
    rule: str = ""
    """The id of the rule, a key of `rule_ids.RULES`."""

    @property
    def path(self) -> str:
        """The place as text."""
        return path_text(self.place)

    def __str__(self) -> str:
        location = Problem((), "", self.file, self.line).location
        subject = " ".join(part for part in (self.document, self.level) if part)
        return str(Problem(self.place, self.message, f"{location} {subject}".strip()))


class Report(Record):
    """What a validation found, and what it looked at."""

    results: tuple[Result, ...]
    checked: int
    """How many documents were checked."""
    skipped: Mapping[str, int]
    """Why documents were not checked, and how many: `Deployment`, `without a kind`."""
    releases: tuple[str, ...]
    """The releases whose rules were used."""
    reason: str
    """Why these: a sentence's end."""
    accepted: int = 0
    """How many findings were left out, since people have accepted them."""

    @property
    def summary(self) -> str:
        """One line that says what was checked, by which rules, and what was not."""
        rules = f"by the rules of Istio {' and '.join(self.releases)}"
        levels = Counter(result.level for result in self.results)
        found = f"{_count(levels['error'], 'error')}, {_count(levels['warning'], 'warning')}"
        kinds = ", ".join(f"{number} {reason}" for reason, number in self.skipped.items())
        skipped = f"; skipped {sum(self.skipped.values())} ({kinds})" if self.skipped else ""
        accepted = f", {self.accepted} accepted" if self.accepted else ""
        return f"Checked {_count(self.checked, 'document')} {rules}: {found}{accepted}{skipped}; {self.reason}"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def validate_text(
    file: str, text: str | bytes, *, release: Release | str | None = None, more: Checks = NO_CHECKS
) -> list[Result]:
    """Return every finding in the documents of a text; `validate_texts` also returns what was not checked.

    The documents of a text are taken for those of one cluster, which must agree. Raises InvalidInput for an unknown
    release alone; a text that is not YAML is a result.
    """
    return list(validate_texts({file: text}, release=release, more=more).results)


def validate_texts(
    texts: Mapping[str, str | bytes], *, release: Release | str | None = None, more: Checks = NO_CHECKS
) -> Report:
    """Check the documents of texts by their names.

    IstioOperators, Gateways, VirtualServices and DestinationRules of Istio are checked, ConfigMaps with a key `mesh` or
    `meshNetworks`, and the kinds of further checks. Without a release the one counts that the documents name, or else
    the newest. Raises InvalidInput for an unknown release.
    """
    checks = {**_ISTIO, **more}
    files = [_read(name, text, checks) for name, text in texts.items()]
    entries = [entry for file in files for entry in file.entries]
    choice = _ReleaseChoice.of(entries, release)
    results: list[Result] = []
    if choice.differing is not None:
        name = next(file.name for file in files if any(entry.named is not None for entry in file.entries))
        results.append(Result(name, "", "warning", (), choice.differing, None, "document/release"))
    earlier = OtherDocuments(entry.document for entry in entries)
    for file in files:
        results += file.results(choice, earlier)
        for entry in file.entries:
            earlier.add(entry.document)
    kept = [entry for entry in entries if entry.skipped is None]
    skipped = Counter(entry.skipped for entry in entries if entry.skipped is not None)
    return Report(tuple(results), len(kept), dict(skipped), choice.used(kept), choice.reason)


def validate(
    documents: Iterable[Any], *, release: Release | str | None = None, more: Checks = NO_CHECKS
) -> Iterator[tuple[Mapping[str, Any], Level, Problem]]:
    """Yield every finding in plain documents, with its document and its level.

    Raises InvalidInput for an unknown release, and for data that YAML cannot hold.
    """
    require(documents, Iterable, ("documents",), "a list of documents")
    given = list(documents)
    for index, document in enumerate(given):
        yaml.require_plain(document, ("documents", index))
    checks = {**_ISTIO, **more}
    entries = [entry for number, document in enumerate(given) for entry in _entries(document, number, checks)]
    choice = _ReleaseChoice.of(entries, release)
    for entry, found in _found(entries, choice):
        document = entry.document if isinstance(entry.document, Mapping) else {}
        yield document, found.level, found.problem.under(*entry.place)


# ----------------------------------------------------------------------------------------------------------- documents


class _Entry(Record):
    """A document of a text, or an item of a list in one."""

    document: Any
    number: int
    """Which document of the text it is, or is in."""
    place: Path = ()
    """Where in that document: `items[0]`."""
    check: Check | None = None
    skipped: str | None = None
    """Why it is not checked."""
    named: NamedRelease | None = None
    """The release that it names."""
    unknown: NamedRelease | None = None
    """What it names where that is no release known here."""


def _entries(document: Any, number: int, checks: Checks) -> Iterator[_Entry]:
    """Yield a document, or what is in it if it is a list; items of a typed list may leave their kind out."""
    waiting = [_Entry(document, number)]
    while waiting:
        entry = waiting.pop()
        items = _items(entry.document)
        if items:
            waiting += [
                _Entry(_typed(item, entry.document), number, (*entry.place, "items", index))
                for index, item in reversed(list(enumerate(items)))
            ]
        else:
            yield _examined(entry, checks)


def _examined(entry: _Entry, checks: Checks) -> _Entry:
    """Return an entry with its check, or why there is none, and the release that it names."""
    check = _check_of(entry.document, checks)
    skipped = _why_skipped(entry.document, check, checks)
    if not isinstance(entry.document, Mapping):
        return entry.with_(check=check, skipped=skipped)
    named, unknown = releases_in(entry.document)
    return _Entry(entry.document, entry.number, entry.place, check, skipped, named, unknown)


def _is_list(document: Any) -> bool:
    return text_of(document, "kind").endswith("List") and "items" in document


def _items(document: Any) -> Sequence[Any]:
    return items_of(document["items"]) if _is_list(document) else ()


def _typed(item: Any, of: Mapping[str, Any]) -> Any:
    """Return an item with the kind of its list, which the API server leaves out of the items of a `GatewayList`."""
    kind = str(of["kind"]).removesuffix("List")
    if not isinstance(item, Mapping) or "kind" in item or not kind:
        return item
    version = {"apiVersion": of["apiVersion"]} if "apiVersion" in of else {}
    return {**version, "kind": kind, **item}


def _why_skipped(document: Any, check: Check | None, checks: Checks) -> str | None:
    """Return why a document is not checked, in the words of the summary, or None."""
    if document is None or document == {}:
        return "empty"
    if not isinstance(document, Mapping):
        return "not a mapping"
    if check is not None:
        data = document.get("data")
        is_other = likely_group(document) == CORE and not _MESH_KEYS & mapping_of(data).keys()
        return "ConfigMap without mesh config" if is_other and isinstance(data, Mapping | None) else None
    kind = document.get("kind")
    if kind is None or kind == "":
        return "without a kind"
    if _is_list(document):
        return f"empty {kind}"
    group = likely_group(document)
    is_like_ours = any(kind == ours for _, ours in checks)
    return f"{kind} of {group}" if is_like_ours and group else str(kind)


_MESH_KEYS = {"mesh", "meshNetworks"}


def _check_of(document: Any, checks: Checks) -> Check | None:
    kind = at(document, "kind")
    return checks.get((likely_group(document), kind)) if isinstance(kind, str) else None


# ------------------------------------------------------------------------------------------------------------- release

_NEWEST = list(RELEASES.values())[-1]


class _ReleaseChoice(Record):
    """By which release each document is checked, and why."""

    asked: Release | None
    """The release that was asked for, which then holds for all."""
    common: Release
    """The release for documents that name none."""
    named: Mapping[str, Sequence[_Entry]]
    """The documents that name a release, by that."""
    unknown: _Entry | None = None
    """The first document that names one that is not known here."""

    @classmethod
    def of(cls, entries: Sequence[_Entry], asked: Release | str | None) -> "_ReleaseChoice":
        if asked is not None:
            record = find_release(asked)
            return cls(record, record, {})
        named: dict[str, list[_Entry]] = {}
        for entry in entries:
            if entry.named is not None:
                named.setdefault(entry.named.release, []).append(entry)
        newest_named = max(named, key=list(RELEASES).index, default=_NEWEST.name)
        unknown = next((entry for entry in entries if entry.unknown is not None), None)
        return cls(None, RELEASES[newest_named], named, unknown)

    def for_entry(self, entry: _Entry) -> Release:
        if self.asked is not None:
            return self.asked
        return self.common if entry.named is None else RELEASES[entry.named.release]

    def used(self, entries: Iterable[_Entry]) -> tuple[str, ...]:
        """Return the releases by which entries are checked, in order."""
        used = {self.for_entry(entry).name for entry in entries} or {self.common.name}
        return tuple(name for name in RELEASES if name in used)

    @property
    def reason(self) -> str:
        """Why these: a sentence's end."""
        if self.asked is not None:
            return "the release is the one asked for"
        if self.named:
            first = self.named[self.common.name][0]
            path = first.named.path if first.named else ""
            return f"the release is named by {path} of {document_name(first.document)}"
        if self.unknown is not None and self.unknown.unknown is not None:
            unknown, subject = self.unknown.unknown, document_name(self.unknown.document)
            return (
                f"the release is the newest, since {unknown.path} of {subject} is {unknown.release[:80]!r}, "
                "which is not a release known here: use --release for another"
            )
        return "the release is the newest, since no document names one: use --release for another"

    @property
    def differing(self) -> str | None:
        """What to report where documents name different releases, or None."""
        parts = []
        for name, entries in self.named.items():
            # A topology has a release of its own, whatever the documents beside it are for.
            others = [entry for entry in entries if likely_group(entry.document) != OURS]
            if others:
                parts.append(f"{name} ({document_name(others[0].document)})")
        if len(parts) < 2:
            return None
        return (
            f"the documents name different releases: {', '.join(parts)}; each is checked by its own, "
            f"and those that name none by {self.common}: use --release for one"
        )


# ------------------------------------------------------------------------------------------------------------ findings


class _File(Record):
    """A text that was read."""

    name: str
    text: str | bytes
    entries: tuple[_Entry, ...] = ()
    problems: tuple[Found, ...] = ()
    """What is wrong with the whole text."""

    def results(self, choice: _ReleaseChoice, earlier: OtherDocuments) -> Iterator[Result]:
        """Yield every finding in the text, also what does not fit the documents of earlier ones."""
        for each in self.problems:
            yield Result(
                self.name, "", each.level, each.problem.place, each.problem.message, each.problem.line, each.rule
            )
        places: _Places | None = None  # only read where there is something to find
        for entry, found in _found(self.entries, choice, earlier):
            places = places or _Places(self.text)
            place = found.problem.under(*entry.place).place
            line = places.line(entry, found.problem)
            name = document_name(entry.document)
            yield Result(self.name, name, found.level, place, found.problem.message, line, found.rule)


def _read(name: str, text: str | bytes, checks: Checks) -> _File:
    try:
        documents = yaml.load_all(text)
    except InvalidInput as refusal:
        return _File(name, text, problems=tuple(as_errors(refusal.problems, "yaml/syntax")))
    if all(document is None for document in documents):
        problem = "holds no document: give the documents to check, and look whether what wrote it failed"
        return _File(name, text, problems=(error((), problem, "yaml/empty"),))
    entries = (entry for number, document in enumerate(documents) for entry in _entries(document, number, checks))
    return _File(name, text, tuple(entries))


def _found(
    entries: Sequence[_Entry], choice: _ReleaseChoice, earlier: OtherDocuments | None = None
) -> Iterator[tuple[_Entry, Found]]:
    """Yield what is wrong with each entry by itself, and then what is wrong with them together."""
    documents: list[Mapping[str, Any]] = []
    owners: dict[int, _Entry] = {}
    for entry in entries:
        if not isinstance(entry.document, Mapping):
            if entry.place:
                yield entry, error((), "must be a document, which is a mapping: leave it out", "document/list")
            continue
        documents.append(entry.document)
        owners.setdefault(id(entry.document), entry)
        for found in _of_one(entry, choice.for_entry(entry)):
            yield entry, found
    for document, found in check_agreement(documents, others=earlier):
        yield owners[id(document)], found


def _of_one(entry: _Entry, release: Release) -> Iterator[Found]:
    document = entry.document
    if _is_list(document) and not isinstance(document["items"], list | tuple | None):
        yield error(("items",), "must be a list of documents", "document/list")
    yield from check_identity(document, release)
    if entry.check is not None and entry.skipped is None:
        try:
            yield from entry.check(document, release)
        except InvalidInput as refusal:
            yield from as_errors(refusal.problems, "yaml/syntax")


class _Places:
    """The lines of a text, and of the texts of mesh config in it; each is read once, however much is found in it."""

    def __init__(self, text: str | bytes) -> None:
        self._lines = yaml.Lines(text)
        shown = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
        self._shown = shown.split("\n")
        self._inner: dict[str, yaml.Lines | None] = {}

    def line(self, entry: _Entry, problem: Problem) -> int | None:
        """Return the line of a problem, which for mesh config in a ConfigMap is one of the text in the text."""
        line = self._lines.line(problem.under(*entry.place).place, entry.number)
        for key in ("mesh", "meshNetworks"):
            inner_text = at(entry.document, "data", key)
            if line is not None and isinstance(inner_text, str) and problem.place[:2] == ("data", key):
                inner = problem.line or self._inner_line(inner_text, problem.place[2:])
                return line + inner if inner and self._begins_block(line) else line
        return line

    def _inner_line(self, text: str, path: Path) -> int | None:
        if text not in self._inner:
            self._inner[text] = _lines_of(text)
        lines = self._inner[text]
        return None if lines is None else lines.line(path)

    def _begins_block(self, line: int) -> bool:
        """Return whether a block begins in a line, so that the lines of the block are lines of the text."""
        return line <= len(self._shown) and yaml.begins_block(self._shown[line - 1])


def _lines_of(text: str) -> yaml.Lines | None:
    try:
        return yaml.Lines(text)
    except Exception:  # a text that is not YAML has a line of its own, or none
        return None


# -------------------------------------------------------------------------------------------------------------- checks


def _operator(document: Mapping[str, Any], release: Release) -> Iterable[Found]:
    return validate_operator(_without_version(document), release=release).found


def _networking(document: Mapping[str, Any], release: Release) -> Iterable[Found]:
    return check_networking(_without_version(document), release)


def _without_version(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Leave out apiVersion, which check_identity has checked."""
    return {key: value for key, value in document.items() if key != "apiVersion"}


def _config_map(document: Mapping[str, Any], release: Release) -> Iterator[Found]:
    data = document.get("data")
    if not isinstance(data, Mapping):
        yield error(("data",), "must be a mapping of text", "mesh-config/wrong-value")
        return
    if "mesh" in data:
        yield from mesh_config_at(("data", "mesh"), document, release, as_warnings)
    if "meshNetworks" in data:
        yield from _mesh_networks(("data", "meshNetworks"), document, release)


def _mesh_networks(place: Path, source: Any, release: Release) -> Iterator[Found]:
    try:
        choice = choose_mesh_networks(shared=None, local=source, release=release)
    except InvalidInput as refusal:
        yield from as_errors(moved(refusal.problems, place), "mesh-networks/refused")
        return
    yield from as_errors(moved(choice.problems, place), "mesh-networks/refused")
    for each in choice.ignored:
        yield warning((*place, *each.place), each.message, "mesh-networks/ignored")


_ISTIO: Checks = {
    (INSTALL, "IstioOperator"): _operator,
    (NETWORKING, "Gateway"): _networking,
    (NETWORKING, "VirtualService"): _networking,
    (NETWORKING, "DestinationRule"): _networking,
    (CORE, "ConfigMap"): _config_map,
}
