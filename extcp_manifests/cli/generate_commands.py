"""Commands about a topology: its manifests, its runbook, and what it is made of."""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from extcp_manifests.cli.plans import (
    CHECK,
    CREDENTIALS,
    DIFF,
    FORCE,
    RELEASE,
    Mode,
    plan_of,
    plans_of,
    print_file_changes,
    report_files,
    write_files,
)
from extcp_manifests.cli.shared import FILE, FORMAT, QUIET, explained, print_json, print_line, print_pieces, print_table
from extcp_manifests.planning.plan import Plan
from extcp_manifests.planning.runbook import RUNBOOK
from extcp_manifests.topology.parts import additions, merged_mesh_config

if TYPE_CHECKING:
    from extcp_manifests.planning.fleet import FleetPlan


@click.group()
def commands() -> None:
    """Gather the commands of this module."""


@commands.command()
@FILE
@click.option(
    "-o",
    "--output",
    metavar="DIR",
    help="Folder for the files; - is a tar stream. Without it all documents go to standard output.",
)
@RELEASE
@CREDENTIALS
@CHECK
@DIFF
@FORCE
@QUIET
@FORMAT
def generate(
    file: str,
    output: str | None,
    release: str | None,
    credentials: str | None,
    check: bool,
    diff: bool,
    force: bool,
    quiet: bool,
    form: str,
) -> None:
    """Write every manifest of the topology in FILE (- is standard input).

    FILE may have several control planes, or be a folder of such files; then each gets a folder of its own.
    """
    mode = Mode(check=check, diff=diff, force=force)
    if output == "":
        raise click.UsageError("-o is empty: name a folder, or leave it out for standard output.")
    if credentials is not None and output in (None, "-"):
        raise click.UsageError("--credentials needs -o DIR, where files that hold tokens are readable by you alone.")
    if output is None and (mode.writes_nothing or mode.force):
        raise click.UsageError("--check, --diff and --force need -o DIR.")
    if form == "json" and output in (None, "-"):
        raise click.UsageError("--format json says what is written: name a folder after -o.")
    if output == "-" and (mode.writes_nothing or mode.force):
        raise click.UsageError("--check, --diff and --force compare folders: name one after -o, or leave them out.")
    the_plan = plan_of(file, release, credentials)
    if output is None:
        print_pieces(_stream(the_plan))
    elif output == "-":
        the_plan.write_tar(sys.stdout.buffer)
        sys.stdout.buffer.flush()
    elif mode.writes_nothing:
        print_file_changes(output, the_plan.changes(output), mode, form=form)
    else:
        paths = write_files(the_plan.write, the_plan, output, mode)
        if form == "json":
            print_json({"folder": output, "files": paths, "runbook": RUNBOOK})
        elif not quiet:
            report_files(output, paths)


@commands.command("plan")
@FILE
@RELEASE
@CREDENTIALS
@click.option("--explain", is_flag=True, help="Print what settings, overrides and mesh configs come to instead.")
@FORMAT
def show_plan(file: str, release: str | None, credentials: str | None, explain: bool, form: str) -> None:
    """Print the runbook of the topology in FILE (- is standard input).

    As JSON it is a list of steps: the cluster, the file, the commands, the checks and the undo of each.
    """
    if explain and form == "json":
        raise click.UsageError("--explain has no JSON form: use one of the two.")
    the_plan = plan_of(file, release, credentials)
    if form == "json":
        print_json([step for folder, each in plans_of(the_plan) for step in _steps(folder, each)])
    elif explain:
        _print_additions(the_plan)
    elif isinstance(the_plan, Plan):
        print_pieces(line.encode() for line in the_plan.runbook_lines())
    else:
        print_pieces([the_plan.runbook().encode()])
        for _, each in the_plan.plans():
            print_pieces([b"\n"])
            print_pieces(line.encode() for line in each.runbook_lines())


def _steps(folder: str, the_plan: Plan) -> Iterator[dict[str, object]]:
    """Yield the steps of a plan as data; paths begin at the output folder, and commands are run in the plan's own."""
    for step in the_plan.steps:
        yield {
            "folder": folder,
            "stage": step.stage,
            "cluster": step.cluster,
            "context": step.context,
            "path": step.path,
            "why": step.why,
            "command": str(step.command),
            "checks": [{"command": str(each.command), "expect": each.expect} for each in step.verify],
            "undo": [str(each) for each in step.undo],
        }


def _print_additions(the_plan: "Plan | FleetPlan") -> None:
    """Print what settings and overrides put into documents; of a fleet, with the name of each control plane."""
    if isinstance(the_plan, Plan):
        named = [("", the_plan.topology)]
    else:
        named = [(f"{topology.name}  ", topology) for topology in the_plan.fleet.control_planes]
    for of_whom, topology in named:
        for each in additions(topology):
            print_line(f"{of_whom}{each}")
        merged = merged_mesh_config(topology)
        if merged is not None:
            click.echo()
            print_line(f"{of_whom}The mesh config that istiod runs with; shared is spec.configCluster.meshConfig:")
            click.echo()
            print_table(("PATH", "VALUE", "SET BY", "BEATS"), explained(merged))


def _stream(the_plan: "Plan | FleetPlan") -> Iterator[bytes]:
    """Yield all files as one YAML stream, each with its path as a comment."""
    separator = b""
    for path, content in the_plan.files():
        yield separator + f"# {path}\n".encode() + content
        separator = b"---\n"
