"""Golden manifests: a pytest plugin that compares a plan's files, or documents, with those in a folder.

    def test_mesh(golden_manifests):
        golden_manifests(plan(load("mesh.yaml")), "golden/mesh")

`pytest --extcp-update-golden` makes the folder what it should be, and lists what it changed; under CI it is refused.
"""

import os
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn, TypeAlias, cast

import pytest

from extcp_manifests import yaml
from extcp_manifests.documents.kubernetes import Model, document_name
from extcp_manifests.errors import OutputError
from extcp_manifests.planning.folder.exchange import prepare, recover
from extcp_manifests.planning.plan import Plan

OPTION = "--extcp-update-golden"


Manifests: TypeAlias = Plan | Mapping[str, bytes | str] | Iterable[Model | Mapping[str, Any]]
"""A plan; files by their paths; or documents, each of which becomes a file of its own."""


_UPDATED = pytest.StashKey[list[str]]()


class GoldenManifests:
    """Compares manifests with a folder that holds nothing else; what the fixture `golden_manifests` gives."""

    def __init__(self, base: Path, test: Path, updated: list[str] | None) -> None:
        self._base = base
        self._test = test
        self._updated = updated

    def __call__(self, manifests: Manifests, folder: str | os.PathLike[str]) -> None:
        """Fail unless the folder holds the very bytes of these manifests, and no other file.

        A folder is relative to the test's own; what begins with a dot, or lies in a folder that does, is left alone.
        The report names documents and paths, and shows nothing that Secrets hold.
        """
        root = self._base / folder
        if root.resolve() in (self._test, *self._test.resolve().parents):
            _fail(f"{folder} holds the test itself: keep golden manifests in a folder of their own")
        if isinstance(manifests, Plan) and manifests.credentials:
            _fail("a plan with credentials has tokens in its files: leave the credentials out")
        if root.exists() and not root.is_dir():
            _fail(f"{folder} is not a folder: choose another")
        wanted = files_of(manifests)
        if problem := why_not_everywhere(wanted):
            _fail(problem)
        try:
            recover(root)
            stored = _stored(root)
            if wanted == stored:
                return
            if self._updated is None:
                _fail("\n".join(_report(str(folder), stored, wanted)))
            self._updated += [str(root / path) for path in _update(root, stored, wanted)]
        except OutputError as error:
            _fail(str(error))


def _fail(reason: str) -> NoReturn:
    pytest.fail(reason, pytrace=False)


def files_of(manifests: Manifests) -> dict[str, bytes]:
    """Manifests as files: a plan's with its runbook, and documents by kind, namespace and name."""
    if isinstance(manifests, Plan):
        return {**manifests.render(), "RUNBOOK.md": manifests.runbook().encode()}
    if isinstance(manifests, Mapping) and not {"kind", "apiVersion"} <= manifests.keys():
        named = cast("Mapping[str, bytes | str]", manifests)
        if not all(isinstance(text, bytes | str) for text in named.values()):
            _fail("files must be bytes or text: give a plan, files by their paths, or a list of documents")
        return {path: text.encode() if isinstance(text, str) else text for path, text in named.items()}
    files: dict[str, bytes] = {}
    if not isinstance(manifests, Iterable):
        _fail(f"{manifests!r:.100} is nothing to compare: give a plan, files by their paths, or a list of documents")
    documents: Iterable[Any] = [manifests] if isinstance(manifests, Mapping) else manifests
    for document in documents:
        plain = document.plain() if isinstance(document, Model) else document
        if not isinstance(plain, Mapping):
            _fail("a document must be a mapping: give a plan, files by their paths, or a list of documents")
        name = document_name(plain).lower().translate(_SAFE) or "document"
        number = 1
        while (path := f"{name}.yaml" if number == 1 else f"{name}-{number}.yaml") in files:
            number += 1
        files[path] = yaml.dump(plain).encode()
    return files


_SAFE = str.maketrans(dict.fromkeys('/ <>:"|?*\\', "-"))


def _stored(root: Path) -> dict[str, bytes]:
    stored = {}
    for path in sorted(root.rglob("*")):
        short = path.relative_to(root)
        hidden = any(part.startswith(".") for part in short.parts)
        if not hidden and path.is_file():
            stored[short.as_posix()] = path.read_bytes()
    return stored


