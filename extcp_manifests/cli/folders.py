"""Files and folders that commands take as arguments."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from extcp_manifests.cli.shared import STDIN, content, text
from extcp_manifests.errors import InvalidInput, Problem
from extcp_manifests.planning.folder.exchange import recover, recover_below


def read_all(arguments: Iterable[str]) -> dict[str, bytes]:
    """Read files, folders and standard input, each file once, however many arguments or links lead to it.

    The keys are what messages call the files. What interrupted runs left in them is finished first. Raises InvalidInput
    for a folder without any YAML or JSON file, OutputError for what cannot be finished.
    """
    texts: dict[str, bytes] = {}
    seen: set[str] = set()
    for argument in arguments:
        if argument == "-":
            texts[STDIN] = text(argument)
            continue
        recover_below(argument)
        for file in _files_of(argument) if Path(argument).is_dir() else [argument]:
            real = os.path.realpath(file)
            if real not in seen:
                seen.add(real)
                texts[file] = content(file)
    return texts


def _files_of(folder: str) -> list[str]:
    files = sorted(_walk(Path(folder), set()))
    if not files:
        raise InvalidInput([Problem((), "has no .yaml, .yml or .json file: name another folder", folder)])
    return list(map(str, files))


_ENDINGS = (".yaml", ".yml", ".json")


_STATE = ".extcp-manifests"
"""What the names of our own lists of files begin with."""


def _walk(folder: Path, seen: set[str]) -> Iterator[Path]:
    """Yield the files of a folder and of those in it, without hidden ones; each folder is entered once."""
    real = os.path.realpath(folder)
    if real in seen:
        return
    seen.add(real)
    if folder.is_symlink():
        recover_below(folder)
    for entry in sorted(folder.iterdir()):
        if entry.is_dir():
            if not entry.name.startswith("."):
                yield from _walk(entry, seen)
            continue
        if entry.is_symlink():
            recover(entry)
        if entry.suffix in _ENDINGS and not entry.name.startswith(_STATE) and entry.is_file():
            yield entry
