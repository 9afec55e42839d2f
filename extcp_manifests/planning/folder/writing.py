"""Writing a set of files into a folder: all of them or none, and nothing that is not ours.

What is ours is what the list in the folder names, as long as its content has the checksum in that list. How files and
folders are moved is in `exchange`.
"""

import os
import stat
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Literal, TypeAlias

from extcp_manifests.errors import OutputError, Problem
from extcp_manifests.planning.folder.exchange import prepare, recover, reporting
from extcp_manifests.planning.folder.listing import (
    EMPTY,
    LISTING,
    Kind,
    Listing,
    Owner,
    read_listing,
    stays_inside,
)
from extcp_manifests.records import Record
from extcp_manifests.topology.model import Topology

__all__ = [
    "LISTING",
    "Entry",
    "FileChange",
    "Kind",
    "Owner",
    "State",
    "Streamed",
    "changes",
    "owner_of",
    "recover",
    "write",
]


class Entry(Record, hidden=("pieces",)):
    """A file to write: its path with `/`, its content in pieces."""

    path: str
    pieces: "tuple[bytes, ...] | Streamed"
    secret: bool = False
    """Whether it is readable by its owner alone."""
    keep: bool = False
    """Whether people own it once it is there: it is written where it is missing, and never changed or removed."""


class Streamed(Record):
    """The content of a large file, which is made anew each time that it is read, and is never in memory as a whole."""

    texts: Callable[[], Iterable[str]]

    def __iter__(self) -> Iterator[bytes]:
        return (text.encode() for text in self.texts())


State: TypeAlias = Literal[
    "new",
    "changed",
    "missing",
    "edited by hand",
    "readable by others",
    "no longer written",
    "no longer written, but edited by hand",
    "perhaps edited by hand",
    "not written by extcp-manifests",
]
"""In what way a file is not what a run would make it.

`missing` is one that a run wrote and somebody removed; lists of the first format, without checksums, do not show what
was edited by hand.
"""


class FileChange(Record, hidden=("old", "new")):
    """A file that a run would write or remove, with its content before and after."""

    path: str
    state: State
    old: bytes | None
    new: bytes | None


def write(
    folder: str | os.PathLike[str],
    entries: Iterable[Entry],
    *,
    owner: Owner,
    force: bool = False,
    on_file: Callable[[str], None] | None = None,
) -> list[str]:
    """Write the entries, remove what an earlier run wrote and this one does not, and return the paths written.

    The folder has the old files or the new ones, even if the process is killed: then the next call, or `recover`,
    finishes what is left. Files that are right already are left alone. `force` takes over a folder of another owner,
    and overwrites what was edited by hand; files that no run wrote are refused all the same. Raises OutputError.
    """
    shown = Path(folder)
    written: list[str] = []
    checksums: dict[str, bytes | None] = {}
    refused: list[Problem] = []
    with prepare(shown) as stage:
        with reporting(shown):
            current = _read_folder(shown, owner, force=force)
        right: set[str] = set()  # files that are as they should be, though the list does not name them
        for compared in _compared(current, entries):
            entry, state = compared.entry, compared.state
            written.append(entry.path)
            if not entry.keep:
                known = current.listing.files.get(entry.path)  # mostly the same, which need not be kept twice
                checksums[entry.path] = known if known == compared.checksum else compared.checksum
            if state in (None, "readable by others") and not current.has_listed(entry.path):
                right.add(entry.path)
            if state is not None:
                problem = _refusal(shown, entry.path, state, force=force)
                if problem is not None:
                    refused.append(problem)
                else:
                    stage.add(entry.path, entry.pieces, secret=entry.secret)
            if on_file is not None:
                on_file(entry.path)
        is_left_over = False
        for change in _left_over(current, checksums):
            is_left_over = True
            problem = _refusal(shown, change.path, change.state, force=force)
            if problem is not None:
                refused.append(problem)
        if refused:
            raise OutputError(refused[0].file, refused[0].message, *refused[1:])

        listing = Listing(owner, checksums)
        if listing != current.listing or current.has_no_listing:
            stage.add(LISTING, listing.lines())
        elif stage.is_empty and not is_left_over:
            return written
        stage.commit(right | current.present(), {*written, LISTING})
    return written


def changes(folder: str | os.PathLike[str], entries: Iterable[Entry], *, owner: Owner) -> Iterator[FileChange]:
    """Yield what `write` would change, in the order of the entries; nothing is written.

    Raises OutputError for a folder of another owner.
    """
    shown = Path(folder)
    recover(shown)
    with reporting(shown):
        current = _read_folder(shown, owner, force=False)
    paths: set[str] = set()
    for compared in _compared(current, entries):
        entry = compared.entry
        paths.add(entry.path)
        if compared.state is not None:
            yield FileChange(entry.path, compared.state, current.content(entry.path), b"".join(entry.pieces))
    yield from _left_over(current, paths)


def owner_of(topology: Topology, kind: Kind) -> Owner:
    """Return the owner of a folder: the name of its topology, or the mesh ID of one without a name."""
    return Owner(kind, topology.name or topology.mesh_id)


def _refusal(shown: Path, path: str, state: State, *, force: bool) -> Problem | None:
    """Return why a file must not be changed, or None."""
    reason = _REFUSED.get(state)
    if reason is None or (force and state != "not written by extcp-manifests"):
        return None
    return Problem((), reason, str(shown / path))


