"""The command line: every command is one call of the library."""

import sys

import click

from extcp_manifests.cli import composing, generating, pipelines
from extcp_manifests.errors import ExtcpError, InvalidInput


def main() -> None:
    """Run the command line; problems go to standard error, a line each, and the exit code is 1."""
    try:
        cli()
    except InvalidInput as error:
        for problem in error.problems:
            click.echo(problem, err=True)
        sys.exit(1)
    except ExtcpError as error:
        click.echo(error, err=True)
        sys.exit(1)
    except OSError as error:
        click.echo(f"{error.filename}: {error.strerror}" if error.filename else str(error), err=True)
        sys.exit(1)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="extcp-manifests")
def cli() -> None:
    """Every manifest of an Istio external control plane, from one topology."""


for module in (generating, composing, pipelines):
    for command in module.commands.commands.values():
        cli.add_command(command)
