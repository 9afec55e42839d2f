r"""Regular expressions of Go (RE2): whether Go takes a pattern, and whether one is found in a text.

Python's own engine never sees them, since it knows other syntax and may need time without end. Google's engine, in the
package google-re2, tries them in time that grows with the text alone; it is there with `pip install
extcp-manifests[re2]`, and has no wheels for Alpine, for instance. Without it only text is tried, as in `^istio-proxy$`.

Source: go 1.26: regexp/syntax/parse.go, which Go's own documentation (regexp/syntax/doc.go) describes; Istio 1.15 is
built with Go 1.19, 1.30 with 1.25. What differs between these is taken: names of groups without `P` and classes such as
`\p{Letter}`, which are new, and classes such as `\p{Old_Italic}`, which Go 1.25 and 1.26 refuse by mistake.
"""

import re
from functools import lru_cache
from typing import Any

from extcp_manifests.patterns import pattern


class RegexError(ValueError):
    """A pattern that Go refuses; the text says why, and what to do."""


def check(pattern: str) -> None:
    """Raise RegexError for a pattern that Go refuses."""
    _Check(pattern).run()


def finds(pattern: str, text: str) -> bool | None:
    """Return whether a pattern is found in a text, or None where that cannot be tried.

    Raises RegexError for a pattern that Go refuses.
    """
    check(pattern)
    plain = _PLAIN.fullmatch(pattern)
    if plain is not None:
        return _finds_plain(text, re.sub(r"(?s)\\(.)", r"\1", plain[2]), at_begin=bool(plain[1]), at_end=bool(plain[3]))
    found = _compiled(pattern)
    return None if found is None else found.search(text) is not None


# Text without operators, from the beginning or to the end.
_PLAIN = pattern(r"(\^?)((?:[^\\.+*?()|\[\]{}^$]|\\[^A-Za-z0-9])*)(\$?)")


def _finds_plain(text: str, wanted: str, *, at_begin: bool, at_end: bool) -> bool:
    if at_begin and at_end:
        return text == wanted
    if at_begin:
        return text.startswith(wanted)
    return text.endswith(wanted) if at_end else wanted in text


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> Any:
    """The pattern for the engine, or None where it is not installed or refuses the pattern, as a very large one."""
    try:
        import re2  # pyright: ignore[reportMissingImports] - where it is not installed
    except ImportError:
        return None
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error:
        return None


# --------------------------------------------------------------------------------------------------------------- syntax

_MOST_REPEATS = 1000
"""The largest number in braces, and the largest product of such numbers where one stands inside another."""


_MOST_LEVELS = 1000


_COUNT = pattern(r"\{(0|[1-9][0-9]*)(?:(,)(0|[1-9][0-9]*)?)?\}")


_NAMED_GROUP = pattern(r"\(\?P?<[A-Za-z0-9_]+>")


_FLAGS = pattern(r"\(\?(?:[imsU]*|[imsU]*-[imsU]+)([:)])")


_ASSERTION = pattern(r"[$^]|\\[AbBz]")


_QUOTED = pattern(r"\\Q(.*?)(?:\\E|\Z)", re.DOTALL)


_SHORTHAND = pattern(r"\\[dDsSwW]")


_UNICODE_CLASS = pattern(r"\\[pP](?:\{\^?([^}]*)\}|([^{]))", re.DOTALL)


_ESCAPE = pattern(r"\\(?:x\{([0-9A-Fa-f]+)\}|x([0-9A-Fa-f]{2})|(0[0-7]{0,2}|[1-7][0-7]{1,2})|([afnrtv])|([\0-\x7f]))")


_LETTERS = {"a": 7, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11}


class _Level:
    """A group, or the whole, as far as it is read."""

    def __init__(self, *, captures: bool) -> None:
        self.captures = captures
        self.has_argument = False
        """Whether there is something that an operator can repeat."""
        self.repeats = 1
        """How often the last thing repeats what is in it, at most."""
        self.most_repeats = 1
        """The same of all the things before."""
        self.height = 0
        """How many levels the last thing has."""
        self.joins = False
        """Whether the last thing is a group that joins what is around it, unless it is repeated."""
        self.most_height = 0
        self.things = 0
        self.alternatives = 1
        self.literal = False
        """Whether the last thing is plain text, which further text joins."""

    def add(self, *, repeats: int = 1, height: int = 1, literal: bool = False) -> None:
        """Put a thing behind the others."""
        self.most_repeats = max(self.most_repeats, self.repeats)
        self.most_height = max(self.most_height, self.height)
        if not (literal and self.literal):
            self.things += 1
        self.has_argument, self.repeats, self.height, self.literal, self.joins = True, repeats, height, literal, False

    def close(self, group: "_Level") -> None:
        """Put a group behind the others."""
        self.add(repeats=max(group.most_repeats, group.repeats), height=group.levels())
        if group.is_sequence and not group.captures:
            self.things += 1
            self.height -= 1
            self.joins = True

    @property
    def is_sequence(self) -> bool:
        return self.alternatives == 1 and self.things > 1

    def levels(self) -> int:
        """Return how many levels all of it has."""
        inner = max(self.most_height, self.height, 1)
        return inner + self.captures + (self.things > self.alternatives) + (self.alternatives > 1)


