"""The command that draws a topology."""

import sys
from pathlib import Path

import click

from extcp_manifests.cli.plans import RELEASE, plan_of
from extcp_manifests.cli.shared import FILE, print_line
from extcp_manifests.pictures.mermaid import fleet_mermaid, mermaid
from extcp_manifests.pictures.svg import fleet_svg, svg
from extcp_manifests.planning.plan import Plan


@click.group()
def commands() -> None:
    """Gather the commands of this module."""


@commands.command("picture")
@FILE
@click.option("-o", "--output", metavar="FILE", help="The file to write, instead of standard output.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["svg", "png", "mermaid"]),
    help="What the file is; by its ending if left out, or else svg. png needs the extra extcp-manifests[png].",
)
@RELEASE
def draw(file: str, output: str | None, form: str | None, release: str | None) -> None:
    """Draw the topology in FILE (- is standard input): clusters, networks, gateways, and which way requests go.

    Several control planes are drawn as a grid. Files that end in .mmd or .mermaid are in Mermaid's language.
    """
    the_plan = plan_of(file, release, None)
    by_ending = _BY_ENDING.get(Path(output or "").suffix.lower())
    if None not in (form, by_ending) and form != by_ending:
        raise click.UsageError(f"{output} ends as {by_ending}, and --format is {form}: choose one of them.")
    chosen = form or _by_ending(output)
    if isinstance(the_plan, Plan):
        text = mermaid(the_plan.topology) if chosen == "mermaid" else svg(the_plan.topology)
    else:
        text = fleet_mermaid(the_plan.fleet) if chosen == "mermaid" else fleet_svg(the_plan.fleet)
    content = text.encode()
    if chosen == "png":
        from extcp_manifests.pictures.png import png

        content = png(text)
    if output in (None, "-"):
        sys.stdout.buffer.write(content)
        return
    Path(output).parent.mkdir(parents=True, exist_ok=True)
    Path(output).write_bytes(content)
    print_line(output)


def _by_ending(output: str | None) -> str:
    """Return the form of a file by its ending."""
    if output in (None, "-"):
        return "svg"
    try:
        return _BY_ENDING[Path(output).suffix.lower()]
    except KeyError:
        known = ", ".join(_BY_ENDING)
        raise click.UsageError(f"{output} does not end in {known}: choose another name, or a --format.") from None


_BY_ENDING = {".svg": "svg", ".png": "png", ".mmd": "mermaid", ".mermaid": "mermaid"}
