"""Commands about a topology: its manifests, its runbook, and what it is made of."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from extcp_manifests import injection
from extcp_manifests.builders.address import parse_address
from extcp_manifests.builders.exposure import exposure_of
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
from extcp_manifests.istio.releases import RELEASES
from extcp_manifests.istio.schema.json_schema import EDITOR_SCHEMAS, editor_schema
from extcp_manifests.planning.fleet import FleetPlan
from extcp_manifests.planning.plan import Plan
from extcp_manifests.planning.runbook import RUNBOOK
from extcp_manifests.schemas import install_schema
from extcp_manifests.topology.fleet_file import fleet_schema
from extcp_manifests.topology.parts import additions, merged_mesh_config
from extcp_manifests.topology.topology_file import schema


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


def _print_additions(the_plan: Plan | FleetPlan) -> None:
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


@commands.group()
def inject() -> None:
    """Encode and decode injection paths."""


@inject.command()
@click.option("--cluster", required=True, help="Name of the cluster.")
@click.option("--network", required=True, help="Name of its network.")
@click.option("--address", help="Address of istiod; with it the setting of a remote cluster is printed.")
@FORMAT
def encode(cluster: str, network: str, address: str | None, form: str) -> None:
    """Print the injection path of a cluster, or with --address its injectionURL or injectionPath."""
    if address is None:
        values = {"injectionPath": injection.encode(cluster=cluster, network=network)}
    else:
        values = exposure_of(parse_address(address)).istiod_remote(cluster, network).plain()
    if form == "json":
        print_json(values)
    elif address is None:
        print_line(values["injectionPath"])
    else:
        for key, value in values.items():
            print_line(f"{key}: {value}")


@inject.command()
@click.argument("path", metavar="PATH|URL")
@FORMAT
def decode(path: str, form: str) -> None:
    """Print what istiod derives from an injection path, or from an injectionURL.

    What is wrong with the path goes to standard error; the exit code is 1 unless it has a cluster and a network.
    """
    variables = injection.decode_url(path) if injection.is_url(path) else injection.decode(path)
    if form == "json":
        print_json(dict(variables))
    else:
        for name, value in variables.items():
            print_line(f"{name}={value}")
    for problem in injection.doubts(path):
        print_line(problem, err=True)
    if not all(variables.get(name) for name in (injection.CLUSTER_ID, injection.NETWORK)):
        sys.exit(1)


_FLEET = "fleet"
"""The name of the JSON Schema of a file of several control planes."""


@commands.command("schema")
@click.option("--install", "in_folder", metavar="DIR", help="Write it into DIR instead, for editors.")
@click.argument("name", metavar="[NAME]", type=click.Choice([_FLEET, *EDITOR_SCHEMAS]), required=False)
@click.option("--release", metavar="R", help="Istio minor that the schema is for, such as 1.24.")
def show_schema(name: str | None, release: str | None, in_folder: str | None) -> None:
    """Print the JSON Schema of a topology file, or with NAME that of an Istio document in a release.

    NAME is fleet for a file of several control planes, or mesh-config, istio-operator, values, gateway,
    virtual-service or destination-rule. Their schemas are for editors: they refuse keys that the release refuses or
    ignores. With --install, a file that begins with the comment that is shown is completed and checked by editors with
    a YAML language server, such as VS Code.
    """
    if in_folder is not None and name not in (None, _FLEET):
        raise click.UsageError("--install is for files of this library: leave NAME out, or write fleet.")
    if in_folder is not None:
        written = install_schema(Path(in_folder), fleet=name == _FLEET)
        print_line(written)
        click.echo()
        print_line(f"Next: begin your file with  # yaml-language-server: $schema=./{written.name}")
        return
    if name in (None, _FLEET):
        if release is not None:
            raise click.UsageError(f"--release needs NAME: {', '.join(EDITOR_SCHEMAS[:-1])} or {EDITOR_SCHEMAS[-1]}.")
        click.echo(json.dumps(schema() if name is None else fleet_schema(), indent=2))
        return
    if release is None:
        raise click.UsageError(f"{name} needs --release R: name the Istio minor, such as {list(RELEASES)[-1]}.")
    click.echo(json.dumps(editor_schema(name, release=release), indent=2))


@commands.command("explain")
@click.argument("path", metavar="[KEY]", default="")
def show_key(path: str) -> None:
    """Print what a key of a topology file does, such as spec.gateway.name, with the keys below it."""
    from extcp_manifests.topology.explain import explain

    click.echo(explain(path))
    if not path:
        print_line("Next: extcp-manifests explain spec", err=True)


@commands.command()
@FORMAT
def releases(form: str) -> None:
    """Print what changes by Istio release."""
    if form == "json":
        rows = [
            {
                "release": release.name,
                "kubernetes": release.kubernetes,
                "sailOperators": release.sail,
                "changes": [change.what for change in release.changes],
            }
            for release in RELEASES.values()
        ]
        print_json(rows)
        return
    for release in RELEASES.values():
        click.echo(f"{release.name}  Kubernetes {release.kubernetes or 'not known'}")
        for change in release.changes:
            click.echo(f"      - {change.what}")


def _stream(the_plan: Plan | FleetPlan) -> Iterator[bytes]:
    """Yield all files as one YAML stream, each with its path as a comment."""
    separator = b""
    for path, content in the_plan.files():
        yield separator + f"# {path}\n".encode() + content
        separator = b"---\n"
