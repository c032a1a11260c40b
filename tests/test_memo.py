from __future__ import annotations

from dfkit import _memo
from dfkit._memo import remembered


class Box:
    def __init__(self, value):
        self.value = value

    def __eq__(self, other):
        return True

    __hash__ = None


def counting():
    calls = []

    @remembered
    def function(box, *more, **named):
        """What it does."""
        calls.append(box)
        return box.value, more, tuple(named.items())

    return function, calls


def test_the_same_object_is_asked_once():
    function, calls = counting()
    box = Box(1)
    assert function(box) == function(box) == (1, (), ())
    assert len(calls) == 1
    assert function.__doc__ == "What it does."


def test_equal_objects_are_not_the_same():
    function, calls = counting()
    assert function(Box(1))[0] == 1
    assert function(Box(2))[0] == 2
    assert len(calls) == 2


def test_other_arguments_are_another_question():
    function, calls = counting()
    box = Box(1)
    assert function(box, 2) == (1, (2,), ())
    assert function(box, 3) == (1, (3,), ())
    assert function(box, x=3) == (1, (), (("x", 3),))
    assert function(box, x=3) == (1, (), (("x", 3),))
    assert len(calls) == 3


def test_an_object_that_is_gone_gives_its_number_to_no_other(monkeypatch):
    monkeypatch.setattr(_memo, "SIZE", 3)
    function, _ = counting()
    for value in range(100):
        assert function(Box(value))[0] == value
