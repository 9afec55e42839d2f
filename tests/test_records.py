"""Records: frozen values with named fields."""

import copy
import inspect
import pickle
import sys
import typing
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extcp_manifests.records import Record


class Point(Record):
    """A point."""

    axes: ClassVar[int] = 2
    x: int
    y: int = 0


class Named(Point):
    """A point with a name."""

    name: str = ""


class Single(Record, eq=False):
    """One of its kind."""

    name: str


class Login(Record, kw_only=True, hidden=("token",)):
    """Something with a secret and with settings."""

    token: str
    settings: Mapping[str, Any] = {}

    def __post_init__(self) -> None:
        if not self.token:
            raise ValueError("no token")

    @cached_property
    def length(self) -> int:
        """Worked out once."""
        return len(self.token)


@given(st.integers(), st.integers())
def test_a_record_is_its_fields(x: int, y: int) -> None:
    """Records are equal and have one hash where their fields are equal, however they were given; copies are equal."""
    point = Point(x, y)
    assert (point.x, point.y, point.axes) == (x, y, 2)
    pickled = pickle.loads(pickle.dumps(point))  # noqa: S301
    for same in (Point(x, y=y), Point(y=y, x=x), point.with_(), copy.deepcopy(point), pickled):
        assert same == point
        assert hash(same) == hash(point)
    assert point != Point(x, y + 1)
    assert point.with_(y=y + 1) == Point(x, y + 1)
    assert point != Named(x, y)
    assert point != (x, y)


def test_a_record_may_be_one_of_its_kind() -> None:
    """Two records that are compared as objects are not equal."""
    one = Single("a")
    assert one == one
    assert one != Single("a")
    assert len({one, Single("a")}) == 2


def test_defaults_and_inheritance() -> None:
    """Fields of a base come first; a default holds where nothing is given."""
    assert repr(Named(1)) == "Named(x=1, y=0, name='')"
    assert Named(1, 2, "a") == Named(1, y=2, name="a")


@pytest.mark.parametrize(
    ("values", "named", "sentence"),
    [
        ((), {}, "Point.__init__() missing 1 required positional argument: 'x'"),
        ((1,), {"z": 1}, "Point.__init__() got an unexpected keyword argument 'z'"),
        ((1, 2, 3), {}, "Point.__init__() takes from 2 to 3 positional arguments but 4 were given"),
        ((1,), {"x": 1}, "Point.__init__() got multiple values for argument 'x'"),
    ],
)
def test_wrong_fields(values: tuple[int, ...], named: dict[str, int], sentence: str) -> None:
    """What is missing, unknown or given twice is refused as by any function, whichever record is the first."""
    with pytest.raises(TypeError) as caught:
        Point(*values, **named)
    assert str(caught.value) == sentence


def test_fields_by_name_alone() -> None:
    """A record may refuse fields by position."""
    with pytest.raises(TypeError) as caught:
        Login("x")  # type: ignore[call-arg]
    assert str(caught.value) == "Login.__init__() takes 1 positional argument but 2 were given"


def test_a_record_is_frozen() -> None:
    """No field can be set or deleted, and the error says what to do instead."""
    point = Point(1)
    with pytest.raises(AttributeError) as caught:
        point.x = 2  # type: ignore[misc]
    assert str(caught.value) == "cannot set 'x', since a Point is frozen: use with_(x=...)"
    with pytest.raises(AttributeError) as caught:
        delattr(point, "x")
    assert str(caught.value) == "cannot delete 'x', since a Point is frozen"
    assert point == Point(1)


def test_hidden_fields_are_in_no_repr() -> None:
    """A hidden field is a field like others, but for the repr."""
    assert repr(Login(token="hush")) == "Login(settings={})"
    assert Login(token="a") != Login(token="b")


def test_what_is_worked_out_is_no_field() -> None:
    """A cached property is neither compared nor handed on."""
    asked, other = Login(token="abc"), Login(token="abc")
    assert asked.length == 3
    assert asked == other
    assert repr(asked) == repr(other)
    assert asked.with_(token="a").length == 1


def test_mappings_have_no_part_in_a_hash() -> None:
    """A record that holds a mapping has a hash, which equal records share."""
    assert hash(Login(token="a", settings={"b": 1})) == hash(Login(token="a", settings={"b": 1}))


def test_checks_of_a_record() -> None:
    """What a record checks when it is made, it checks in changed copies too."""
    with pytest.raises(ValueError, match=r"^no token$"):
        Login(token="a").with_(token="")


def test_the_signature() -> None:
    """`help` and editors see the fields."""
    assert str(inspect.signature(Named)) == "(x: int, y: int = 0, name: str = '')"
    assert str(inspect.signature(Login)).startswith("(*, token: str, settings: collections.abc.Mapping[str,")


@given(st.lists(st.integers(), min_size=1, max_size=3))
def test_the_first_records_are_made_as_all_others(values: list[int]) -> None:
    """A new class makes the same records, and the same errors, before its constructor is compiled and after."""

    class Fresh(Record):
        a: int
        b: int = 7
        c: Mapping[str, int] = {}

    anew: Any = Fresh

    def made() -> str:
        try:
            return repr(anew(*values[:2], **{"c": {"k": 1}} if len(values) > 2 else {}))
        except TypeError as error:
            return str(error)

    assert len({made() for _ in range(20)}) == 1


def test_each_record_has_its_own_empty_mapping() -> None:
    """What somebody puts into the mapping of one record is in no other, among the first records and among many."""
    logins = [Login(token="a") for _ in range(20)]
    assert len({id(login.settings) for login in logins}) == 20
    shared: Mapping[str, Any] = {}
    assert Login(token="a", settings=shared).settings is shared


def test_a_record_may_have_a_constructor_of_its_own() -> None:
    """A subclass that makes the fields itself works among the first records and among many."""

    class Diagonal(Point):
        def __init__(self, both: int) -> None:
            super().__init__(x=both, y=both)

    assert {repr(Diagonal(3)) for _ in range(40)} == {
        "test_a_record_may_have_a_constructor_of_its_own.<locals>.Diagonal(x=3, y=3)"
    }


def test_an_annotation_may_be_a_text() -> None:
    """What a class has, not its records, is no field under `from __future__ import annotations` either."""

    class Shelf(Record):
        rows: "int"
        name: "ClassVar[str]" = "shelf"
        kinds: "typing.ClassVar" = ()

    assert repr(Shelf(3)) == "test_an_annotation_may_be_a_text.<locals>.Shelf(rows=3)"


def test_threads_may_make_the_first_records() -> None:
    """While one thread compiles a constructor, others make records of the class, and of one above and below it."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(20):

            class Base(Record):
                x: int

            class Named(Base):
                name: str = ""

            class Doubled(Named):
                def __init__(self, x: int) -> None:
                    super().__init__(2 * x, name="doubled")

            def made(number: int, kinds: tuple[Any, ...] = (Base, Named, Doubled)) -> list[int]:
                return [kind(number).x for kind in kinds]

            with ThreadPoolExecutor(4) as pool:
                assert list(pool.map(made, range(60))) == [[n, n, 2 * n] for n in range(60)]
    finally:
        sys.setswitchinterval(interval)
