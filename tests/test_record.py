import doctest
import pickle

import pytest

from dfkit import _record
from dfkit._record import MANY, Record, replace


class Point(Record):
    """Two numbers."""

    x: int
    y: int = 0


class Named(Point):
    name: str = ""


def test_the_examples_in_its_documentation():
    assert doctest.testmod(_record).failed == 0


@pytest.fixture(params=["fresh", "specialized"])
def point(request):
    class Fresh(Record):
        x: int
        y: int = 0

    if request.param == "specialized":
        for _ in range(MANY):
            Fresh(1)
    return Fresh


def test_fields_by_position_name_and_default(point):
    assert (point(1).x, point(1).y) == (1, 0)
    assert point(y=2, x=1) == point(1, 2)


@pytest.mark.parametrize(("args", "kwargs"), [((), {}), ((1, 2, 3), {}), ((1,), {"x": 2}), ((1,), {"z": 2})])
def test_wrong_fields_are_type_errors(point, args, kwargs):
    with pytest.raises(TypeError):
        point(*args, **kwargs)


def test_nothing_can_be_set(point):
    one = point(1)
    with pytest.raises(AttributeError, match="immutable"):
        one.x = 2
    with pytest.raises(AttributeError):
        one.z = 2


def test_equality_is_of_class_and_fields():
    assert Point(1, 2) == Point(1, 2)
    assert Point(1) != Named(1)
    assert len({Point(1), Point(1), Point(2)}) == 2


def test_inherited_fields_come_first():
    assert Named(1, 2, "a") == Named(x=1, y=2, name="a")
    assert repr(Named(1)) == "Named(x=1, y=0, name='')"


def test_replace_and_pickle():
    assert replace(Named(1, 2, "a"), y=3) == Named(1, 3, "a")
    assert pickle.loads(pickle.dumps(Named(1, 2, "a"))) == Named(1, 2, "a")


@pytest.mark.parametrize("before", [True, False])
def test_a_subclass_has_its_own_fields_however_many_of_its_base_class_are_made(before):
    class Base(Record):
        x: int

    if not before:
        [Base(1) for _ in range(MANY)]

    class More(Base):
        y: int = 7

    class Same(Base):
        """No fields of its own."""

    for kind in (Base, Same):
        assert [kind(each) for each in range(MANY + 1)][-1].x == MANY
    assert [More(each) for each in range(MANY + 1)][-1] == More(MANY, 7)
    assert [type(made) for made in (Base(1), More(1), Same(1))] == [Base, More, Same]
    assert (Same(2).x, More(2, 3).y) == (2, 3)