class _Check:
    """Reads a pattern once, from left to right."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0
        self._levels = [_Level(captures=False)]
        self._last_class_name = pattern.rfind(":]")

    def run(self) -> None:
        behind_repeat = False
        while self._at < len(self._pattern):
            begin = self._at
            repeats = self._repeat()
            if repeats and behind_repeat:
                raise RegexError(f"Go repeats nothing twice, as in {self._from(begin)}: put a group between")
            if not repeats:
                self._thing()
            behind_repeat = repeats
        if len(self._levels) > 1:
            raise RegexError("a parenthesis is not closed: add ')'")
        self._require_height(self._levels[0])

    def _thing(self) -> None:
        """Read one thing that is no repetition."""
        character = self._pattern[self._at]
        level = self._levels[-1]
        if character == "(":
            self._open()
        elif character == ")":
            self._close()
        elif character == "|":
            self._at += 1
            level.has_argument = level.literal = False
            level.alternatives += 1
        elif character == "[":
            self._class()
            level.add()
        elif self._skip(_ASSERTION):
            level.add()
        elif quoted := self._skip(_QUOTED):
            if quoted[1]:
                level.add(literal=True)
        elif self._unicode_class() or self._skip(_SHORTHAND):
            level.add()
        elif character == ".":
            self._at += 1
            level.add()
        else:
            self._character()
            level.add(literal=True)

    def _skip(self, form: re.Pattern[str]) -> re.Match[str] | None:
        found = form.match(self._pattern, self._at)
        if found:
            self._at = found.end()
        return found

    def _from(self, begin: int) -> str:
        """What stands in the pattern from there on, for people."""
        return repr(self._pattern[begin : max(self._at, begin + 1)][:20])

    # ------------------------------------------------------------------------------------------------- repetitions

    def _repeat(self) -> bool:
        """Read a repetition, if there is one."""
        begin = self._at
        least = most = 0
        count = self._skip(_COUNT)
        if count:
            least = _number(count[1])
            most = least if count[2] is None else _number(count[3]) if count[3] else -1
            if least > _MOST_REPEATS or most > _MOST_REPEATS or 0 <= most < least:
                raise RegexError(f"{self._from(begin)} is no number of repeats: use 0 to 1000, the smaller one first")
        elif self._pattern[begin] in "*+?":
            self._at += 1
        else:
            return False
        if self._pattern.startswith("?", self._at):
            self._at += 1
        level = self._levels[-1]
        if not level.has_argument:
            raise RegexError(f"{self._from(begin)} repeats nothing: put what it repeats before it")
        if count:
            self._multiply(level, least, most)
        if level.literal:
            level.literal = False
            level.things += 1  # the last character leaves its text
        if level.joins:
            level.joins = False
            level.things -= 1
            level.height += 1
        level.height += 1
        return True

    def _multiply(self, level: _Level, least: int, most: int) -> None:
        if most == 0:
            level.repeats = 1  # what is never there does not count
        else:
            level.repeats *= max(1, least if most < 0 else most)
        if max(least, most) >= 2 and level.repeats > _MOST_REPEATS:
            raise RegexError("the numbers of repeats inside each other come to more than 1000: use smaller ones")

    # ------------------------------------------------------------------------------------------------------ groups

    def _open(self) -> None:
        begin = self._at
        if not self._pattern.startswith("(?", begin):
            self._at += 1
            self._levels.append(_Level(captures=True))
        elif self._skip(_NAMED_GROUP):
            self._levels.append(_Level(captures=True))
        elif flags := self._skip(_FLAGS):
            if flags[1] == ":":
                self._levels.append(_Level(captures=False))
        else:
            self._at += 3
            raise RegexError(f"Go has no group {self._from(begin)}, as for lookarounds: leave it out")

    def _close(self) -> None:
        if len(self._levels) == 1:
            raise RegexError("a parenthesis closes nothing: write \\) for the character, or leave it out")
        self._at += 1
        group = self._levels.pop()
        self._require_height(group)
        self._levels[-1].close(group)

    def _require_height(self, level: _Level) -> None:
        if level.levels() > _MOST_LEVELS:
            raise RegexError("it is nested deeper than 1000 levels: flatten it")

    # -------------------------------------------------------------------------------------------------- characters

    def _character(self) -> int:
        """Read one character, escaped or not."""
        character = self._pattern[self._at]
        if character != "\\":
            self._at += 1
            return ord(character)
        begin = self._at
        found = self._skip(_ESCAPE)
        if found is None:
            self._at += 2
            raise RegexError(f"Go has no escape {self._from(begin)}, nor \\1 for a group: leave it out")
        brace, hexadecimal, octal, letter, other = found.groups()
        if octal:
            return int(octal, 8)
        if letter:
            return _LETTERS[letter]
        if other and not other.isalnum():
            return ord(other)
        digits = (brace or hexadecimal or "").lstrip("0") or "0"
        if other or len(digits) > 6 or int(digits, 16) > 0x10FFFF:
            raise RegexError(f"Go has no escape {self._from(begin)}, nor \\1 for a group: leave it out")
        return int(digits, 16)

    def _unicode_class(self) -> bool:
        """Read a class such as `\\pL` or `\\p{Greek}`, if there is one."""
        begin = self._at
        if not self._pattern.startswith(("\\p", "\\P"), begin):
            return False
        found = self._skip(_UNICODE_CLASS)
        if found is None:
            self._at += 3
        name = (found[1] or found[2] or "") if found else ""
        if name.replace("_", "").replace("-", "").replace(" ", "").lower() not in _UNICODE_CLASSES:
            raise RegexError(f"{self._from(begin)} is no class of Unicode: use one such as \\p{{L}} or \\p{{Greek}}")
        return True

    def _class(self) -> None:
        """Read a class in brackets."""
        self._at += 2 if self._pattern.startswith("[^", self._at) else 1
        first = True
        while first or not self._pattern.startswith("]", self._at):
            first = False
            if not (self._named_class() or self._unicode_class() or self._skip(_SHORTHAND)):
                self._range()
        self._at += 1

    def _range(self) -> None:
        begin = self._at
        low = self._class_character()
        if self._pattern.startswith("-", self._at) and self._pattern[self._at + 1 : self._at + 2] not in ("", "]"):
            self._at += 1
            if self._class_character() < low:
                raise RegexError(f"{self._from(begin)} is no range of characters: write the smaller one first")

    def _class_character(self) -> int:
        if self._at >= len(self._pattern):
            raise RegexError("a bracket is not closed: add ']'")
        return self._character()

    def _named_class(self) -> bool:
        """Read a class such as `[:alpha:]`, if there is one."""
        begin = self._at
        if not self._pattern.startswith("[:", begin) or self._last_class_name < begin + 2:
            return False
        self._at = self._pattern.index(":]", begin + 2) + 2
        name = self._pattern[begin + 2 : self._at - 2].removeprefix("^")
        if name not in _NAMED_CLASSES:
            raise RegexError(f"{self._from(begin)} is no class: use one such as [:alpha:]")
        return True


def _number(digits: str) -> int:
    return int(digits) if len(digits) <= 4 else _MOST_REPEATS + 1


_NAMED_CLASSES = frozenset(
    re.findall("[a-z]+", "alnum alpha ascii blank cntrl digit graph lower print punct space upper word xdigit")
)


# Unicode 15 and 17: PropertyValueAliases.txt (General_Category, both names) and Scripts.txt, in lower case and without
# `_`; `any`, `ascii` and `assigned` are Go's.
_UNICODE_CLASSES = frozenset(
    re.findall(
        "[a-z]+",
        """
