"""The list of the files that a run wrote into a folder: their owner, and the checksum of each.

    # Written by extcp-manifests: ...
    # Owner: generate "mesh1"
    <SHA-256>  external/namespace.yaml

`sha256sum -c .extcp-manifests` reads it as well.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Literal, TypeAlias, cast, get_args

from extcp_manifests.errors import OutputError
from extcp_manifests.patterns import pattern
from extcp_manifests.records import Record

LISTING = ".extcp-manifests"
"""The name of the list."""


Kind: TypeAlias = Literal["generate", "kustomize", "argocd", "flux"]
"""What a folder is for: the command that writes it."""


class Owner(Record):
    """What a folder is for, and the name of its control plane."""

    kind: Kind
    name: str

    def __str__(self) -> str:
        return f"{self.name!r} ({self.kind})"


class Listing(Record):
    """The owner of a folder and its files, each with the checksum of what was written."""

    owner: Owner | None
    """None in lists of the first format."""
    files: Mapping[str, bytes | None]
    """SHA-256 by path; None in lists of the first format, which had no checksums."""

    def lines(self) -> Iterator[bytes]:
        """Yield the lines of the list as it is stored."""
        yield f"{_HEAD}\n".encode()
        if self.owner is not None:
            yield f"{_OWNER}{self.owner.kind} {json.dumps(self.owner.name)}\n".encode()
        for path in sorted(self.files):
            checksum = self.files[path] or b""  # a list of the first format is never stored again
            yield f"{checksum.hex()}  {path}\n".encode()


EMPTY = Listing(owner=None, files={})
"""The list of a folder that no run wrote into."""


def read_listing(place: Path) -> Listing:
    """Read a list. Raises OutputError, with the line, for text that no run wrote."""
    try:
        with place.open(encoding="utf-8") as file:  # line by line, since there may be 100,000
            return _read(place, _whole_lines(place, file))
    except FileNotFoundError:
        return EMPTY
    except UnicodeDecodeError:
        raise OutputError(str(place), f"is not text: {_WAY_OUT}") from None


def _whole_lines(place: Path, file: Iterable[str]) -> Iterator[str]:
    """Yield the lines of a list without their ends, which all of them have."""
    for number, line in enumerate(file, start=1):
        if not line.endswith("\n"):
            raise _damaged(place, number, "has no end of line")
        yield line[:-1]


def _read(place: Path, lines: Iterator[str]) -> Listing:
    head = next(lines, "")
    if head == _FIRST_HEAD:
        return Listing(None, _read_files(place, lines, first=2))
    if head != _HEAD:
        raise _damaged(place, 1, "is not the head of a list of files")
    owner = _read_owner(place, next(lines, ""))
    return Listing(owner, _read_files(place, lines, first=3))


_HEAD = "# Written by extcp-manifests, whose next run replaces or removes these files; keep the list with them."


_FIRST_HEAD = "# Written by extcp-manifests, whose next run replaces or removes these files."


_OWNER = "# Owner: "


_WAY_OUT = "restore the list, or remove it and the files that extcp-manifests wrote"


def _damaged(place: Path, line: int, what: str) -> OutputError:
    return OutputError(f"{place}:{line}", f"{what}: {_WAY_OUT}")


def _read_owner(place: Path, line: str) -> Owner:
    kind, _, name = line.removeprefix(_OWNER).partition(" ")
    try:
        read = json.loads(name)
    except (ValueError, RecursionError):
        read = None
    if not line.startswith(_OWNER) or kind not in get_args(Kind) or not isinstance(read, str):
        raise _damaged(place, 2, "does not name the owner of the files")
    return Owner(cast("Kind", kind), read)


_LINE = pattern(r"(?P<checksum>[0-9a-f]{64})  (?P<path>.+)")


def _read_files(place: Path, lines: Iterable[str], *, first: int) -> dict[str, bytes | None]:
    files: dict[str, bytes | None] = {}
    for number, line in enumerate(lines, first):
        if first == 2:
            path, digest = line, None
        elif match := _LINE.fullmatch(line):
            path, digest = match["path"], bytes.fromhex(match["checksum"])
        else:
            raise _damaged(place, number, "is not a checksum with the path of a file")
        if path in files:
            raise _damaged(place, number, f"names {path!r} again")
        if not stays_inside(path) or path.startswith(_CONFLICT):
            raise _damaged(place, number, f"{path!r} is not the path of a file in this folder")
        files[path] = digest
    return files


# What a merge of Git leaves; the first format of the list could not tell it from paths.
_CONFLICT = ("<<<<<<<", "|||||||", "=======", ">>>>>>>")


def stays_inside(path: str) -> bool:
    """Return whether a path leads to a file below its folder, on every system."""
    pure = PurePosixPath(path)
    if not path or path != pure.as_posix() or pure.is_absolute():
        return False
    return ".." not in pure.parts and path != "." and not set(path) & set("\\\0\n\r")
