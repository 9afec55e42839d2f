"""Regular expressions that are compiled when they are first used.

To compile one takes as long as to load a small module, there are some eighty, and a command uses few of them.
"""

import re
from typing import Any


class _Pattern:
    """A pattern that takes the methods of the compiled one as its own, once one of them is asked for."""

    def __init__(self, pattern: str, flags: int) -> None:
        self.pattern = pattern
        self.flags = flags

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # copy and pickle look for such before there is a pattern
            raise AttributeError(name)
        compiled = re.compile(self.pattern, self.flags)
        for each in ("fullmatch", "match", "search", "sub", "split", "findall", "finditer"):
            setattr(self, each, getattr(compiled, each))
        return getattr(compiled, name)


def pattern(text: str, flags: int = 0) -> re.Pattern[str]:
    """Return a regular expression; whether it is one shows when it is first used."""
    made: re.Pattern[str] = _Pattern(text, flags)  # type: ignore[assignment]
    return made
