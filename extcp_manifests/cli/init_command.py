"""The command that writes a first topology file."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from extcp_manifests import yaml
from extcp_manifests.builders.address import IPAddress, parse_address
from extcp_manifests.cli.shared import QUIET, print_line
from extcp_manifests.errors import InvalidInput, OutputError
from extcp_manifests.istio.releases import RELEASES
from extcp_manifests.planning.step import piped
from extcp_manifests.schemas import SCHEMA_FILE, install_schema
from extcp_manifests.topology.starting import FirstCluster, FirstTopology
from extcp_manifests.topology.topology_file import load

NEWEST = [release.name for release in RELEASES.values() if release.kubernetes is not None][-1]
"""The newest release of which all is known."""


@click.group()
def commands() -> None:
    """Gather the commands of this module."""


@commands.command("init")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    default="mesh.yaml",
    show_default=True,
    help="The file to write; - is standard output.",
)
@click.option("--address", metavar="A", help="Host name or IP address at which remote clusters reach istiod.")
@click.option(
    "--cluster",
    "clusters",
    metavar="NAME[=NETWORK]",
    multiple=True,
    help="A remote cluster, the config cluster first; its network is network1 if left out.",
)
@click.option("--release", metavar="R", default=NEWEST, show_default=True, help="Istio minor.")
@click.option(
    "--name", metavar="NAME", default="mesh1", show_default=True, help="Name of the installation, and the mesh's ID."
)
@click.option("--credential-name", metavar="NAME", help="TLS secret for a host name; istiod-certificate if left out.")
@click.option("--external", metavar="NAME", default="external", show_default=True, help="Name of istiod's own cluster.")
@click.option("--install", type=click.Choice(["istioctl", "helm", "sail"]), default="istioctl", show_default=True)
@click.option("--revision", metavar="NAME", help="The control plane's revision, which sail needs.")
@click.option("--no-schema", is_flag=True, help="Write no JSON Schema beside the file.")
@click.option("--force", is_flag=True, help="Overwrite a file that is there.")
@QUIET
def write_first_file(
    output: str,
    address: str | None,
    clusters: tuple[str, ...],
    release: str,
    name: str,
    credential_name: str | None,
    external: str,
    install: str,
    revision: str | None,
    no_schema: bool,
    force: bool,
    quiet: bool,
) -> None:
    """Write a first topology file, with comments; what is not said by options is asked on a terminal.

    Beside it a JSON Schema is written, by which editors complete and check the file.
    """
    if output == "":
        raise click.UsageError("-o is empty: name a file.")
    if output != "-" and not force and Path(output).exists():
        raise OutputError(output, "already exists: choose another file, or overwrite it with --force")
    if sys.stdin.isatty():
        address = address or click.prompt("Host name or IP address of istiod", value_proc=_address)
        if install == "sail" and revision is None:
            revision = click.prompt("Revision, by which the Sail Operator names what it makes", default="canary")
        clusters = clusters or click.prompt(_CLUSTERS, value_proc=_clusters)
    elif address is None or not clusters:
        raise click.UsageError("no terminal to ask on: give --address and --cluster.")
    if credential_name is not None and isinstance(parse_address(str(address)), IPAddress):
        raise click.UsageError("--credential-name has no use with an IP address, where istiod ends TLS: leave it out.")
    text = FirstTopology(
        release=release,
        address=str(address),
        clusters=_first_clusters(clusters),
        name=name,
        credential_name=credential_name or "istiod-certificate",
        external=external,
        install=install,
        revision=revision,
        schema=None if no_schema or output == "-" else f"./{SCHEMA_FILE}",
    ).text()
    load(yaml.load(text))
    if output == "-":
        click.echo(text, nl=False)
        return
    Path(output).parent.mkdir(parents=True, exist_ok=True)
    Path(output).write_text(text, "utf-8")
    schema = None if no_schema else install_schema(Path(output).parent)
    if quiet:
        return
    print_line(output)
    if schema is not None:
        print_line(schema)
    click.echo()
    print_line(f"Next: {piped(('extcp-manifests', 'generate', output, '-o', 'out'))}")


_CLUSTERS = "Remote clusters, separated by spaces, the config cluster first (NAME or NAME=NETWORK)"


def _address(text: str) -> str:
    """Return an answer that is an address; click asks again for another one."""
    try:
        parse_address(text)
    except InvalidInput as error:
        raise click.UsageError(error.problems[0].message) from None
    return text


def _clusters(text: str) -> tuple[str, ...]:
    """Return the clusters of an answer that are right; click asks again for others."""
    words = tuple(re.split(r"[\s,]+", text.strip()))
    made = FirstTopology(release=NEWEST, address="192.0.2.1", clusters=_first_clusters(words))
    try:
        load(yaml.load(made.text()))
    except InvalidInput as error:
        raise click.UsageError(str(error.problems[0])) from None
    return words


def _first_clusters(words: Sequence[str]) -> list[FirstCluster]:
    """Return clusters of words such as `prod-eu=eu`. Raises click.UsageError for others, and for one given twice."""
    clusters: dict[str, FirstCluster] = {}
    for word in words:
        name, sign, network = word.partition("=")
        if not name or (sign and not network):
            raise click.UsageError(f"cluster {word!r} lacks its name or its network: write NAME or NAME=NETWORK.")
        if name in clusters:
            raise click.UsageError(f"cluster {name!r} is given twice: leave one out.")
        clusters[name] = FirstCluster(name, network) if sign else FirstCluster(name)
    return list(clusters.values())
