"""Writing a set of files into a folder: all of them or none, and nothing that is not ours.

What is ours is what the list in the folder names, as long as its content has the checksum that stands there. How files
and folders change place is in `exchange`.
"""

import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from extcp_manifests.errors import OutputError, Problem
from extcp_manifests.planning.folder.exchange import prepare, recover, telling
from extcp_manifests.planning.folder.listing import (
    EMPTY,
    LISTING,
    Kind,
    Listing,
    Owner,
    checksum,
    read_listing,
    stays_inside,
)
from extcp_manifests.topology.model import Topology

__all__ = ["LISTING", "Entry", "FileChange", "Kind", "Owner", "State", "changes", "owner_of", "recover", "write"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A file to write: its path with `/`, its content in pieces."""

    path: str
    pieces: Iterable[bytes] = field(repr=False)
    secret: bool = False
    """Whether it is readable by its owner alone."""
    keep: bool = False
    """Whether people own it once it is there: it is written where it is missing, and never changed or removed."""


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

`missing` is one that a run wrote and somebody removed; lists of the first format, without checksums, do not tell what
was edited by hand.
"""


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file that a run would write or remove, with its content before and after."""

    path: str
    state: State
    old: bytes | None = field(repr=False)
    new: bytes | None = field(repr=False)


def write(
    folder: str | os.PathLike[str],
    entries: Iterable[Entry],
    *,
    owner: Owner,
    force: bool = False,
    on_file: Callable[[str], None] | None = None,
) -> list[str]:
    """Write the entries, remove what an earlier run wrote and this one does not, and return the paths written.

    The folder is as it was or as it shall be, also if the process is killed: then the next call, or `recover`, finishes
    what is left. Files that are right already are left alone. `force` takes over a folder of another owner, and gives
    up what was edited by hand; files that no run wrote stop it all the same. Raises OutputError.
    """
    shown = Path(folder)
    written: list[str] = []
    checksums: dict[str, str | None] = {}
    refused: list[Problem] = []
    with prepare(shown) as stage:
        with telling(shown):
            known = _known(shown, owner, force=force)
        before = set(known.present)
        for entry, content, change in _compared(known, entries):
            written.append(entry.path)
            if not entry.keep:
                checksums[entry.path] = checksum(content)
            if change is None or change.state == "readable by others":
                before.add(entry.path)
            if change and (problem := _why_not(shown, change, force=force)):
                refused.append(problem)
            elif change:
                stage.add(entry.path, content, secret=entry.secret)
            if on_file:
                on_file(entry.path)
        reasons = (_why_not(shown, change, force=force) for change in _left_over(known, checksums))
        refused += filter(None, reasons)
        if refused:
            raise OutputError(refused[0].file, refused[0].message, *refused[1:])

        listing = Listing(owner, checksums).text()
        if listing != known.listing.text() or LISTING not in before:
            stage.add(LISTING, listing)
        stage.commit(before, {*written, LISTING})
    return written


def changes(folder: str | os.PathLike[str], entries: Iterable[Entry], *, owner: Owner) -> Iterator[FileChange]:
    """Yield what `write` would change, in the order of the entries; nothing is written.

    Raises OutputError for a folder of another owner.
    """
    shown = Path(folder)
    recover(shown)
    with telling(shown):
        known = _known(shown, owner, force=False)
    paths: set[str] = set()
    for entry, _, change in _compared(known, entries):
        paths.add(entry.path)
        if change:
            yield change
    yield from _left_over(known, paths)


def owner_of(topology: Topology, kind: Kind) -> Owner:
    """Return whose a folder is: a topology's name, or the mesh ID of one that was made without a name."""
    return Owner(kind, topology.name or topology.mesh_id)


def _why_not(shown: Path, change: FileChange, *, force: bool) -> Problem | None:
    """Return why a change must not be made."""
    reason = _REFUSED.get(change.state)
    if reason is None or (force and change.state != "not written by extcp-manifests"):
        return None
    return Problem((), reason, str(shown / change.path))


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


class _Known:
    """A folder as it is: its list, and those of the files in it that are there."""

    def __init__(self, root: Path, listing: Listing) -> None:
        self.root = root
        self.listing = listing
        self._sound: set[str] = set()
        self.present: set[str] = set()
        for path in (LISTING, *listing.files):
            self.refuse_detours(path)
            if (root / path).exists():
                self.present.add(path)

    def refuse_detours(self, path: str) -> None:
        """Refuse a path that leads through a link, or to anything but a file or nothing."""
        if not stays_inside(path):
            raise OutputError(path, "is not the path of a file in this folder: choose another name")
        folder = path.rpartition("/")[0]
        while folder and folder not in self._sound:
            place = self.root / folder
            if place.is_symlink() or (place.exists() and not place.is_dir()):
                raise OutputError(str(place), "stands where a folder of the output belongs: move it away")
            self._sound.add(folder)
            folder = folder.rpartition("/")[0]
        place = self.root / path
        if place.is_symlink() or (place.exists() and not place.is_file()):
            raise OutputError(str(place), "stands where a file of the output belongs: move it away")

    def content(self, path: str) -> bytes | None:
        """Return what is in a file, or None where there is none."""
        with telling(self.root / path):
            try:
                return (self.root / path).read_bytes()
            except FileNotFoundError:
                return None

    def state(self, path: str, content: bytes, ours: State, edited: State) -> State:
        """Return the one state for a listed file with the content that a run gave it, or the other."""
        written = self.listing.files[path]
        if written is None:
            return "perhaps edited by hand"
        return ours if written == checksum(content) else edited


def _known(shown: Path, owner: Owner, *, force: bool) -> _Known:
    place = shown / LISTING
    if place.is_symlink() or (place.exists() and not place.is_file()):
        raise OutputError(str(place), "stands where a file of the output belongs: move it away")
    listing = read_listing(place) if shown.exists() else EMPTY
    if listing.owner not in (None, owner) and not force:
        message = f"holds the manifests of {listing.owner}, not of {owner}"
        way_out = "choose another folder, or take it over with --force (in Python force=True)"
        raise OutputError(str(shown), f"{message}: {way_out}")
    return _Known(shown, listing)


def _compared(known: _Known, entries: Iterable[Entry]) -> Iterator[tuple[Entry, bytes, FileChange | None]]:
    """Yield each entry that is not kept as people have it, with its content and what it changes."""
    for entry in entries:
        known.refuse_detours(entry.path)
        old = known.content(entry.path)
        if entry.keep and old is not None:
            continue
        new = b"".join(entry.pieces)
        state = _state(known, entry, old, new)
        yield entry, new, FileChange(entry.path, state, old, new) if state else None


def _state(known: _Known, entry: Entry, old: bytes | None, new: bytes) -> State | None:
    listed = entry.path in known.listing.files
    if old is None:
        return "missing" if listed else "new"
    if old == new:
        exposed = entry.secret and _is_exposed(known.root / entry.path)
        return "readable by others" if exposed else None
    if not listed:
        return "not written by extcp-manifests"
    return known.state(entry.path, old, "changed", "edited by hand")


def _is_exposed(place: Path) -> bool:
    return sys.platform != "win32" and stat.S_IMODE(place.stat().st_mode) != 0o600


def _left_over(known: _Known, written: Iterable[str]) -> Iterator[FileChange]:
    """Yield the files of an earlier run that this one does not write."""
    for path in sorted(set(known.listing.files).difference(written)):
        old = known.content(path)
        if old is not None:
            state = known.state(path, old, "no longer written", "no longer written, but edited by hand")
            yield FileChange(path, state, old, None)
