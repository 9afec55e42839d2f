"""Records: frozen values with named fields, whose classes cost little to define.

A `frozen, slots` dataclass writes seven methods as source and compiles them, which is most of the time of importing a
package that has many. The methods of a record are the ones below, the same for all; only its constructor is compiled,
once several records were made. To type checkers a record is a frozen dataclass.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self, dataclass_transform

if TYPE_CHECKING:
    from inspect import Signature


class _SignatureOfFields:
    """The signature of a record's class, made when `help` or an editor asks for it."""

    def __get__(self, _record: object, kind: "type[Record]") -> "Signature":
        from inspect import Parameter, Signature

        form = Parameter.KEYWORD_ONLY if kind._kw_only else Parameter.POSITIONAL_OR_KEYWORD
        return Signature(
            [
                Parameter(name, form, default=kind._defaults.get(name, Parameter.empty), annotation=annotation)
                for name, annotation in kind._fields.items()
            ]
        )


@dataclass_transform(frozen_default=True)
class Record:
    """Base of frozen values: `class Port(Record): number: int`.

    Fields are given by position or by name, with `kw_only=True` behind the base by name alone. Two records are equal
    where they are of one class and their fields are equal, with `eq=False` where they are one object. Defaults must be
    values that nothing changes, or `{}`, of which each record gets its own. A class attribute that is no field is
    annotated as ClassVar, or not at all. `functools.cached_property` works.
    """

    _fields: ClassVar[dict[str, Any]] = {}
    """The fields in order, each with its annotation."""
    _defaults: ClassVar[dict[str, Any]] = {}
    _hashed: ClassVar[tuple[str, ...]] = ()
    _hidden: ClassVar[tuple[str, ...]] = ()
    _kw_only: ClassVar[bool] = False
    fresh_default: ClassVar[bool] = False
    """Whether a record of the class that is a default is made anew each time, since it holds mappings."""
    _maker: ClassVar[Any] = None
    """The class whose constructor is made here: the class itself, or one above that has none of its own."""
    _required: ClassVar[frozenset[str]] = frozenset()
    _made: ClassVar[list[None]] = []
    """One for each record that there is, until the constructor is compiled; a number would be set anew each time, and
    Python forget what it knows of the class."""
    __signature__ = _SignatureOfFields()

    def __init_subclass__(cls, *, kw_only: bool = False, eq: bool = True, hidden: tuple[str, ...] = ()) -> None:
        """Learn the fields; the values of hidden ones are in no repr."""
        super().__init_subclass__()
        annotations = {name: kind for name, kind in cls.__annotations__.items() if not _is_of_class(kind)}
        given = vars(cls)
        cls._fields = cls._fields | annotations
        cls._defaults = cls._defaults | {name: given[name] for name in annotations if name in given}
        cls._hashed = tuple(name for name in cls._fields if cls._defaults.get(name) != {})
        cls._hidden = (*cls._hidden, *hidden)
        cls._kw_only = kw_only
        cls._required = frozenset(cls._fields.keys() - cls._defaults.keys())
        cls._made = []
        if "__init__" not in given:
            cls._maker = cls
            cls.__init__ = _first_constructor  # type: ignore[method-assign, assignment]
        if not eq:  # as for any object, which is fast where caches ask for it
            cls.__eq__ = object.__eq__  # type: ignore[method-assign]
            cls.__hash__ = object.__hash__  # type: ignore[method-assign]

    def _fill(self, given: dict[str, Any]) -> None:
        """Set the fields to the values that are given by their names, which are right, or to their defaults."""
        values = self.__dict__
        for name in self._fields:
            if name in given:
                values[name] = given[name]
            else:
                default = self._defaults[name]
                values[name] = _fresh(default) if is_fresh(default) else default
        self.__post_init__()

    @classmethod
    def _constructor(cls) -> Any:
        """Return a constructor that does the same faster."""
        parameters = [f"{name}=_defaults_[{name!r}]" if name in cls._defaults else name for name in cls._fields]
        lines = [f"_values_[{name!r}] = {name}" for name in cls._fields]
        for name, default in cls._defaults.items():
            if is_fresh(default):
                lines.append(f"if {name} is _defaults_[{name!r}]: _values_[{name!r}] = _fresh_({name})")
        if cls.__post_init__ is not Record.__post_init__:
            lines.append("_record_.__post_init__()")
        return compiled(cls, parameters, lines, {"_defaults_": cls._defaults, "_fresh_": _fresh})

    def __post_init__(self) -> None:
        """Check the fields, where a record has something to check; the name is the one of dataclasses."""

    def with_(self, **changes: Any) -> Self:
        """Return the same record with other values in some fields."""
        return type(self)(**{**self._field_values(), **changes})

    def _field_values(self) -> dict[str, Any]:
        """Return the fields with their values; `cached_property` may have put more into the record."""
        values = self.__dict__
        return {name: values[name] for name in self._fields}

    def __replace__(self, **changes: Any) -> Self:
        """Return `with_(...)`; `copy.replace` calls this from Python 3.13 on."""
        return self.with_(**changes)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"cannot set {name!r}, since a {type(self).__name__} is frozen: use with_({name}=...)")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"cannot delete {name!r}, since a {type(self).__name__} is frozen")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        own, others = self.__dict__, other.__dict__
        if len(own) == len(others) == len(self._fields):
            return own == others
        return self._field_values() == other._field_values()

    def __hash__(self) -> int:
        # What can change has no hash; two equal records have one all the same.
        try:
            return hash((type(self), *map(self.__dict__.get, self._hashed)))
        except TypeError:
            values = self._field_values().values()
            return hash((type(self), *(value for value in values if value.__hash__ is not None)))

    def __repr__(self) -> str:
        shown = ((name, value) for name, value in self._field_values().items() if name not in self._hidden)
        fields = ", ".join(f"{name}={value!r}" for name, value in shown)
        return f"{type(self).__qualname__}({fields})"


