"""The rooms of the library: what may import what, and what an import brings along."""

import ast
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

import extcp_manifests

PACKAGE = Path(extcp_manifests.__file__).parent
# In reading order; a module imports only from those before it. The builders are a room with an order of its own.
ORDER: Sequence[str] = """
text errors release address naming kubernetes mesh_config istio_operator networking injection regex yaml merge patch
dropped schema checks agreement traffic_policy mesh_defaults mesh_validation mesh_sources mesh compose preview
mesh_networks networking_validation service_ports external_istiod operator_validation exposure
builders.base builders.namespaces builders.gateways builders.istiod builders.remotes builders.routing builders.sample
builders.secrets builders inputs topology credentials validation difference step commands made runbook
locking listing exchange output kustomize plan gitops krm exec_plugin
schemas __init__ cli.shared cli.generating cli.composing cli.pipelines cli __main__ testing
""".split()


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


def imports_of(path: Path) -> set[str]:
    """The modules of this library that a file imports, wherever in the file."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports name the whole path"
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module or ""}
    names = {name.removeprefix("extcp_manifests.") for name in found if name.startswith("extcp_manifests.")}
    return {name for name in names if name in ORDER}


def test_every_module_has_its_place() -> None:
    """The order names every module of the package, and no other."""
    assert sorted(module_of(path) for path in PACKAGE.rglob("*.py")) == sorted(ORDER)


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=module_of)
def test_imports_point_up(path: Path) -> None:
    """A module imports only from modules before it, so there is no cycle."""
    own = module_of(path)  # a package imports its own modules
    assert {name for name in imports_of(path) - {own} if ORDER.index(name) >= ORDER.index(own)} == set()


def test_the_docstring_names_the_rooms_in_order() -> None:
    """The package's docstring, the map of the house, names each room before those that import it."""
    text = (extcp_manifests.__doc__ or "").split("The modules in reading order")[1].split("Nothing here")[0]
    named = [word for word in re.findall(r"[a-z_]+", text) if word in ORDER]
    assert named == [name for name in ORDER if "." not in name and not name.startswith("__")]


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
