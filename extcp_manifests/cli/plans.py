"""Commands that work on plans: their options, the plan of a file, and the folder that they write."""

import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from posixpath import basename
from typing import TYPE_CHECKING, NoReturn

import click

from extcp_manifests.cli.shared import (
    STDIN,
    differences_of,
    name_of,
    print_differences,
    print_json,
    print_line,
    print_problem,
    text,
)
from extcp_manifests.documents.lookup import mapping_of
from extcp_manifests.errors import InvalidInput
from extcp_manifests.istio.releases import find_release
from extcp_manifests.planning.folder.exchange import recover
from extcp_manifests.planning.plan import Plan, plan
from extcp_manifests.planning.runbook import RUNBOOK
from extcp_manifests.records import Record
from extcp_manifests.topology.credentials import load_credentials
from extcp_manifests.topology.inputs import Content, read_all
from extcp_manifests.topology.part_check import part_warnings
from extcp_manifests.topology.topology_file import KIND_OF_FLEETS, topology_of

if TYPE_CHECKING:
    from extcp_manifests.planning.fleet import FleetPlan
    from extcp_manifests.planning.folder.writing import FileChange

RELEASE = click.option("--release", metavar="R", help="Istio minor to use instead of the file's, such as 1.24.")
CHECK = click.option(
    "--check", is_flag=True, help="Write nothing; list what would change, and exit 1 if anything would."
)
DIFF = click.option("--diff", is_flag=True, help="The same as --check, with the differences by document and path.")
FORCE = click.option(
    "--force", is_flag=True, help="Take over another control plane's folder, and overwrite what was edited by hand."
)
CREDENTIALS = click.option(
    "--credentials", metavar="FILE", help="Credentials of remote clusters, whose Secrets are then written as files."
)


def plan_of(file: str, release: str | None, credentials: str | None) -> "Plan | FleetPlan":
    """Return the plan of what is in a file or a folder, one control plane or several, and print the warnings."""
    if file == credentials == "-":
        raise click.UsageError("FILE and --credentials cannot both be standard input.")
    _require_release(release)
    contents = _contents(file)
    is_folder = Path(file).is_dir()
    if len(contents) == 1 and not is_folder and mapping_of(contents[0].data).get("kind") != KIND_OF_FLEETS:
        return _plan_of_one(contents[0], release, credentials)
    from extcp_manifests.planning.fleet import plan_read_fleet
    from extcp_manifests.topology.fleet_file import fleet_and_warnings, name_of_fleet

    fleet, warnings = fleet_and_warnings(contents, release=release, name=name_of_fleet(file))
    for problem in warnings:
        print_problem("warning", problem)
    if credentials is None:
        return plan_read_fleet(fleet)
    return plan_read_fleet(fleet, credentials=load_credentials(source(credentials), name=STDIN))


def _require_release(release: str | None) -> None:
    """Refuse a release that is not known, of which no file would be to blame."""
    if release is None:
        return
    try:
        find_release(release)
    except InvalidInput as error:
        raise InvalidInput([each.with_(place=("--release",)) for each in error.problems]) from None


def _contents(file: str) -> list[Content]:
    """Return the documents of standard input, of a file, or of the files in a folder."""
    contents = read_all(source(file), name=STDIN)
    return contents or [Content(None, b"", name_of(file))]


def _plan_of_one(content: Content, release: str | None, credentials: str | None) -> Plan:
    topology, problems = topology_of(content.data, release=release)
    if topology is None:
        raise InvalidInput(content.located(problems))
    for problem in content.located((*topology.warnings, *part_warnings(topology))):
        print_problem("warning", problem)
    if credentials is None:
        return plan(topology)
    return plan(topology, credentials=load_credentials(source(credentials), name=STDIN))


def source(file: str) -> Path | bytes:
    """Return what the library is to read, after finishing what an interrupted run left there."""
    if file == "-":
        return text(file)
    recover(file)
    return Path(file)


_MOST_PATHS = 40


class Mode(Record, kw_only=True):
    """What a command does to its folder: it writes it, by force or not, or only reports what it would write."""

    check: bool
    diff: bool
    force: bool

    def __post_init__(self) -> None:
        if self.force and self.writes_nothing:
            raise click.UsageError("--force writes, while --check and --diff do not: choose one.")

    @property
    def writes_nothing(self) -> bool:
        """Whether the command writes nothing."""
        return self.check or self.diff


def write_files(write: Callable[..., list[str]], the_plan: "Plan | FleetPlan", folder: str, mode: Mode) -> list[str]:
    """Write a plan's files in one of its forms, with a progress bar for people, and return the files' paths."""
    from extcp_manifests.planning.kustomize import KUSTOMIZATION, OPENAPI

    without_step = (KUSTOMIZATION, OPENAPI, RUNBOOK)
    files = sum(1 for _ in the_plan.files()) if sys.stderr.isatty() else 0
    hidden = files <= _MOST_PATHS
    with click.progressbar(length=files, label="Writing", file=sys.stderr, hidden=hidden) as bar:

        def count(path: str) -> None:
            if basename(path) not in without_step:
                bar.update(1)

        return write(folder, force=mode.force, on_file=count)


def plans_of(the_plan: "Plan | FleetPlan") -> Iterator[tuple[str, Plan]]:
    """Yield a plan with its folder, or those of a fleet with theirs."""
    if isinstance(the_plan, Plan):
        yield ".", the_plan
    else:
        yield from the_plan.plans()


def print_file_changes(folder: str, changes: "Iterable[FileChange]", mode: Mode, *, form: str = "text") -> NoReturn:
    """Print what a run would change, and exit 1 if that is anything."""
    rows: list[dict[str, str]] = []
    old: dict[str, bytes] = {}
    new: dict[str, bytes] = {}
    found = False
    for change in changes:
        found = True
        if form == "json":
            rows.append({"path": change.path, "state": change.state})
        else:
            print_line(f"{Path(folder, change.path)}: {change.state}")
        if mode.diff and change.old is not None:
            old[change.path] = change.old
        if mode.diff and change.new is not None:
            new[change.path] = change.new
    if form == "json":
        differences = {"differences": list(differences_of(old, new))} if mode.diff else {}
        print_json({"folder": folder, "changes": rows, **differences})
    elif old or new:
        from extcp_manifests.documents.compare import compare_files

        click.echo()
        print_differences(compare_files(old, new))
    sys.exit(1 if found else 0)


def report_files(folder: str, paths: list[str], first: str = RUNBOOK, *, place: str | None = None) -> None:
    """Print which files were written, and what to do next, in the folder or in another place."""
    for path in paths[:_MOST_PATHS]:
        print_line(Path(folder, path))
    if len(paths) > _MOST_PATHS:
        click.echo(f"... and {len(paths) - _MOST_PATHS} more files")
    click.echo()
    print_line(f"Next: follow {Path(folder, first)}, with {place or folder} as the current folder.")