def is_fresh(default: Any) -> bool:
    """Return whether each record gets a default of its own: `{}`, or a record that may hold such."""
    return default == {} or (isinstance(default, Record) and default.fresh_default)


def _fresh(default: Any) -> Any:
    return type(default)()


_FEW = 24
"""How many records of a class are made before its constructor is compiled, which takes as long."""


def _first_constructor(record: Record, /, *values: Any, **named: Any) -> None:
    """Make one of the first records of a class; compile the constructor for many, and for the error of a wrong call."""
    kind = record._maker
    kind._made.append(None)
    given = {**dict(zip(kind._fields, values, strict=False)), **named} if values else named
    is_right = len(given) == len(values) + len(named) and given.keys() <= kind._fields.keys()
    if is_right and kind._required <= given.keys() and len(kind._made) <= _FEW and not (values and kind._kw_only):
        record._fill(given)
        return
    kind.__init__ = kind._constructor()
    kind.__init__(record, *values, **named)


def compiled(kind: type[Record], parameters: Sequence[str], lines: Sequence[str], names: dict[str, Any]) -> Any:
    """Return a constructor with parameters behind the record `_record_`, and lines that fill its `_values_`.

    It is compiled since what takes any fields in any way is three times as slow as what knows them.
    """
    head = ", ".join(["_record_", "/", *(["*"] if kind._kw_only and kind._fields else []), *parameters])
    body = "\n ".join(["_values_ = _record_.__dict__", *lines])
    exec(f"def __init__({head}):\n {body}", names)  # noqa: S102 - of Python's own identifiers, as dataclasses does
    constructor = names["__init__"]
    constructor.__qualname__ = f"{kind.__qualname__}.__init__"
    return constructor


def _is_of_class(annotation: Any) -> bool:
    """Return whether an annotation is ClassVar; it is a text under `from __future__ import annotations`."""
    if isinstance(annotation, str):
        return annotation.partition("[")[0].rpartition(".")[2] == "ClassVar"
    return annotation is ClassVar or getattr(annotation, "__origin__", None) is ClassVar
