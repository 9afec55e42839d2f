"""Writing a set of files into a folder: all of them or none, and nothing that is not ours."""

import filecmp
import os
import shutil
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import mkdtemp

from extcp_manifests.errors import OutputError

LISTING = ".extcp-manifests"
"""The file that lists what a run wrote, one path a line."""

_HEAD = "# Written by extcp-manifests, whose next run replaces or removes these files.\n"


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
    fails. A process that is killed while it renames can leave a mixture, which the next run puts right; two runs at
    once on one folder can make one of them fail. Raises OutputError, or OSError from the file system, with the folder
    as it was before.
    """
    root = Path(folder)
    with ExitStack() as undo:
        _make_folder(root, undo)
        stage = Path(mkdtemp(prefix=f"{LISTING}-", dir=root))
        undo.callback(shutil.rmtree, stage, ignore_errors=True)
        new, old = stage / "new", stage / "old"

        new.mkdir()
        staged: dict[str, Path] = {}  # by numbers, since folders take time
        for entry in entries:
            staged[entry.path] = _create(new / str(len(staged)), entry)
            if on_file:
                on_file(entry.path)
        written = list(staged)
        before = _listed(root)
        sound: set[str] = set()
        for path in (*written, *before):
            _refuse_detours(root, path, sound)
        for path in written:
            if path not in before:
                _refuse_foreign(root / path, staged[path])

        stale = sorted(before.difference(written), reverse=True)
        for parent in dict.fromkeys((root / path).parent for path in written):
            _make_folder(parent, undo)
        moves = _Moves(root, stage)
        undo.push(moves.take_back)
        moves.list(before.union(written), first=True)
        for path in (*stale, *written):
            if (root / path).exists():
                (old / path).parent.mkdir(parents=True, exist_ok=True)
                moves.move(root / path, old / path, path)
        for path in written:
            moves.move(staged[path], root / path, path)
        moves.list(written)
        undo.pop_all()
    for leftover in root.glob(f"{LISTING}-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    for path in stale:
        _remove_empty_folders(root, path)
    return written


def refuse_detours(folder: str | os.PathLike[str], entries: Iterable[Entry]) -> None:
    """Raise OutputError for an entry whose path leads through a link or out of the folder."""
    sound: set[str] = set()
    for entry in entries:
        _refuse_detours(Path(folder), entry.path, sound)


def add_missing(folder: str | os.PathLike[str], entries: Iterable[Entry]) -> list[str]:
    """Write the entries that are not there yet, to be kept by people, and return their paths.

    No run replaces or removes them. Raises OutputError for a path that leads through a link or out of the folder.
    """
    root = Path(folder)
    added = []
    for entry in entries:
        _refuse_detours(root, entry.path, set())
        if not (root / entry.path).exists():
            (root / entry.path).parent.mkdir(parents=True, exist_ok=True)
            _create(root / entry.path, entry)
            added.append(entry.path)
    return added


class _Moves:
    """The last phase, which only renames, and can be taken back."""

    def __init__(self, root: Path, stage: Path) -> None:
        self._root = root
        self._stage = stage
        self._done: list[tuple[Path, Path, str]] = []
        self._listing: bytes | None = None

    def list(self, paths: Iterable[str], *, first: bool = False) -> None:
        """Write the listing at one go: before the moves of all files there may be, after them of those there are."""
        listing = self._root / LISTING
        if first and listing.exists():
            self._listing = listing.read_bytes()
        text = self._stage / "listing"
        text.write_text(_HEAD + "".join(f"{path}\n" for path in sorted(paths)), "utf-8", newline="\n")
        text.replace(listing)

    def move(self, source: Path, target: Path, path: str) -> None:
        source.rename(target)
        self._done.append((source, target, path))

    def take_back(self, *_: object) -> None:
        """Undo every move; what cannot be undone stays in the stage, which then must not be removed."""
        failed = []
        for source, target, path in reversed(self._done):
            try:
                target.rename(source)
            except BaseException as error:  # even an interrupt must not stop the others from being taken back
                failed.append((path, error))
        listing = self._root / LISTING
        if self._listing is not None:
            listing.write_bytes(self._listing)
        else:
            listing.unlink(missing_ok=True)
        if failed:
            kept = self._stage.rename(self._stage.with_name(f"{LISTING}.kept{self._stage.name.removeprefix(LISTING)}"))
            problem = f"could not be put back after a failure; the files of before are in {kept / 'old'}"
            raise OutputError(failed[0][0], problem) from failed[0][1]


def _make_folder(folder: Path, undo: ExitStack) -> None:
    """Make a folder and its parents, to be removed again if anything fails."""
    if not folder.exists():
        _make_folder(folder.parent, undo)
        folder.mkdir()
        undo.callback(_remove_if_empty, folder)
    elif not folder.is_dir():
        raise OutputError(str(folder), "is no folder: choose another")


def _create(target: Path, entry: Entry) -> Path:
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if entry.secret else 0o666)
    with os.fdopen(descriptor, "wb") as file:
        file.writelines(entry.pieces)
    return target


def _listed(root: Path) -> set[str]:
    """The paths that an earlier run wrote."""
    _refuse_detours(root, LISTING, set())
    try:
        lines = (root / LISTING).read_text("utf-8").splitlines()
    except FileNotFoundError:
        return set()
    except UnicodeDecodeError:
        raise OutputError(str(root / LISTING), "is no list of files: remove it") from None
    return {line for line in lines if line and not line.startswith("#")}


def _refuse_detours(root: Path, path: str, sound: set[str]) -> None:
    """A path must lead, through folders that are no links, to a file or to nothing; sound folders are remembered."""
    pure = PurePosixPath(path)
    if not pure.parts or pure.is_absolute() or ".." in pure.parts or "\\" in path or "\0" in path:
        raise OutputError(path, f"leads out of the folder: remove it from {LISTING}")
    folder, _, _ = path.rpartition("/")
    if folder not in sound:
        for parent in (root / each for each in reversed(pure.parents[:-1])):
            if parent.is_symlink() or (parent.exists() and not parent.is_dir()):
                raise OutputError(str(parent), "stands where a folder of the output belongs: move it away")
        sound.add(folder)
    place = root / path
    if place.is_symlink() or (place.exists() and not place.is_file()):
        raise OutputError(str(place), "stands where a file of the output belongs: move it away")


def _refuse_foreign(target: Path, new: Path) -> None:
    if target.exists() and not filecmp.cmp(target, new, shallow=False):
        raise OutputError(str(target), "was not written by extcp-manifests: move it away or choose another folder")


def _remove_empty_folders(root: Path, path: str) -> None:
    for parent in (root / path).relative_to(root).parents:
        _remove_if_empty(root / parent)


def _remove_if_empty(folder: Path) -> None:
    with suppress(OSError):  # not empty, or gone already
        folder.rmdir()
