"""What all documents share: frozen, typed values that become the manifest's plain data.

A document's attributes are the manifest's keys in the order in which they are written; a key that is a Python keyword
has an underscore behind it (`global_`). None means absent: it is not written. Empty text, False and empty collections
are written. A class with `further_keys=True` carries other keys as given, explicit nulls included.
"""

from collections.abc import Collection, Mapping
from functools import cache
from types import NoneType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, dataclass_transform, get_args, get_origin

from extcp_manifests.errors import InvalidInput, Path, Problem, kind_of, unknown_key
from extcp_manifests.records import Record, compiled

Plain = Mapping[str, "Plain"] | list["Plain"] | tuple["Plain", ...] | str | int | float | bool | None
"""What YAML and JSON can hold."""


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Model(Record):
    """Base of every document and its parts: frozen, strict about keys and types, and silent about values in errors.

    A document holds only what is given; of a key that is left out the class has the None.
    """

    _further_keys: ClassVar[bool] = False
    _is_as_written: ClassVar[bool] = True
    """Whether all attributes are spelled as their keys."""

    def __init_subclass__(cls, *, further_keys: bool = False) -> None:
        super().__init_subclass__(kw_only=True)
        cls._further_keys = cls._further_keys or further_keys
        cls._is_as_written = all(_key(attribute) == attribute for attribute in cls._fields)

    @classmethod
    def from_plain(cls, data: Mapping[str, Any]) -> Self:
        """Return the document of plain data, such as a manifest that was read.

        Raises InvalidInput with every key that it does not have, and every value of another type; with no value.
        """
        problems: list[Problem] = []
        document: Self = _Document(cls).read(data, (), problems)
        if problems:
            raise InvalidInput(problems)
        return document

    def plain(self) -> dict[str, Any]:
        """Return the document as mappings, lists and scalars, in the order of its keys; secrets are laid open."""
        return {key: value if type(value) in _SCALARS else _plain(value) for key, value in self._entries_()}

    def _entries_(self) -> Collection[tuple[str, Any]]:
        """Return the keys that are written, with their values; the emitter asks for them too."""
        values = self.__dict__
        if self._is_as_written and _FURTHER not in values:
            return values.items()
        own = [(_key(attribute), value) for attribute, value in values.items() if attribute != _FURTHER]
        return [*own, *values.get(_FURTHER, {}).items()]

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Return the value of a key that the class does not have itself."""
            further = self.__dict__.get(_FURTHER, {})
            if name in further:
                return further[name]
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def _field_values(self) -> dict[str, Any]:
        """Return the keys with their values, among them those that the class does not have itself."""
        values = self.__dict__
        own = {name: values[name] if name in values else self._defaults[name] for name in self._fields}
        return {**own, **values.get(_FURTHER, {})}

    def _fill(self, given: dict[str, Any]) -> None:
        """Set the keys to the values that are given, which are checked, or to their defaults."""
        problems: list[Problem] = []
        values = self.__dict__
        for attribute, annotation in self._fields.items():
            value = given[attribute] if attribute in given else self._defaults[attribute]
            if value is None and self._defaults.get(attribute, _REQUIRED) is None:
                continue
            reader = _reader_of(annotation)
            is_taken = type(value) in reader.kinds or attribute not in given
            values[attribute] = value if is_taken else reader.read(value, (_key(attribute),), problems)
        if problems:
            raise InvalidInput(problems)

    @classmethod
    def _constructor(cls) -> Any:
        """Return a constructor that does the same faster, and takes further keys."""
        names: dict[str, Any] = {"_type_": type, "_required_": _REQUIRED, "_InvalidInput_": InvalidInput}
        parameters, lines = [], ["_problems_ = []"]
        for number, (attribute, annotation) in enumerate(cls._fields.items()):
            reader = _reader_of(annotation)
            names[f"_read{number}_"] = reader.read_given
            names[f"_kinds{number}_"] = reader.kinds
            names[f"_default{number}_"] = cls._defaults.get(attribute, _REQUIRED)
            parameters.append(f"{attribute}=_default{number}_")
            read = f"_read{number}_({attribute}, ({_key(attribute)!r},), _problems_)"
            taken = f"_type_({attribute}) in _kinds{number}_ or {attribute} is _default{number}_ is not _required_"
            stored = f"_values_[{attribute!r}] = {attribute} if {taken} else {read}"
            may_be_absent = cls._defaults.get(attribute, _REQUIRED) is None
            lines.append(f"if {attribute} is not None: {stored}" if may_be_absent else stored)
        parameters.append("**_further_")
        lines += [
            "if _further_: _record_._take_further(_further_, _problems_)",
            "if _problems_: raise _InvalidInput_(_problems_)",
        ]
        return compiled(cls, parameters, lines, names)

    def _take_further(self, further: dict[str, Any], problems: list[Problem]) -> None:
        """Make keys that are no attributes the document's own, where it may have any, or note that it has none."""
        values = self.__dict__
        for attribute, annotation in self._fields.items():
            key = _key(attribute)
            if key != attribute and key in further:
                values[attribute] = _reader_of(annotation).read(further.pop(key), (key,), problems)
                ordered = [(name, values.pop(name)) for name in self._fields if name in values]
                values.update(ordered)
        if self._further_keys:
            values[_FURTHER] = further
        else:
            known = [_key(attribute) for attribute in self._fields]
            problems += [Problem((key,), unknown_key(key, known)) for key in further]


def _key(attribute: str) -> str:
    """Return the key of an attribute, which has an underscore more where the key is a word of Python."""
    return attribute.removesuffix("_")


