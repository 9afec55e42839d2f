"""Regular expressions of Go (RE2), tried with Python's engine as far as both agree.

Source: github.com/google/re2: wiki/Syntax.
"""

import re
import warnings
from functools import lru_cache

# What RE2 refuses and Python takes, and what only RE2 takes.
_REFUSED = re.compile(r"(?<!\\)(?:\\\\)*(?:\(\?(?:<?[=!]|>|#|\(|P=)|\\[1-9])")
_UNTRIED = re.compile(r"\\[pPQEC]|\[\[:|.\(\?[-imsU]+\)|\(\?[is]*[mU]", re.DOTALL)
_END = re.compile(r"(?<!\\)((?:\\\\)*)(?:\$\Z|\\z)")


class RegexError(ValueError):
    """A pattern that RE2 refuses; the text says why."""


@lru_cache(maxsize=256)
def compiled(pattern: str) -> re.Pattern[str] | None:
    """The pattern for Python, or None where Python cannot try it. Raises RegexError for what RE2 refuses."""
    if _REFUSED.search(pattern):
        raise RegexError("RE2 knows no lookarounds and no \\1: leave them out")
    if _UNTRIED.search(pattern):
        return None
    try:
        with warnings.catch_warnings(action="ignore", category=FutureWarning):  # Python's, of `[[`
            return re.compile(_END.sub(r"\1\\Z", pattern), re.ASCII)
    except re.error:
        raise RegexError("it is no regular expression: correct it") from None
