"""The wings of the library: what may import what, and what an import loads."""

import ast
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from graphlib import TopologicalSorter
from importlib import import_module
from pathlib import Path

import pytest

import extcp_manifests
import extcp_manifests.builders
import extcp_manifests.istio

PACKAGE = Path(extcp_manifests.__file__).parent
# From the ground up; a wing imports only from itself and from those before it.
WINGS: Sequence[str] = """
lazy records patterns errors schemas tables yaml documents injection istio builders topology pictures planning
pipelines __init__ testing cli __main__
""".split()


def wing_of(module: str) -> str:
    """Return the wing of a module, by its name below the package."""
    return module.split(".")[0] or "__init__"


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


@cache
def imports_of(path: Path) -> Sequence[str]:
    """Return the modules of this library that a file imports, wherever in the file."""
    return list(_imports(path))


def _imports(path: Path) -> Iterator[str]:
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


def loaded_by(code: str) -> set[str]:
    """The packages that are loaded once the code has run in a new process."""
    code = f"import sys\n{code}\nprint(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_an_import_brings_only_what_it_needs() -> None:
    """The package itself loads nothing, YAML no parser, and no name of the top loads the command line."""
    never = {"click", "ruamel", "rich", "pytest", "hypothesis", "jsonschema", "ssl"}
    assert not loaded_by("import extcp_manifests") & {"pydantic", "yaml", "deepmerge", *never}
    assert not loaded_by("import extcp_manifests.yaml") & {"pydantic", "yaml", "deepmerge", *never}
    assert not loaded_by("from extcp_manifests import *") & never
    for module in ("istio.validation", "istio.mesh.merging", "istio.operator.compose", "documents.compare"):
        assert not loaded_by(f"import extcp_manifests.{module}") & {"pydantic", "dataclasses", "inspect", *never}
    rare = {"hashlib", "shutil", "difflib", "deepmerge", "tarfile"}
    assert not loaded_by("import extcp_manifests.cli.validate_command, extcp_manifests.cli.reports") & rare
    text = "apiVersion: v1\\nkind: Namespace"
    validation = f"from extcp_manifests.istio.validation import *; validate_text('a.yaml', '{text}')"
    assert not loaded_by(validation) & {"pydantic", "yaml", *rare, *never}


def test_every_pattern_is_one() -> None:
    """Patterns are compiled when they are used; each of them can be."""
    names = [module_of(path).removesuffix("__init__").rstrip(".") for path in PACKAGE.rglob("*.py")]
    modules = [import_module(f"extcp_manifests.{name}".rstrip(".")) for name in names]
    found = [each for module in modules for each in vars(module).values() if type(each).__name__ == "_Pattern"]
    assert len(found) > 60
    for each in found:
        assert each.fullmatch.__self__.pattern == each.pattern


def test_every_name_of_the_top_is_handed_on() -> None:
    """What the packages hand on when it is used can be imported, listed and completed; other names are errors."""
    for package in (extcp_manifests, extcp_manifests.builders, extcp_manifests.istio):
        assert set(package.__all__) <= set(dir(package))
        assert all(getattr(package, name) is getattr(package, name) for name in package.__all__)
        with pytest.raises(AttributeError, match=rf"^module '{package.__name__}' has no attribute 'nothing'$"):
            package.nothing  # noqa: B018


def test_the_public_names() -> None:
    """What the top offers, no more."""
    assert sorted(extcp_manifests.__all__) == [
        "Autoscaling",
        "CNIPlugin",
        "ClusterCredentials",
        "ExtcpError",
        "ExternalCluster",
        "Fleet",
        "FleetPlan",
        "GatewayOverrides",
        "InvalidInput",
        "Istiod",
        "MeshCluster",
        "MeshGateways",
        "OutputError",
        "Plan",
        "PrivateCA",
        "Resources",
        "Sample",
        "SecretStore",
        "ServiceOfIstiod",
        "ServiceSettings",
        "SharedGateway",
        "Step",
        "Topology",
        "load",
        "load_credentials",
        "load_fleet",
        "plan",
        "plan_fleet",
    ]
    assert all(hasattr(extcp_manifests, name) for name in extcp_manifests.__all__)
