"""The wings of the library: what may import what, and what an import loads."""

import ast
import subprocess
import sys
from collections.abc import Iterator, Sequence
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import extcp_manifests

PACKAGE = Path(extcp_manifests.__file__).parent
# From the ground up; a wing imports only from itself and from those before it.
WINGS: Sequence[str] = """
lazy errors yaml documents injection istio builders topology planning pipelines __init__ testing cli __main__
""".split()


def wing_of(module: str) -> str:
    """Return the wing of a module, by its name below the package."""
    return module.split(".")[0] or "__init__"


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


def imports_of(path: Path) -> Iterator[str]:
    """Yield the modules of this library that a file imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports name the whole path"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (name.removeprefix("extcp_manifests.") for name in names if name.startswith("extcp_manifests."))


def test_every_wing_has_its_place() -> None:
    """The order names every folder and module of the package's top level, and no other."""
    found = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert sorted(WINGS) == sorted(found)


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=module_of)
def test_imports_point_down(path: Path) -> None:
    """A wing imports only from itself and from those before it."""
    own = WINGS.index(wing_of(module_of(path)))
    imported = {name for name in imports_of(path) if wing_of(name) in WINGS}
    assert {name for name in imported if WINGS.index(wing_of(name)) > own} == set()


def test_there_is_no_cycle() -> None:
    """No module needs itself to be imported before it."""
    paths = {module_of(path).removesuffix(".__init__"): path for path in PACKAGE.rglob("*.py")}
    graph: dict[str, set[str]] = {}
    for module, path in paths.items():
        named = imports_of(path)
        graph[module] = {name if name in paths else name.rpartition(".")[0] for name in named} - {module, ""}
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the modules


def test_an_import_brings_only_what_it_needs() -> None:
    """Importing the library loads no command line, no ruamel.yaml and nothing for tests or the network."""
    code = "import sys, extcp_manifests; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert {"pydantic", "yaml", "deepmerge"} <= loaded
    assert not loaded & {"click", "ruamel", "rich", "pytest", "hypothesis", "jsonschema", "ssl"}


def test_the_public_names() -> None:
    """What the top offers, no more."""
    assert sorted(extcp_manifests.__all__) == [
        "ClusterCredentials",
        "ExtcpError",
        "ExternalCluster",
        "InvalidInput",
        "MeshCluster",
        "MeshGateways",
        "Plan",
        "Sample",
        "SharedGateway",
        "Topology",
        "load",
        "load_credentials",
        "plan",
    ]
    assert all(hasattr(extcp_manifests, name) for name in extcp_manifests.__all__)