_REFUSED: Mapping[State, str] = {
    "edited by hand": (
        "was edited by hand: bring the edit into the topology or a patch, or give it up with --force "
        "(in Python force=True)"
    ),
    "no longer written, but edited by hand": (
        "was edited by hand, and is no longer written: move it away, or have it removed with --force "
        "(in Python force=True)"
    ),
    "perhaps edited by hand": (
        "is in a list without checksums, so it may have been edited by hand: look at it, then go on with --force "
        "(in Python force=True)"
    ),
    "not written by extcp-manifests": "was not written by extcp-manifests: move it away or choose another folder",
}


# -------------------------------------------------------------------------------------------------------- what is there


class _Folder:
    """A folder as it is: its list, and which of the listed files are there."""

    def __init__(self, root: Path, listing: Listing) -> None:
        self.root = root
        self.listing = listing
        self._checked: set[str] = set()
        self._missing: set[str] = set()
        for path in (LISTING, *listing.files):
            self.require_plain_file(path)
            if not (root / path).exists():
                self._missing.add(path)

    @property
    def has_no_listing(self) -> bool:
        """Whether the list itself is not there."""
        return LISTING in self._missing

    def has_listed(self, path: str) -> bool:
        """Return whether a file is in the list, and was there when the list was read."""
        return path in self.listing.files and path not in self._missing

    def present(self) -> set[str]:
        """Return the list, if it is there, and the files in it that are."""
        return {LISTING, *self.listing.files} - self._missing

    def require_plain_file(self, path: str) -> None:
        """Refuse a path that goes through a link, or leads to something that is not a file."""
        if not stays_inside(path):
            raise OutputError(path, "is not the path of a file in this folder: choose another name")
        folder = path.rpartition("/")[0]
        while folder and folder not in self._checked:
            place = self.root / folder
            if place.is_symlink() or (place.exists() and not place.is_dir()):
                raise OutputError(str(place), "is where a folder of the output belongs: move it away")
            self._checked.add(folder)
            folder = folder.rpartition("/")[0]
        place = self.root / path
        if place.is_symlink() or (place.exists() and not place.is_file()):
            raise OutputError(str(place), "is where a file of the output belongs: move it away")

    def content(self, path: str) -> bytes | None:
        """Return what is in a file, or None where there is none."""
        with reporting(self.root / path):
            try:
                return (self.root / path).read_bytes()
            except FileNotFoundError:
                return None

    @contextmanager
    def opened(self, path: str) -> Iterator[BufferedReader | None]:
        """Open a file to read it; None where there is none."""
        with reporting(self.root / path):
            try:
                file = (self.root / path).open("rb")
            except FileNotFoundError:
                yield None
                return
            with file:
                yield file

    def state(self, path: str, found: bytes, ours: State, edited: State) -> State:
        """Return `ours` for a listed file with the checksum of what a run wrote, or `edited` for another one."""
        written = self.listing.files[path]
        if written is None:
            return "perhaps edited by hand"
        return ours if written == found else edited


def _read_folder(shown: Path, owner: Owner, *, force: bool) -> _Folder:
    """Read the list of a folder, and refuse one of another owner unless `force` is given."""
    place = shown / LISTING
    if place.is_symlink() or (place.exists() and not place.is_file()):
        raise OutputError(str(place), "is where a file of the output belongs: move it away")
    listing = read_listing(place) if shown.exists() else EMPTY
    if listing.owner not in (None, owner) and not force:
        message = f"holds the manifests of {listing.owner}, not of {owner}"
        way_out = "choose another folder, or take it over with --force (in Python force=True)"
        raise OutputError(str(shown), f"{message}: {way_out}")
    return _Folder(shown, listing)


class _Compared(Record):
    """An entry with the checksum of its content, and the state of its file; None where that is right already."""

    entry: Entry
    checksum: bytes
    state: State | None


def _compared(current: _Folder, entries: Iterable[Entry]) -> Iterator[_Compared]:
    """Yield the entries, each compared with its file; those that are the user's own are left out."""
    from hashlib import sha256  # loads OpenSSL, which nothing else needs

    for entry in entries:
        current.require_plain_file(entry.path)
        with current.opened(entry.path) as old:
            if entry.keep and old is not None:
                continue
            content = sha256()
            is_same = True
            for piece in entry.pieces:
                content.update(piece)
                is_same = is_same and old is not None and old.read(len(piece)) == piece
            state = _state(current, entry, old, is_same=is_same)
        yield _Compared(entry, content.digest(), state)


def _state(current: _Folder, entry: Entry, old: BufferedReader | None, *, is_same: bool) -> State | None:
    """Return the state of a file, of which as much was read as is the same."""
    listed = entry.path in current.listing.files
    if old is None:
        return "missing" if listed else "new"
    if is_same and not old.read(1):
        exposed = entry.secret and _is_exposed(current.root / entry.path)
        return "readable by others" if exposed else None
    if not listed:
        return "not written by extcp-manifests"
    from hashlib import file_digest

    old.seek(0)
    return current.state(entry.path, file_digest(old, "sha256").digest(), "changed", "edited by hand")


def _is_exposed(place: Path) -> bool:
    return sys.platform != "win32" and stat.S_IMODE(place.stat().st_mode) != 0o600


def _left_over(current: _Folder, written: Collection[str]) -> Iterator[FileChange]:
    """Yield the files of an earlier run that are still there and that this one does not write."""
    from hashlib import sha256

    for path in sorted(path for path in current.listing.files if path not in written):
        old = current.content(path)
        if old is not None:
            found = sha256(old).digest()
            state = current.state(path, found, "no longer written", "no longer written, but edited by hand")
            yield FileChange(path, state, old, None)
