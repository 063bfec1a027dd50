"""An answer becomes parts that Discord takes, each readable by itself; only blanks at their edges are left out."""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from bot.discord.fences import SHORT_BLOCK, Fence, find_fences
from bot.discord.graphemes import may_cut

PART_UNITS = 1950  # UTF-16 units; Discord takes 2,000 characters and does not say how it counts
SMALLEST_LIMIT = 300  # below it a code block's own lines could fill a part
_LONGEST_CHARACTER = 200  # code points; a longer one is somebody's joke, and may be cut
_LONGEST_INDENT = 80  # units of white space in front of code that are worth keeping at a part's beginning

# What Discord strips or does not show at a message's edges.
_BLANK = r"[\s\u200b\ufeff]"
_BLANKS = re.compile(rf"{_BLANK}*+")
_BLANK_RUN = re.compile(rf"{_BLANK}++")
_FULL_STOP = re.compile("[。\uff01\uff1f｡][」』\uff09”\u2019]*+")  # Chinese and Japanese: no space follows
_AFTER_SENTENCE_END = "\"'”\u2019»)]*_`"
# What must stay whole. Each branch begins with a letter of its own: `re` then skips quickly over all others.
_WHOLE = re.compile(
    r"\[(?:[^\[\]\n]|\[[^\[\]\n]*+\])*+\]\((?:[^()\n]|\([^()\n]*+\))*+\)"  # [words](address)
    r"|https?://[^\s<>]++"
    r"|steam://[^\s<>]++"
    r"|discord://[^\s<>]++"
    r"|<(?:https?|steam|discord)://[^\s<>]++>"
    r"|<(?:@[!&]?|\#|a?:\w{1,32}:|t:-?|/[-\w ]{1,100}:)\d{1,20}(?::[a-zA-Z])?>"
    r"|<id:\w{1,20}>"
    r"|`(?<!``)[^`\n]{1,200}`(?!`)"  # a longer `code` may be cut
    rf"|{SHORT_BLOCK}"
)
_RUNS = ("```", "~~~")
_QUOTE = re.compile(r"[ \t]{0,10}(?P<mark>(?:>[ \t]){1,10})")


