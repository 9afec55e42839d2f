"""Golden manifests: a pytest plugin that compares a plan's files, or documents, with those in a folder.

    def test_mesh(golden_manifests):
        golden_manifests(plan(load("mesh.yaml")), "golden/mesh")

The folder holds the manifests as they were reviewed. A test fails where even one byte is different now, so every change
of a topology or of this library appears in a review. `pytest --extcp-update-golden` rewrites the folder, and lists what
it changed; under CI it is refused.
"""

import os
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn, TypeAlias

import pytest

from extcp_manifests import yaml
from extcp_manifests.documents.identity import document_name
from extcp_manifests.documents.model import Model
from extcp_manifests.errors import OutputError
from extcp_manifests.planning.folder.exchange import prepare, recover
from extcp_manifests.planning.plan import Plan

Manifests: TypeAlias = Plan | Mapping[str, bytes | str] | Iterable[Model | Mapping[str, Any]]
"""A plan; files by their paths; or documents, each of which becomes a file of its own."""


# --------------------------------------------------------------------------------------------------------------- pytest

OPTION = "--extcp-update-golden"

_UPDATED = pytest.StashKey[list[str]]()
"""The files that this run has rewritten; only there where rewriting was asked for."""

# GitHub, GitLab and others; Azure Pipelines; Jenkins.
_CI = ("CI", "TF_BUILD", "JENKINS_URL", "BUILD_NUMBER")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the one option, in a group of its own."""
    group = parser.getgroup("extcp-manifests", "golden manifests")
    group.addoption(OPTION, action="store_true", help="rewrite golden manifests, and list what changed")


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
def golden_manifests(request: pytest.FixtureRequest) -> "GoldenManifests":
    """Compare manifests with a folder: `golden_manifests(plan, "golden/mesh")`."""
    return GoldenManifests(request.path.parent, request.path, request.config.stash.get(_UPDATED, None))


def _fail(reason: str) -> NoReturn:
    pytest.fail(reason, pytrace=False)


# ----------------------------------------------------------------------------------------------------------- comparing


class GoldenManifests:
    """Compares manifests with a folder that holds nothing else; this is what the fixture `golden_manifests` gives."""

    def __init__(self, base: Path, test: Path, updated: list[str] | None) -> None:
        """Take the folder that golden folders are relative to, the test's file, and where rewritten files are listed.

        Without such a list nothing is rewritten.
        """
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
        problem = why_not_everywhere(wanted)
        if problem:
            _fail(problem)
        try:
            recover(root)  # an update that was interrupted
            stored = _stored(root)
            if wanted == stored:
                return
            if self._updated is None:
                _fail("\n".join(_report(str(folder), stored, wanted)))
            for path in _update(root, stored, wanted):
                self._updated.append(str(root / path))
        except OutputError as error:
            _fail(str(error))


def _stored(root: Path) -> dict[str, bytes]:
    """Return the files of a golden folder by their paths, without hidden ones."""
    stored = {}
    for path in sorted(root.rglob("*")):
        short = path.relative_to(root)
        is_hidden = any(part.startswith(".") for part in short.parts)
        if not is_hidden and path.is_file():
            stored[short.as_posix()] = path.read_bytes()
    return stored


def _report(folder: str, stored: Mapping[str, bytes], wanted: Mapping[str, bytes]) -> Iterator[str]:
    # Imported here, since pytest loads this module in every run.
    from extcp_manifests.documents.compare import compare_files, report

    yield f"{folder} is not what is written now (- stored, + now):"
    for _, line in report(compare_files(stored, wanted)):
        yield f"  {line}"
    yield f"Run pytest {OPTION}, and review the change."


def _update(root: Path, stored: Mapping[str, bytes], wanted: Mapping[str, bytes]) -> list[str]:
    """Make the folder what it should be, all of it or nothing, and return the paths that are different now."""
    for path in wanted:
        for folder in PurePosixPath(path).parents:
            if folder.name and (root / folder).is_symlink():
                _fail(f"{folder.as_posix()} is a link: golden files stand below folders, so remove it")
    changed = sorted(path for path in stored.keys() | wanted.keys() if stored.get(path) != wanted.get(path))
    with prepare(root) as stage:
        for path in changed:
            if path in wanted:
                stage.add(path, (wanted[path],))
        stage.commit(stored.keys(), wanted.keys())
    return changed


# --------------------------------------------------------------------------------------------------------------- files

_WAY_OUT = "give a plan, files by their paths, or a list of documents"


def files_of(manifests: Manifests) -> dict[str, bytes]:
    """Return manifests as files: a plan's with its runbook, and documents by kind, namespace and name."""
    if isinstance(manifests, Plan):
        return {**manifests.render(), "RUNBOOK.md": manifests.runbook().encode()}
    if isinstance(manifests, Mapping):
        if {"kind", "apiVersion"} <= manifests.keys():
            return _files_of_documents([manifests])
        return _files_as_given(manifests)
    if isinstance(manifests, Iterable):
        return _files_of_documents(manifests)
    _fail(f"{manifests!r:.100} is nothing to compare: {_WAY_OUT}")


def _files_as_given(given: Mapping[Any, Any]) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for path, content in given.items():
        if not isinstance(content, bytes | str):
            _fail(f"files must be bytes or text: {_WAY_OUT}")
        files[path] = content.encode() if isinstance(content, str) else content
    return files


def _files_of_documents(documents: Iterable[Any]) -> dict[str, bytes]:
    """Return a file for each document; documents of the same kind, namespace and name are numbered."""
    files: dict[str, bytes] = {}
    for document in documents:
        plain = document.plain() if isinstance(document, Model) else document
        if not isinstance(plain, Mapping):
            _fail(f"a document must be a mapping: {_WAY_OUT}")
        name = document_name(plain).lower().translate(_SAFE) or "document"
        path, number = f"{name}.yaml", 1
        while path in files:
            number += 1
            path = f"{name}-{number}.yaml"
        files[path] = yaml.dump(plain).encode()
    return files


_SAFE = str.maketrans(dict.fromkeys('/ <>:"|?*\\', "-"))


# --------------------------------------------------------------------------------------------------------------- names


def why_not_everywhere(paths: Iterable[str]) -> str | None:
    """Return why some operating system could not hold files of these paths together, or None."""
    files = set(paths)
    spellings: dict[str, str] = {}
    for path in sorted(files):
        for name in path.split("/"):
            problem = _why_not_name(name)
            if problem:
                return f"{path!r} is not a path for a golden file: {problem}"
        folders = [folder.as_posix() for folder in PurePosixPath(path).parents if folder.name]
        for folder in folders:
            if folder in files:
                return f"{folder!r} is a golden file and the folder of {path!r}: give one of them another name"
        for place in (path, *folders):
            # macOS does not tell two ways apart to write an accent, nor do macOS and Windows tell capitals from others.
            other = spellings.setdefault(unicodedata.normalize("NFC", place.casefold()), place)
            if other != place:
                return f"{place!r} and {other!r} are one path on systems that ignore case: give one another name"
    return None


def _why_not_name(name: str) -> str | None:
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