def _update(root: Path, stored: Mapping[str, bytes], wanted: Mapping[str, bytes]) -> list[str]:
    """Make the folder what it should be, all of it or nothing, and return the paths that are different now."""
    changed = sorted(path for path in stored.keys() | wanted.keys() if stored.get(path) != wanted.get(path))
    for path in wanted:
        for folder in (root / path).relative_to(root).parents[:-1]:
            if (root / folder).is_symlink():
                _fail(f"{folder.as_posix()} is a link: golden files stand below folders, so remove it")
    with prepare(root) as stage:
        for path in changed:
            if path in wanted:
                stage.add(path, wanted[path])
        stage.commit(stored.keys(), wanted.keys())
    return changed


def _report(folder: str, stored: Mapping[str, bytes], wanted: Mapping[str, bytes]) -> Iterator[str]:
    from extcp_manifests.documents.compare import compare_files, report

    yield f"{folder} is not what is written now (- stored, + now):"
    for _, line in report(compare_files(stored, wanted)):
        yield f"  {line}"
    yield f"Run pytest {OPTION}, and review the change."


# ---------------------------------------------------------------------------------------------------------------- names


def why_not_everywhere(paths: Iterable[str]) -> str | None:
    """Return why some system could not hold files of these paths, or None."""
    files = set(paths)
    spellings: dict[str, str] = {}
    for path in sorted(files):
        for part in path.split("/"):
            if problem := _why_no_name(part):
                return f"{path!r} is not a path for a golden file: {problem}"
        for place in (path, *(folder.as_posix() for folder in PurePosixPath(path).parents[:-1])):
            if place != path and place in files:
                return f"{place!r} is a golden file and the folder of {path!r}: give one of them another name"
            other = spellings.setdefault(unicodedata.normalize("NFC", place.casefold()), place)
            if other != place:
                return f"{place!r} and {other!r} are one path on systems that ignore case: give one another name"
    return None


def _why_no_name(name: str) -> str | None:
    if not name or name.startswith("."):
        return "use names with '/' between them, and no dot before them"
    if len(name.encode("utf-8", "surrogatepass")) > 200:
        return "use names of at most 200 bytes"
    if not name.isprintable() or set(name) & set('<>:"|?*\\'):
        return 'leave out control characters and < > : " | ? * \\'
    if name.endswith((".", " ")):
        return "let no name end with a dot or a blank, which Windows drops"
    if name.partition(".")[0].rstrip().upper() in _DEVICES:
        return f"Windows takes {name!r} for a device, so choose another name"
    return None


# https://learn.microsoft.com/windows/win32/fileio/naming-a-file
_DEVICES = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"} | {
    f"{port}{number}" for port in ("COM", "LPT") for number in "0123456789\u00b9\u00b2\u00b3"
}


# --------------------------------------------------------------------------------------------------------------- pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the one option, in a group of its own."""
    group = parser.getgroup("extcp-manifests", "golden manifests")
    group.addoption(OPTION, action="store_true", help="rewrite golden manifests, and list what changed")


# GitHub, GitLab and others; Azure Pipelines; Jenkins.
_CI = ("CI", "TF_BUILD", "JENKINS_URL", "BUILD_NUMBER")


def pytest_configure(config: pytest.Config) -> None:
    """Refuse to rewrite under CI, where nobody would look."""
    if config.getoption(OPTION):
        if any(os.environ.get(name) for name in _CI):
            raise pytest.UsageError(f"{OPTION} is refused under CI: update by hand, and review the change")
        config.stash[_UPDATED] = []


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """List what was rewritten."""
    if config.getoption(OPTION):
        updated = config.stash[_UPDATED]
        terminalreporter.write_sep("-", f"golden manifests: {len(updated)} files changed")
        for path in updated:
            terminalreporter.write_line(os.path.relpath(path, config.rootpath))


@pytest.fixture
def golden_manifests(request: pytest.FixtureRequest) -> GoldenManifests:
    """Compare manifests with a folder: `golden_manifests(plan, "golden/mesh")`."""
    return GoldenManifests(request.path.parent, request.path, request.config.stash.get(_UPDATED, None))
