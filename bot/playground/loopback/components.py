"""Buttons below a message, refused as Discord refuses them (Discord reference, "Action Row" and "Button")."""

from collections.abc import Iterator, Sequence

from bot.playground.loopback.refusals import Json, invalid
from bot.playground.loopback.world import MessageFlag

MOST_ROWS = 5
MOST_BUTTONS = 5  # in a row
MOST_LABEL_CHARACTERS = 80
MOST_ID_CHARACTERS = 100
ACTION_ROW, BUTTON = 1, 2
PRESSED = range(1, 5)  # styles of buttons that the app hears of; the others lead somewhere


def read_components(components: Sequence[Json], *, flags: int) -> list[Json]:
    """The components as the message holds them. Raises 50035.

    Of messages made of components alone, which this program has none of, nothing is checked.
    """
    if not flags & MessageFlag.IS_COMPONENTS_V2:
        _check_rows(components)
    return _with_ids(components)


def _check_rows(rows: Sequence[Json]) -> None:
    if len(rows) > MOST_ROWS:
        raise invalid("components", "BASE_TYPE_MAX_LENGTH", "Must be 5 or fewer in length.")
    taken: set[str] = set()
    for where, button in _buttons(rows):
        if len(button.get("label") or "") > MOST_LABEL_CHARACTERS:
            raise invalid(f"{where}.label", "BASE_TYPE_MAX_LENGTH", "Must be 80 or fewer in length.")
        if button.get("style") not in PRESSED:
            continue
        custom_id = button.get("custom_id") or ""
        if not 1 <= len(custom_id) <= MOST_ID_CHARACTERS:
            raise invalid(f"{where}.custom_id", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 100 in length.")
        if custom_id in taken:
            sentence = "Component custom id cannot be duplicated"
            raise invalid(f"{where}.custom_id", "COMPONENT_CUSTOM_ID_DUPLICATED", sentence)
        taken.add(custom_id)


def _buttons(rows: Sequence[Json]) -> Iterator[tuple[str, Json]]:
    """Each with its path in the request; selects are none."""
    for n, row in enumerate(rows):
        if row.get("type") != ACTION_ROW:
            raise invalid(f"components.{n}", "UNION_TYPE_CHOICES", 'Value of field "type" must be one of (1,).')
        inner = row.get("components") or ()
        if not 1 <= len(inner) <= MOST_BUTTONS:
            where = f"components.{n}.components"
            raise invalid(where, "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 5 in length.")
        for m, component in enumerate(inner):
            if component.get("type") == BUTTON:
                yield f"components.{n}.components.{m}", component


def _with_ids(components: Sequence[Json], start: int = 1) -> list[Json]:
    """Discord numbers the components of a message that come without an id."""
    numbered = []
    for component in components:
        inner = component.get("components")
        numbered.append({"id": start, **component})
        start += 1
        if inner:
            numbered[-1]["components"] = _with_ids(inner, start)
            start += len(inner)
    return numbered
