"""Stories that Hypothesis makes up, always the same ones here: `make test-long` looks for new ones."""

import pytest

from tests.durability.databases import Databases
from tests.durability.state_machine import live


@pytest.mark.parametrize(("database", "examples"), [("sqlite", 10), ("postgresql", 3)])
def test_whatever_people_do_and_however_the_bot_comes_and_goes_it_keeps_its_laws(
    request, database, examples
) -> None:
    server = request.getfixturevalue("postgresql_server") if database == "postgresql" else None

    live(Databases(server), examples=examples, steps=25, database=database)
