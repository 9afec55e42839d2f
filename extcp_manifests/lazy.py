"""Handing on names of modules that are only loaded when the names are used (PEP 562)."""

from collections.abc import Callable, Mapping
from importlib import import_module


def handing_on(package: str, modules: Mapping[str, str]) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Return the `__getattr__` and the `__dir__` of a package that hands on names, each from a module of the package.

    A name that was used once is an attribute of the package from then on. Type checkers must not see the functions,
    since they would then accept any name: assign them where TYPE_CHECKING is false.
    """

    def get(name: str) -> object:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value: object = getattr(import_module(f"{package}.{modules[name]}"), name)
        setattr(import_module(package), name, value)
        return value

    def names() -> list[str]:
        return sorted({*vars(import_module(package)), *modules})

    return get, names
