"""Where a text's code blocks begin and end, as Discord shows them: any later run of as many backticks closes."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

_LONGEST_LANGUAGE = 20
_BACKTICKS = r"(?<!`)`{3,16}+(?!`)"
# What follows the run of a block that opens and closes on one line, and is short: nobody needs to cut it.
_SHORT = r"(?:[^`\n]|`{1,2}(?!`)){1,200}+`{3,}"
SHORT_BLOCK = rf"`(?<!``)`{{2,15}}+(?!`){_SHORT}"
_OPENING = re.compile(
    # At a line's beginning, perhaps in a quote or as a list item.
    r"^(?P<lead>[ \t>]{0,20}(?:(?:[-*+]|\d{1,3}[.)])[ \t]{1,4})?)"
    rf"(?:(?P<run>{_BACKTICKS})(?!{_SHORT})(?:(?P<info>[^`\n]{{0,60}})$)?"
    r"|(?P<tildes>~{3,16}+(?!~))(?P<tildes_info>[^`~\n]{0,60})$)"
    rf"|(?P<short>{SHORT_BLOCK})"
    # At the end of a line that says something else: "Try this: ```py".
    rf"|(?<=[\s:])(?P<late>{_BACKTICKS})(?P<late_info>[\w+#.-]{{0,20}})[ \t]*\r?$",
    re.MULTILINE,
)
_MARKER = re.compile(r"[-*+\d.)]")
_BLANK = re.compile(r"\s*+")
_BLANK_QUOTED = re.compile(r"[\s>]*+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Fence:
    """A code block. Offsets into the text; an unclosed block ends with the text."""

    opening: re.Match[str]
    closing_run: re.Match[str] | None
    start: int

    @property
    def opened(self) -> int:
        """The end of the opening line, without its line break."""
        return self.opening.end()

    @property
    def close(self) -> int:
        """Where the closing run begins, or its line if it stands alone there."""
        return self.closing_run.start() if self.closing_run else len(self.opening.string)

    @property
    def end(self) -> int:
        return self.closing_run.end() if self.closing_run else len(self.opening.string)

    @property
    def closed(self) -> bool:
        return self.closing_run is not None

    @property
    def lead(self) -> str:
        """Indent and quote marks in front of the fence."""
        return _MARKER.sub(" ", self.opening["lead"] or "")

    @property
    def run(self) -> str:
        return _run(self.opening)

    @property
    def reopening(self) -> str:
        """The opening line once more. Without indent: Discord strips the beginning of a message."""
        info = self.opening["info"] or self.opening["tildes_info"] or self.opening["late_info"] or ""
        language = info.split(maxsplit=1)[0] if info.strip() else ""
        known = language if len(language) <= _LONGEST_LANGUAGE else ""
        return f"{self.lead.lstrip()}{self.run}{known}\n"

    @property
    def closing(self) -> str:
        return f"{self.lead}{self.run}"

    def is_empty(self, text: str, until: int) -> bool:
        """Whether nothing but blanks would be shown of this block if it ended at *until*."""
        blank = _BLANK_QUOTED if ">" in self.lead else _BLANK
        return until <= self.opened or blank.fullmatch(text, self.opened, until) is not None


def find_fences(text: str) -> Iterator[Fence]:
    """The code blocks that may need a cut, in order. Takes time in proportion to the text."""
    at = 0
    while opening := _OPENING.search(text, at):
        at = opening.end()
        if opening["short"]:
            continue
        closing = _closing(_run(opening)).search(text, at)
        late = opening["late"] is not None
        yield Fence(opening=opening, closing_run=closing, start=opening.start("late") if late else opening.start())
        at = closing.end() if closing else len(text)


def _run(opening: re.Match[str]) -> str:
    return opening["run"] or opening["tildes"] or opening["late"] or ""


@cache
def _closing(run: str) -> re.Pattern[str]:
    if run[0] == "`":
        return re.compile(rf"(?:^[ \t>]{{0,20}})?`{{{len(run)},}}", re.MULTILINE)
    return re.compile(rf"^[ \t>]{{0,20}}~{{{len(run)},}}(?=[ \t\r]*$)", re.MULTILINE)
