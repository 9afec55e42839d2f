"""The command line: every command is one call of the library."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from extcp_manifests import __version__
from extcp_manifests.errors import InvalidInput, OutputError, visible

_MODULES = {
    "init_command": {
        "init": "Write a first topology file, by options or by asking.",
    },
    "generate_commands": {
        "generate": "Write every manifest of a topology, and the runbook.",
        "plan": "Print the runbook of a topology.",
    },
    "reference_commands": {
        "inject": "Encode and decode injection paths.",
        "schema": "Print the JSON Schema of a file.",
        "explain": "Print what a key of a topology does.",
        "releases": "Print what changes by Istio release.",
    },
    "picture_command": {
        "picture": "Draw the clusters of a topology, and which way requests go.",
    },
    "document_commands": {
        "merge-mesh": "Print the mesh config that istiod runs with.",
        "compose": "Print the IstioOperator that istioctl makes of files and flags.",
        "patch": "Print rendered manifests with the overlays of an IstioOperator.",
    },
    "validate_command": {
        "validate": "Validate IstioOperators, networking documents, mesh configs and topologies.",
    },
    "pipeline_commands": {
        "kustomize": "Write the manifests of a topology as a kustomize tree.",
        "krm": "Answer a KRM ResourceList on standard input.",
        "plugin": "Use topologies as generators of kustomize.",
        "argocd": "Write Argo CD Applications for the kustomize tree.",
        "flux": "Write Flux Kustomizations for the kustomize tree.",
        "diff": "Print the differences between two folders or files.",
    },
}
"""The commands, each with a sentence, by the modules that have them; a module is only loaded for one of its commands.
"""


EXAMPLES = {
    "init": "extcp-manifests init --address istiod.example.com --cluster prod-eu=eu --cluster prod-us=us",
    "generate": "extcp-manifests generate mesh.yaml -o out",
    "plan": "extcp-manifests plan mesh.yaml",
    "inject encode": "extcp-manifests inject encode --cluster a/b --network network1",
    "inject decode": "extcp-manifests inject decode /inject/cluster/a--slash--b/net/network1",
    "schema": "extcp-manifests schema --install .",
    "explain": "extcp-manifests explain spec.gateway.name",
    "releases": "extcp-manifests releases",
    "picture": "extcp-manifests picture mesh.yaml -o mesh.svg",
    "merge-mesh": "extcp-manifests merge-mesh --shared admin.yaml --local operator.yaml --release 1.24",
    "compose": "extcp-manifests compose -f istiod.yaml --set hub=registry.example.com/istio --release 1.24",
    "patch": "extcp-manifests patch --overlays istiod.yaml rendered.yaml",
    "validate": "extcp-manifests validate mesh.yaml out",
    "kustomize": "extcp-manifests kustomize mesh.yaml -o bases",
    "krm": "extcp-manifests krm < resource-list.yaml",
    "plugin install": "extcp-manifests plugin install",
    "plugin run": "extcp-manifests plugin run mesh.yaml",
    "argocd": "extcp-manifests argocd mesh.yaml -o argocd --repo https://git.example.com/mesh.git",
    "flux": "extcp-manifests flux mesh.yaml -o flux",
    "diff": "extcp-manifests diff out new",
}
"""A call of each command, which its help shows."""


def _with_examples(name: str, command: click.Command) -> click.Command:
    """Return a command whose help, and that of the commands below it, ends with an example."""
    if isinstance(command, click.Group):
        for below, each in command.commands.items():
            _with_examples(f"{name} {below}", each)
    else:
        command.epilog = f"\b\nExample:\n  {EXAMPLES[name]}"
    return command


def main() -> None:
    """Run the command line; problems are printed on standard error, a line each, with the exit code 1."""
    # To look for plugins of pydantic, which have no use here, would read the metadata of every installed package.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed by the caller
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - open to the end
    try:
        cli(prog_name="extcp-manifests")
    except (InvalidInput, OutputError) as error:
        for problem in error.problems:
            click.echo(problem, err=True)
        sys.exit(1)
    except OSError as error:
        line = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        click.echo(visible(line), err=True)
        sys.exit(1)


class _Commands(click.Group):
    """The commands of all modules; click's messages for wrong calls have no invisible characters either."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        with _visible_errors():
            return super().make_context(info_name, args, parent, **extra)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return [name for commands in _MODULES.values() for name in commands]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        for module, commands in _MODULES.items():
            if cmd_name in commands:
                group: click.Group = import_module(f"extcp_manifests.cli.{module}").commands
                return _with_examples(cmd_name, group.commands[cmd_name])
        return None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the list of commands, for which click would load them all."""
        with formatter.section("Commands"):
            formatter.write_dl([row for commands in _MODULES.values() for row in commands.items()])

    def invoke(self, ctx: click.Context) -> object:
        """Run a command, and exit as other programs do if its reader goes away; click would exit with 1."""
        try:
            with _visible_errors():
                result: object = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            with suppress(OSError):  # a stream of a test has no file
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing is left to write at exit
            sys.exit(_BROKEN_PIPE)
        return result


_BROKEN_PIPE = 128 + 13  # what a shell makes of SIGPIPE


@contextmanager
def _visible_errors() -> Iterator[None]:
    try:
        yield
    except click.exceptions.NoArgsIsHelpError:
        raise
    except click.UsageError as error:
        shown = click.UsageError(visible(error.format_message()), error.ctx)
    else:
        return
    raise shown


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="extcp-manifests")
def cli() -> None:
    """Every manifest of an Istio external control plane, from one topology."""
