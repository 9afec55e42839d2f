"""Golden manifests: a pytest plugin that compares a plan's files, or documents, with those in a folder.

    def test_mesh(golden_manifests):
        golden_manifests(plan(load("mesh.yaml")), "golden/mesh")

`pytest --extcp-update-golden` makes the folder what it should be, and lists what it changed; under CI it is refused.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn, TypeAlias, cast

import pytest

from extcp_manifests import yaml
from extcp_manifests.kubernetes import Model, document_name
from extcp_manifests.plan import Plan

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

        A folder is relative to the test's own; files that begin with a dot are left alone. The report names documents
        and paths, and shows nothing that Secrets hold.
        """
        root = self._base / folder
        if root.resolve() in (self._test, *self._test.resolve().parents):
            _fail(f"{folder} holds the test itself: keep golden manifests in a folder of their own")
        if isinstance(manifests, Plan) and manifests.credentials:
            _fail("a plan with credentials has tokens in its files: leave the credentials out")
        if root.exists() and not root.is_dir():
            _fail(f"{folder} is no folder: choose another")
        wanted, stored = files_of(manifests), _stored(root)
        if hidden := [path for path in wanted if not _is_plain(path)]:
            _fail(f"{hidden[0]!r} is no path for a golden file: use names without a dot before them, and '/'")
        if wanted == stored:
            return
        if self._updated is not None:
            self._updated += [str(root / path) for path in _update(root, stored, wanted)]
        else:
            _fail("\n".join(_report(str(folder), stored, wanted)))


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
        name = document_name(plain).lower().replace("/", "-").replace(" ", "-") or "document"
        number = 1
        while (path := f"{name}.yaml" if number == 1 else f"{name}-{number}.yaml") in files:
            number += 1
        files[path] = yaml.dump(plain).encode()
    return files


def _stored(root: Path) -> dict[str, bytes]:
    paths = (path for path in sorted(root.rglob("*")) if path.is_file())
    named = ((path.relative_to(root), path) for path in paths)
    return {short.as_posix(): path.read_bytes() for short, path in named if not short.name.startswith(".")}


def _is_plain(path: str) -> bool:
    """Whether a path stays below its folder, on every system, and is not left alone."""
    parts = path.split("/")
    return all(0 < len(part) < 250 and part[0] != "." and not set(part) & set("\\\0") for part in parts)


def _update(root: Path, stored: Mapping[str, bytes], wanted: Mapping[str, bytes]) -> Iterator[str]:
    for path in wanted:
        target = root / path
        if not target.resolve().is_relative_to(root.resolve()) or target.is_dir():
            _fail(f"{path} is a folder, or leads out of {root}: give it another name")
    for path in sorted(stored.keys() | wanted.keys()):
        target = root / path
        if path not in wanted:
            target.unlink()
            yield path
        elif stored.get(path) != wanted[path]:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(wanted[path])
            yield path


def _report(folder: str, stored: Mapping[str, bytes], wanted: Mapping[str, bytes]) -> Iterator[str]:
    from extcp_manifests.difference import compare_files, report

    yield f"{folder} is not what is written now (- stored, + now):"
    for _, line in report(compare_files(stored, wanted)):
        yield f"  {line}"
    yield f"Run pytest {OPTION}, and review the change."


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