@dataclass(frozen=True, kw_only=True, slots=True)
class SplitPart:
    """One message. *opened* and *closed* are what was added at its ends, *dropped* what was left out after it."""

    content: str
    opened: str = ""
    closed: str = ""
    dropped: str = ""

    @property
    def body(self) -> str:
        """The answer's own words in this part."""
        return self.content[len(self.opened) : len(self.content) - len(self.closed)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Split:
    """*dropped*: the blanks before the first part."""

    parts: tuple[SplitPart, ...] = ()
    dropped: str = ""


def split(text: str, limit: int = PART_UNITS) -> Split:
    """*text* in parts of at most *limit* UTF-16 units, none of them blank, cut from the left.

    As a text grows, only its last parts change. What is left out at a cut is white space, or the end of a code
    block that was closed before it.
    """
    if limit < SMALLEST_LIMIT:
        raise ValueError(f"a part needs at least {SMALLEST_LIMIT} units")
    first = _after_blanks(text, 0)
    return Split(parts=tuple(_Splitter(text[first:], limit).parts()), dropped=text[:first])


def units(text: str) -> int:
    """The length in UTF-16 units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


class _Splitter:
    """One text, without blanks before it, on its way into parts. Offsets are into the text."""

    def __init__(self, text: str, limit: int) -> None:
        self._text = text
        self._ascii = text.isascii()
        self._limit = limit
        self._fences = list(find_fences(text))
        self._end = _before_blanks(text, len(text))
        last = self._fences[-1] if self._fences else None
        if last and not last.closed and last.start and last.is_empty(text, self._end):
            # A code block of which only the first line has arrived.
            self._fences.pop()
            self._end = _before_blanks(text, last.start)
        self._starts = [fence.start for fence in self._fences]

    def parts(self) -> Iterator[SplitPart]:
        start, opened = 0, ""
        while start < self._end:
            cut = self._cut(start, opened)
            closed = self._closing(cut)
            resumed = self._resume(cut)
            yield SplitPart(
                content=f"{opened}{self._text[start:cut]}{closed}",
                opened=opened,
                closed=closed,
                dropped=self._text[cut:resumed],
            )
            opened = self._opening(start, cut, resumed, opened)
            start = resumed

    # Where to cut

    def _cut(self, start: int, opened: str) -> int:
        """Where the part that begins at *start* ends."""
        room = self._limit - units(opened)
        if self._fits(start, self._end, room):
            return self._end
        reach = range(start, min(start + room, self._end) + 1)
        furthest = start + bisect_right(reach, room, key=lambda end: units(self._text[start:end])) - 1
        words = self._first_words(start)
        wholes = self._wholes(start, words, furthest)
        preferred = max(words, furthest - (furthest - start) // 3)
        for first in (preferred, words):
            for cut in self._breaks(first, furthest):
                if cut > words and self._allows(start, cut, wholes) and self._fits(start, cut, room):
                    return cut
        return self._cut_in_word(start, words, furthest, room, wholes)

    def _first_words(self, start: int) -> int:
        """Where the first words of the part stand: a cut before them would make it blank, or its code block."""
        fence = self._fence_around(start + 1)
        opens = fence is not None and start < fence.opened
        return _after_blanks(self._text, fence.opened if fence and opens else start)

    def _breaks(self, first: int, furthest: int) -> list[int]:
        """The breaks between words in this range, best first: paragraph, line, sentence, any; late ones first."""
        found = []
        for match in _BLANK_RUN.finditer(self._text, first, furthest + 1):
            lines = min(match[0].count("\n"), 2)
            rank = lines + 1 if lines else int(_ends_sentence(self._text, match.start()))
            found.append((self._fence_around(match.start()) is None, rank, match.start()))
        if not self._ascii:
            stops = (match.end() for match in _FULL_STOP.finditer(self._text, first, furthest))
            found += [(self._fence_around(cut) is None, 1, cut) for cut in stops]
        return [cut for _, _, cut in sorted(found, reverse=True)]

    def _cut_in_word(self, start: int, words: int, furthest: int, room: int, wholes: list[tuple[int, int]]) -> int:
        """The last place before *furthest* between two characters, or before what must stay whole."""
        cut, patience = furthest, _LONGEST_CHARACTER
        while cut > words and patience:
            fence = self._fence_around(cut)
            if fence and fence.start > start and fence.is_empty(self._text, cut):
                cut = fence.start
            elif fence and fence.close < cut:
                cut = fence.close
            elif whole := _around(wholes, cut):
                cut = whole[0]
            elif (
                self._fits(start, cut, room)
                and may_cut(self._text, cut, floor=start)
                and not self._makes_fence(cut, wholes)
            ):
                return _before_blanks(self._text, cut)
            else:
                cut -= 1
                patience -= 1
        # One character made of hundreds, or hundreds of blanks in a code block: there is no good place.
        cut = furthest
        while not self._fits(start, cut, room):
            cut -= 1
        return _before_blanks(self._text, cut)

    def _allows(self, start: int, cut: int, wholes: list[tuple[int, int]]) -> bool:
        fence = self._fence_around(cut)
        if fence and (fence.close < cut or fence.is_empty(self._text, cut)):
            return False
        return (
            _before_blanks(self._text, cut) == cut
            and not _around(wholes, cut)
            and may_cut(self._text, cut, floor=start)
            and not self._makes_fence(cut, wholes)
        )

    def _makes_fence(self, cut: int, wholes: list[tuple[int, int]]) -> bool:
        """Whether a cut here would make a fence out of backticks that are none where they stand."""
        if self._fence_around(cut):
            return False
        if self._text.endswith(_RUNS, 0, cut) and not (self._fence_around(cut - 1) or _around(wholes, cut - 1)):
            return True
        resumed = _after_blanks(self._text, cut)
        if not self._text.startswith(_RUNS, resumed):
            return False
        return not (self._fence_around(resumed + 1) or _around(wholes, resumed + 1))

    def _fits(self, start: int, cut: int, room: int) -> bool:
        return cut - start <= room and units(self._text[start:cut]) + units(self._closing(cut)) <= room

    def _wholes(self, start: int, words: int, furthest: int) -> list[tuple[int, int]]:
        """The links, mentions and emoji before and around *furthest* that fit into a part."""
        end = min(furthest + self._limit, self._end)
        found = (match.span() for match in _WHOLE.finditer(self._text, start, end))
        return [
            (first, end)
            for first, end in found
            if end <= furthest or (words < first < furthest and units(self._text[first:end]) <= self._limit)
        ]

    # What a cut adds and drops

    def _closing(self, cut: int) -> str:
        """What closes the code block that is open at *cut*."""
        fence = self._fence_around(cut)
        if fence is None:
            return ""
        if cut == self._end:
            line = self._text.rfind("\n", 0, cut) + 1
            begun = self._text[max(line, fence.opened) : cut].strip(" \t>")
            if line > fence.opened and begun and fence.run.startswith(begun):
                return fence.run[len(begun) :]  # the closing line is just arriving
        return f"\n{fence.closing}"

    def _resume(self, cut: int) -> int:
        """Where the next part begins."""
        resumed = _after_blanks(self._text, cut)
        if resumed >= self._end:
            return len(self._text)
        fence = self._fence_around(cut)
        if fence is None:
            return resumed
        if resumed >= fence.close:
            # Nothing more to show of this block: what was added to the part before closes it.
            resumed = _after_blanks(self._text, fence.end)
            return resumed if resumed < self._end else len(self._text)
        line = self._text.rfind("\n", cut, resumed)
        return line + 1 if line >= 0 and resumed - line <= _LONGEST_INDENT else resumed

    def _opening(self, start: int, cut: int, resumed: int, opened: str) -> str:
        """What the next part begins with: the code block that goes on, or the mark of a quote cut in mid-line."""
        within_line = "\n" not in self._text[cut:resumed]
        fence = self._fence_around(cut)
        if fence:
            if resumed >= fence.end:
                return ""
            return fence.reopening + (fence.lead if within_line and ">" in fence.lead else "")
        if not within_line:
            return ""
        line = self._text.rfind("\n", start, cut) + 1
        if not line and start:
            return opened if _QUOTE.fullmatch(opened) else _quote_mark(self._text, start)
        return _quote_mark(self._text, line)

    def _fence_around(self, cut: int) -> Fence | None:
        """The code block that a cut here would cut."""
        n = bisect_right(self._starts, cut - 1) - 1
        if n < 0:
            return None
        fence = self._fences[n]
        return fence if cut < fence.end or not fence.closed else None


def _around(wholes: list[tuple[int, int]], cut: int) -> tuple[int, int] | None:
    n = bisect_right(wholes, (cut, -1)) - 1
    return wholes[n] if n >= 0 and wholes[n][0] < cut < wholes[n][1] else None


def _ends_sentence(text: str, at: int) -> bool:
    ending = text[max(0, at - 6) : at].rstrip(_AFTER_SENTENCE_END)
    return ending.endswith(("!", "?", "…", ".")) and not ending[-2:-1].isdigit()  # "1." begins a list's item


def _after_blanks(text: str, at: int) -> int:
    match = _BLANKS.match(text, at)
    return match.end() if match else at


def _before_blanks(text: str, at: int) -> int:
    while at and (text[at - 1].isspace() or text[at - 1] in "\u200b\ufeff"):
        at -= 1
    return at


def _quote_mark(text: str, line: int) -> str:
    match = _QUOTE.match(text, line)
    return match["mark"] if match else ""
