"""What all builders share: `build()`, which checks the inputs before it makes the document."""

from collections.abc import Iterator, Mapping
from functools import cache, cached_property
from types import NoneType, UnionType
from typing import Any, Generic, Literal, TypeVar, dataclass_transform, get_args, get_origin

from extcp_manifests import yaml
from extcp_manifests.builders.address import Hostname, IPAddress
from extcp_manifests.documents.model import Model
from extcp_manifests.errors import InvalidInput, Problem, kind_of, why_not_text
from extcp_manifests.istio.releases import Release
from extcp_manifests.records import Record

Document = TypeVar("Document", bound=Model, covariant=True)


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Builder(Record, Generic[Document]):
    """Base of the builders: frozen inputs, given by name, from which one document is made."""

    def __init_subclass__(cls, *, hidden: tuple[str, ...] = ()) -> None:
        super().__init_subclass__(kw_only=True, hidden=hidden)

    def build(self) -> Document:
        """Return the document.

        Raises InvalidInput with every input that is wrong. The inputs are checked here and not when they are given,
        since then a traceback would have a frame with a token among its variables.
        """
        problems = list(_problems(self))
        if problems:
            raise InvalidInput(problems)
        return self._document()

    def _document(self) -> Document:
        raise NotImplementedError


def _problems(builder: Builder[Any]) -> Iterator[Problem]:
    """Yield what is wrong with the inputs by themselves."""
    kind: Any = type(builder)
    for wanted in _wanted(kind):
        value = getattr(builder, wanted.name)
        if type(value) in wanted.sure and (type(value) is not str or value.isascii()):
            continue  # most inputs of thousands of builders
        if not _is_of_kind(value, wanted.kinds) and value not in wanted.words:
            yield Problem((wanted.name,), f"must be {wanted.sentence}, not {kind_of(value)}")
        elif isinstance(value, str) or hasattr(value, "get_secret_value"):
            text = value if isinstance(value, str) else value.get_secret_value()
            problem = why_not_text(text)
            if problem is not None:
                yield Problem((wanted.name,), problem)
        elif isinstance(value, Mapping):
            yield from yaml.unwritable(value, (wanted.name,))


def _is_of_kind(value: Any, kinds: tuple[type[Any], ...]) -> bool:
    """Return whether a value is of one of the kinds; True and False are no numbers."""
    return isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool))


class _Wanted(Record):
    """What an input may be."""

    name: str
    kinds: tuple[type[Any], ...]
    words: tuple[str, ...]
    """Texts that it may be, where only some texts are right."""

    @cached_property
    def sure(self) -> frozenset[type[Any]]:
        """The kinds of which every value is right, but for text that is not ASCII."""
        return frozenset(kind for kind in self.kinds if kind is not Mapping and not hasattr(kind, "get_secret_value"))

    @property
    def sentence(self) -> str:
        """The alternatives for people: `a Release or text`."""
        names = [_NAMES.get(kind, f"a {kind.__name__}") for kind in self.kinds]
        names += [repr(word) for word in self.words]
        return " or ".join(names)


_NAMES: Mapping[type[Any], str] = {
    str: "text",
    int: "a whole number",
    NoneType: "None",
    Mapping: "a mapping",
    Release: "a Release",
    Hostname: "a Hostname",
    IPAddress: "an IPAddress",
}


@cache
def _wanted(builder: type[Any]) -> tuple[_Wanted, ...]:
    """Return what each input of a builder may be, from its annotation."""
    found = []
    for name, hint in builder._fields.items():
        if get_origin(hint) is Literal:
            found.append(_Wanted(name, (), get_args(hint)))
        else:
            alternatives = get_args(hint) if isinstance(hint, UnionType) else (hint,)
            found.append(_Wanted(name, tuple(get_origin(kind) or kind for kind in alternatives), ()))
    return tuple(found)
