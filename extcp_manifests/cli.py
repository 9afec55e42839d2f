"""The command line: every command is one call of the library."""

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

import click

from extcp_manifests import injection, yaml
from extcp_manifests.address import parse_address
from extcp_manifests.credentials import load_credentials
from extcp_manifests.errors import ExtcpError, InvalidInput
from extcp_manifests.exposure import exposure_of
from extcp_manifests.plan import Plan, plan
from extcp_manifests.release import CHANGES, RELEASES
from extcp_manifests.topology import load, schema

_MOST_PATHS = 40


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="extcp-manifests")
def main() -> None:
    """Every manifest of an Istio external control plane, from one topology."""


_file = click.argument("file", metavar="FILE")
_release = click.option("--release", metavar="R", help="Istio minor to use instead of the file's, such as 1.24.")
_credentials = click.option(
    "--credentials", metavar="FILE", help="Credentials of remote clusters; their Secrets then become files."
)


@main.command()
@_file
@click.option("-o", "--output", metavar="DIR", help="Folder for the files; without it all go to standard output.")
@_release
@_credentials
def generate(file: str, output: str | None, release: str | None, credentials: str | None) -> None:
    """Write every manifest of the topology in FILE (- is standard input)."""
    if credentials and output is None:
        raise click.UsageError("--credentials needs -o DIR, where files that hold tokens are readable by you alone.")
    with _problems():
        the_plan = _plan(file, release, credentials)
        if output is None:
            _print(_stream(the_plan))
        else:
            _report(output, _write(the_plan, output))


@main.command("plan")
@_file
@_release
@_credentials
def show_plan(file: str, release: str | None, credentials: str | None) -> None:
    """Print the runbook of the topology in FILE (- is standard input)."""
    with _problems():
        _print(line.encode() for line in _plan(file, release, credentials).runbook_lines())


@main.group()
def inject() -> None:
    """Encode and decode injection paths."""


@inject.command()
@click.option("--cluster", required=True, help="Name of the cluster.")
@click.option("--network", required=True, help="Name of its network.")
@click.option("--address", help="Address of istiod; the setting for a remote cluster is printed then.")
def encode(cluster: str, network: str, address: str | None) -> None:
    """Print the injection path of a cluster, or with --address its injectionURL or injectionPath."""
    with _problems():
        if address is None:
            click.echo(injection.encode(cluster=cluster, network=network))
        else:
            parsed = parse_address(address)
            for key, value in exposure_of(parsed).istiod_remote(parsed, cluster, network).plain().items():
                click.echo(f"{key}: {value}")


@inject.command()
@click.argument("path", metavar="PATH|URL")
def decode(path: str) -> None:
    """Print what istiod derives from an injection path, or from an injectionURL."""
    variables = injection.decode_url(path) if path.startswith("https://") else injection.decode(path)
    for name, value in variables.items():
        click.echo(f"{name}={value}")


@main.command("schema")
def show_schema() -> None:
    """Print the JSON Schema of a topology file."""
    click.echo(json.dumps(schema(), indent=2))


@main.command()
def releases() -> None:
    """Print what changes by Istio release."""
    changes = {since: list(group) for since, group in groupby(CHANGES, key=lambda change: change.since)}
    for release in RELEASES.values():
        click.echo(f"{release.name}  Kubernetes {release.kubernetes}")
        for change in changes.get(release.name, ()):
            click.echo(f"      - {change.what}")


def _plan(file: str, release: str | None, credentials: str | None) -> Plan:
    topology = load(_source(file), release=release)
    return plan(topology, credentials=load_credentials(_source(credentials)) if credentials else None)


def _source(file: str) -> Path | str:
    """A path, or the text of standard input, which `load` knows by its newline."""
    if file != "-":
        return Path(file)
    text = sys.stdin.buffer.read(yaml.MAX_BYTES + 1).decode("utf-8", "surrogateescape")
    return text if "\n" in text else f"{text}\n"


def _stream(the_plan: Plan) -> Iterator[bytes]:
    separator = b""
    for path, content in the_plan.files():
        yield separator + f"# {path}\n".encode() + content
        separator = b"---\n"


def _write(the_plan: Plan, folder: str) -> list[str]:
    files = sum(1 for step in the_plan.steps if step.path) + 1
    with click.progressbar(
        length=files, label="Writing", file=sys.stderr, hidden=not sys.stderr.isatty() or files <= _MOST_PATHS
    ) as bar:
        return the_plan.write(folder, on_file=lambda path: bar.update(1))


def _report(folder: str, paths: list[str]) -> None:
    for path in paths[:_MOST_PATHS]:
        click.echo(Path(folder, path))
    if len(paths) > _MOST_PATHS:
        click.echo(f"... and {len(paths) - _MOST_PATHS} more files")
    click.echo(f"\nNext: follow {Path(folder, 'RUNBOOK.md')}, with {folder} as the current folder.")


def _print(pieces: Iterable[bytes]) -> None:
    for piece in pieces:
        sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()


@contextmanager
def _problems() -> Iterator[None]:
    """Problems of the input go to standard error, a line each, and the exit code is 1."""
    try:
        yield
    except InvalidInput as error:
        for problem in error.problems:
            click.echo(problem, err=True)
        sys.exit(1)
    except ExtcpError as error:
        click.echo(error, err=True)
        sys.exit(1)
    except BrokenPipeError:
        raise  # nobody reads on, which click knows how to end
    except OSError as error:
        click.echo(f"{error.filename}: {error.strerror}" if error.filename else str(error), err=True)
        sys.exit(1)