_REQUIRED: Any = type("Required", (), {"__repr__": lambda _: "required"})()


_FURTHER = "_further"


def _plain(value: Any) -> Any:
    """Return a value of a document as plain data."""
    kind = type(value)
    if kind in _SCALARS:
        return value
    if kind is tuple or kind is list:
        return [_plain(item) for item in value]
    if isinstance(value, Model):
        return value.plain()
    if kind is dict or isinstance(value, Mapping):
        return {key: item if type(item) in _SCALARS else _plain(item) for key, item in value.items()}
    return value


_SCALARS = frozenset({str, bool, int, float, type(None)})


# ------------------------------------------------------------------------------------------------------------- readers


class _Reader:
    """How the values of a key are read."""

    kinds: frozenset[type] = frozenset()
    """The types whose values are taken as they are."""
    wanted: str
    """What the value must be, for people."""

    def read_given(self, value: Any, place: Path, problems: list[Problem]) -> Any:
        """Return the value as the document holds it, and note that it is missing or what is wrong with it."""
        if value is _REQUIRED:
            problems.append(Problem(place, "is required: add it"))
            return None
        return self.read(value, place, problems)

    def read(self, value: Any, place: Path, problems: list[Problem]) -> Any:
        """Return the value as the document holds it, and note what is wrong with it."""
        problems.append(Problem(place, f"must be {self.wanted}, not {kind_of(value)}"))


class _Anything(_Reader):
    def read(self, value: Any, place: Path, problems: list[Problem]) -> Any:  # noqa: ARG002
        return value


class _Scalar(_Reader):
    def __init__(self, kind: type, wanted: str) -> None:
        self.kinds = frozenset({kind})
        self.kind = kind
        self.wanted = wanted

    def read(self, value: Any, place: Path, problems: list[Problem]) -> Any:
        if isinstance(value, self.kind) and not isinstance(value, bool):
            return value
        return super().read(value, place, problems)


class _Word(_Reader):
    def __init__(self, words: tuple[str, ...]) -> None:
        self.words = words
        self.wanted = " or ".join(map(repr, words))

    def read(self, value: Any, place: Path, problems: list[Problem]) -> Any:
        if type(value) is str and value in self.words:
            return value
        problems.append(Problem(place, f"must be {self.wanted}"))
        return None


class _Document(_Reader):
    wanted = "a mapping"

    def __init__(self, kind: type[Model]) -> None:
        self.kinds = frozenset({kind})
        self.kind = kind

    def read(self, value: Any, place: Path, problems: list[Problem]) -> Any:
        if isinstance(value, self.kind):
            return value
        if not isinstance(value, Mapping):
            return super().read(value, place, problems)
        keys = _texts(value, place, problems)
        try:
            return self.kind(**keys)
        except InvalidInput as error:
            problems += [problem.under(*place) for problem in error.problems]


class _Items(_Reader):
    wanted = "a list"

    def __init__(self, item: _Reader) -> None:
        self.item = item

    def read(self, value: Any, place: Path, problems: list[Problem]) -> Any:
        if not isinstance(value, list | tuple):
            return super().read(value, place, problems)
        kinds = self.item.kinds
        return tuple(
            [
                item if type(item) in kinds else self.item.read(item, (*place, index), problems)
                for index, item in enumerate(value)
            ]
        )


class _Entries(_Reader):
    wanted = "a mapping"

    def __init__(self, item: _Reader) -> None:
        self.item = item

    def read(self, value: Any, place: Path, problems: list[Problem]) -> Any:
        if type(value) is not dict and not isinstance(value, Mapping):
            return super().read(value, place, problems)
        entries = _texts(value, place, problems)
        kinds = self.item.kinds
        for key, item in entries.items():
            if type(item) not in kinds:
                entries[key] = self.item.read(item, (*place, key), problems)
        return entries


def _texts(given: Mapping[Any, Any], place: Path, problems: list[Problem]) -> dict[str, Any]:
    """Return a copy of a mapping, since whoever gave it may change it, and note keys that are not text."""
    for key in given:
        if type(key) is not str and not isinstance(key, str):
            break
    else:
        return dict(given)
    wrong = [key for key in given if not isinstance(key, str)]
    problems += [Problem(place, f"has a key that is {kind_of(key)}: put it in quotes") for key in wrong]
    return {key: value for key, value in given.items() if isinstance(key, str)}


class _Optional(_Reader):
    """Reads what another reader reads, or None."""

    def __init__(self, reader: _Reader) -> None:
        self.kinds = reader.kinds | {NoneType}
        self.read = reader.read  # type: ignore[method-assign]


@cache
def _reader_of(annotation: Any) -> _Reader:
    """Return who reads the values of a key, from its annotation."""
    if annotation is Any:
        return _Anything()
    if isinstance(annotation, type):
        if issubclass(annotation, Model):
            return _Document(annotation)
        return _Scalar(annotation, _NAMES.get(annotation, f"a {annotation.__name__}"))
    arguments = get_args(annotation)
    origin = get_origin(annotation)
    if origin is Literal:
        return _Word(arguments)
    if origin is tuple:
        return _Items(_reader_of(arguments[0]))
    if origin is Mapping:
        return _Entries(_reader_of(arguments[1]))
    (wanted,) = (argument for argument in arguments if argument is not NoneType)
    return _Optional(_reader_of(wanted))


_NAMES: Mapping[type, str] = {str: "text", int: "a whole number", bool: "true or false"}
