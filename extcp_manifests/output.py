"""Writing a set of files into a folder: all of them or none, and nothing that is not ours."""

import filecmp
import os
import shutil
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import mkdtemp

from extcp_manifests.errors import OutputError

LISTING = ".extcp-manifests"
"""The file that lists what a run wrote, one path a line."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file to write: its path with `/`, its content in pieces."""

    path: str
    pieces: Iterable[bytes]
    secret: bool = False


def write(
    folder: str | os.PathLike[str], entries: Iterable[Entry], on_file: Callable[[str], None] | None = None
) -> list[str]:
    """Write the entries, remove what an earlier run wrote and this one does not, and return the entries' paths.

    New files are first written beside the old ones; then all change places by renaming, and back again if anything
    fails. A process that is killed while it renames can leave a mixture, which the next run puts right. Raises
    OutputError, or OSError from the file system, with the folder as it was before.
    """
    root = Path(folder)
    with ExitStack() as undo:
        _make_folder(root, undo)
        stage = Path(mkdtemp(prefix=f"{LISTING}-", dir=root))
        undo.callback(shutil.rmtree, stage, ignore_errors=True)
        new, old = stage / "new", stage / "old"

        written = [_create(new, entry, on_file) for entry in entries]
        before = _listed(root)
        listing = "# Written by extcp-manifests, whose next run replaces or removes these files.\n"
        _create(new, Entry(LISTING, (listing.encode(), *(f"{path}\n".encode() for path in sorted(written)))))

        for path in (*written, *before):
            _refuse_detours(root, path)
        for path in written:
            if path not in before:
                _refuse_foreign(root / path, new / path)

        stale = sorted(before.difference(written), reverse=True)
        for path in (*written, LISTING):
            _make_folder((root / path).parent, undo)
        moves: list[_Move] = []
        undo.callback(_move_back, moves)
        for path in (*stale, *written, LISTING):
            if (root / path).exists():
                (old / path).parent.mkdir(parents=True, exist_ok=True)
                _move(root, old, path, moves)
        for path in (*written, LISTING):
            _move(new, root, path, moves)
        undo.pop_all()
    shutil.rmtree(stage, ignore_errors=True)
    for path in stale:
        _remove_empty_folders(root, path)
    return written


_Move = tuple[Path, Path, str]
"""From which folder to which, and the path in both."""


def _move(source: Path, target: Path, path: str, moves: list[_Move]) -> None:
    (source / path).rename(target / path)
    moves.append((source, target, path))


def _move_back(moves: list[_Move]) -> None:
    for source, target, path in reversed(moves):
        (target / path).rename(source / path)


def _make_folder(folder: Path, undo: ExitStack) -> None:
    """Make a folder and its parents, to be removed again if anything fails."""
    if not folder.exists():
        _make_folder(folder.parent, undo)
        folder.mkdir()
        undo.callback(folder.rmdir)
    elif not folder.is_dir():
        raise OutputError(str(folder), "is no folder: choose another")


def _create(root: Path, entry: Entry, on_file: Callable[[str], None] | None = None) -> str:
    target = root / entry.path
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if entry.secret else 0o666)
    with os.fdopen(descriptor, "wb") as file:
        file.writelines(entry.pieces)
    if on_file:
        on_file(entry.path)
    return entry.path


def _listed(root: Path) -> set[str]:
    """The paths that an earlier run wrote."""
    _refuse_detours(root, LISTING)
    try:
        lines = (root / LISTING).read_text("utf-8").splitlines()
    except FileNotFoundError:
        return set()
    return {line for line in lines if line and not line.startswith("#")}


def _refuse_detours(root: Path, path: str) -> None:
    """A path must lead, through folders that are no links, to a file or to nothing."""
    parts = PurePosixPath(path).parts
    if not parts or parts[0] == "/" or ".." in parts or "\\" in path:
        raise OutputError(path, f"leads out of the folder: remove it from {LISTING}")
    place = root
    for part in parts[:-1]:
        place /= part
        if place.is_symlink() or (place.exists() and not place.is_dir()):
            raise OutputError(str(place), "stands where a folder of the output belongs: move it away")
    place /= parts[-1]
    if place.is_symlink() or place.is_dir():
        raise OutputError(str(place), "stands where a file of the output belongs: move it away")


def _refuse_foreign(target: Path, new: Path) -> None:
    if target.exists() and not filecmp.cmp(target, new, shallow=False):
        raise OutputError(str(target), "was not written by extcp-manifests: move it away or choose another folder")


def _remove_empty_folders(root: Path, path: str) -> None:
    for parent in (root / path).relative_to(root).parents:
        try:
            (root / parent).rmdir()
        except OSError:  # not empty, or gone already
            return
