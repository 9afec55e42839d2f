"""What commands share: arguments, reading, and writing to people."""

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from extcp_manifests import yaml
from extcp_manifests.errors import Problem, visible
from extcp_manifests.planning.folder.exchange import recover

if TYPE_CHECKING:
    from extcp_manifests.documents.compare import Change
    from extcp_manifests.istio.mesh.merging import MeshConfigMerge


RELEASE_OF_RULES = click.option(
    "--release", metavar="R", help="Istio minor; without it the one that the documents name, or else the newest."
)
FILE = click.argument("file", metavar="FILE")


QUIET = click.option("-q", "--quiet", is_flag=True, help="Print only what was asked for.")
FORMAT = click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="json for programs.",
)


STDIN = "<stdin>"
"""What messages call standard input."""


def not_empty(_context: click.Context, option: click.Parameter, value: str | None) -> str | None:
    """Refuse an empty name of a folder, which would mean the current one."""
    if value == "":
        raise click.UsageError(f"{option.opts[0]} is empty: name a folder.")
    return value


def name_of(file: str) -> str:
    """Return what messages call a file."""
    return STDIN if file == "-" else file


def text(file: str) -> bytes:
    """Return the content of standard input or of a file, after finishing what an interrupted run left there."""
    if file == "-":
        return sys.stdin.buffer.read(yaml.MAX_BYTES + 1)
    recover(file)
    return content(file)


def content(file: str) -> bytes:
    """Return the content of a file as it is."""
    with Path(file).open("rb") as opened:
        return opened.read(yaml.MAX_BYTES + 1)


def json_text(value: object) -> str:
    """Return a value as JSON, with characters that are not ASCII as they are."""
    return json.dumps(value, ensure_ascii=False)


def print_json(what: object) -> None:
    """Print data for programs; what has no form of its own in JSON is its text."""
    click.echo(json.dumps(what, indent=2, default=str))


def print_line(what: object, *, err: bool = False) -> None:
    """Print one line for people, with invisible characters as escapes."""
    click.echo(visible(str(what)), err=err)


def print_table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    """Print rows in columns below a head."""
    lines = [tuple(map(visible, line)) for line in (head, *rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    for line in lines:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def differences_of(old: Mapping[str, bytes], new: Mapping[str, bytes]) -> Iterator[dict[str, object]]:
    """Yield what differs between files, as data; values of Secrets are not among it."""
    from extcp_manifests.documents.compare import compare_files

    for change in compare_files(old, new):
        yield {key: getattr(change, key) for key in ("sign", "file", "document", "path", "old", "new")}


def print_differences(changes: "Iterable[Change]") -> bool:
    """Print a report, coloured on a terminal, and return whether there were differences."""
    from extcp_manifests.documents.compare import report

    colours = {"+": "green", "-": "red", "~": "yellow", " ": None}
    found = False
    for sign, line in report(changes):
        found = True
        click.secho(line, fg=colours[sign], color=False if os.environ.get("NO_COLOR") else None)
    return found


def print_problem(level: str, problem: Problem) -> None:
    """Print a problem that does not stop a command to standard error."""
    print_line(f"{level}: {problem}", err=True)


def print_pieces(pieces: Iterable[bytes]) -> None:
    """Print bytes as they are, piece by piece."""
    for piece in pieces:
        sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()


def explained(merged: "MeshConfigMerge") -> Iterator[tuple[str, str, str, str]]:
    """Yield the cells of each row of the table: path, value, source, and the value that it overrides."""
    beaten = {each.path: each for each in merged.overridden}
    for path, value, source in merged.origins():
        beats = beaten.pop(path, None)
        yield path, json_text(value), source, "" if beats is None else json_text(beats.shared)
    for path, each in beaten.items():
        yield path, json_text(each.local), "local", json_text(each.shared)
