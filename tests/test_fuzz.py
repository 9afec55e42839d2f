"""Every public function answers any input, or refuses it with an error of this library.

The rounds of `fuzz.py` are the same in every run; its docstring tells how more of them are run.
"""

from fuzz import CALLS, faults

ROUNDS_OF_EACH_CALL = 30


def test_strange_values_everywhere() -> None:
    """Documents, arguments and texts with strange values give an answer or InvalidInput, never another exception."""
    found = list(faults(range(ROUNDS_OF_EACH_CALL * len(CALLS))))
    assert not found, "".join(f"round {each.round}: {each.place}\n{each.trace}" for each in found)
