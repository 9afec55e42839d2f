"""Records: frozen values with named fields, whose classes cost little to define.

A `frozen, slots` dataclass writes seven methods as source and compiles them, which is most of the time of importing a
package that has many. The methods of a record are the ones below, the same for all; only its constructor is compiled,
once the first record is made. To type checkers a record is a frozen dataclass.
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
    values that nothing changes. A class attribute that is no field is annotated as ClassVar, or not at all.
    `functools.cached_property` works.
    """

    _fields: ClassVar[dict[str, Any]] = {}
    """The fields in order, each with its annotation."""
    _defaults: ClassVar[dict[str, Any]] = {}
    _hidden: ClassVar[tuple[str, ...]] = ()
    _kw_only: ClassVar[bool] = False
    __signature__ = _SignatureOfFields()

    def __init_subclass__(cls, *, kw_only: bool = False, eq: bool = True, hidden: tuple[str, ...] = ()) -> None:
        """Learn the fields; the values of hidden ones are in no repr."""
        super().__init_subclass__()
        annotations = {name: kind for name, kind in cls.__annotations__.items() if not _is_of_class(kind)}
        given = vars(cls)
        cls._fields = cls._fields | annotations
        cls._defaults = cls._defaults | {name: given[name] for name in annotations if name in given}
        cls._hidden = (*cls._hidden, *hidden)
        cls._kw_only = kw_only
        cls.__init__ = _compile_and_run  # type: ignore[method-assign, assignment]
        if not eq:  # as for any object, which is fast where caches ask for it
            cls.__eq__ = object.__eq__  # type: ignore[method-assign]
            cls.__hash__ = object.__hash__  # type: ignore[method-assign]

    @classmethod
    def _constructor(cls) -> Any:
        """Return the constructor, which is made when the first record is."""
        parameters = [f"{name}=defaults[{name!r}]" if name in cls._defaults else name for name in cls._fields]
        lines = [f"_values_[{name!r}] = {name}" for name in cls._fields]
        if cls.__post_init__ is not Record.__post_init__:
            lines.append("_record_.__post_init__()")
        return compiled(cls, parameters, lines, {"defaults": cls._defaults})

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
        return self._field_values() == other._field_values()

    def __hash__(self) -> int:
        # What can change has no hash; two equal records have one all the same.
        return hash((type(self), *(value for value in self._field_values().values() if value.__hash__ is not None)))

    def __repr__(self) -> str:
        shown = ((name, value) for name, value in self._field_values().items() if name not in self._hidden)
        fields = ", ".join(f"{name}={value!r}" for name, value in shown)
        return f"{type(self).__qualname__}({fields})"


def _compile_and_run(record: Record, /, *values: Any, **named: Any) -> None:
    """Make the first record of a class, and the constructor for all others."""
    kind = type(record)
    kind.__init__ = kind._constructor()  # type: ignore[method-assign]
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
    return annotation is ClassVar or getattr(annotation, "__origin__", None) is ClassVar