adlam ahom anatolianhieroglyphs any arabic armenian ascii assigned avestan balinese bamum bassavah batak bengali
bhaiksuki bopomofo brahmi braille buginese buhid c canadianaboriginal carian casedletter caucasianalbanian cc cf
chakma cham cherokee chorasmian closepunctuation cn cntrl co combiningmark common connectorpunctuation control coptic
cs cuneiform currencysymbol cypriot cyprominoan cyrillic dashpunctuation decimalnumber deseret devanagari digit
divesakuru dogra duployan egyptianhieroglyphs elbasan elymaic enclosingmark ethiopic finalpunctuation format georgian
glagolitic gothic grantha greek gujarati gunjalagondi gurmukhi han hangul hanifirohingya hanunoo hatran hebrew
hiragana imperialaramaic inherited initialpunctuation inscriptionalpahlavi inscriptionalparthian javanese kaithi
kannada katakana kawi kayahli kharoshthi khitansmallscript khmer khojki khudawadi l lao latin lc lepcha letter
letternumber limbu lineara linearb lineseparator lisu ll lm lo lowercaseletter lt lu lycian lydian m mahajani makasar
malayalam mandaic manichaean marchen mark masaramgondi mathsymbol mc me medefaidrin meeteimayek mendekikakui
meroiticcursive meroitichieroglyphs miao mn modi modifierletter modifiersymbol mongolian mro multani myanmar n
nabataean nagmundari nandinagari nd newa newtailue nko nl no nonspacingmark number nushu nyiakengpuachuehmong ogham
olchiki oldhungarian olditalic oldnortharabian oldpermic oldpersian oldsogdian oldsoutharabian oldturkic olduyghur
openpunctuation oriya osage osmanya other otherletter othernumber otherpunctuation othersymbol p pahawhhmong palmyrene
paragraphseparator paucinhau pc pd pe pf phagspa phoenician pi po privateuse ps psalterpahlavi punct punctuation
rejang runic s samaritan saurashtra sc separator sharada shavian siddham signwriting sinhala sk sm so sogdian
sorasompeng soyombo spaceseparator spacingmark sundanese surrogate sylotinagri symbol syriac tagalog tagbanwa taile
taitham taiviet takri tamil tangsa tangut telugu thaana thai tibetan tifinagh tirhuta titlecaseletter toto ugaritic
unassigned uppercaseletter vai vithkuqi wancho warangciti yezidi yi z zanabazarsquare zl zp zs
        """,
    )
)
