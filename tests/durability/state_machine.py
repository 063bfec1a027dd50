"""`python -m tests.durability.state_machine`: people in several conversations, and a bot that comes and goes.

Hypothesis makes the stories up; the whole bot lives through them in this process, before a loopback Discord, and
what must be true of it (story.py, checker.py) is looked at whenever everything has come to rest, and at the end.
"""

import argparse
from contextlib import closing

from hypothesis import HealthCheck, Phase, settings
from hypothesis import seed as with_seed
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule, run_state_machine_as_test

from tests.durability.databases import Databases
from tests.durability.town import Town
from tests.model_server import Gate

MOST_SESSIONS = 8  # Discord lets a bot begin ten in a row
MOST_LEAPS = 6  # of a notice's time each: what is older than a minute is not read again when it was missed
SECONDS_LEAPT = 6.0
which = st.integers(0, 1000)  # of those that there are


class Stories(Town):
    """What can happen."""

    # What people do

    @rule(where=which, who=which)
    def a_person_writes(self, where: int, who: int) -> None:
        place = self._public(where)
        self._do(self.story.say(place, place.people[who % len(place.people)]))

    @rule(what=which, who=which)
    def a_person_replies(self, what: int, who: int) -> None:
        if said := self.story.standing(before_reset=False):
            to = said[what % len(said)]
            self._do(self.story.say(to.place, to.place.people[who % len(to.place.people)], reply_to=to.message))

    @precondition(lambda self: self._life)
    @rule(where=which, who=which)
    def a_person_calls_chat(self, where: int, who: int) -> None:
        place = self.story.places[where % len(self.story.places)]
        self._do(self._called(self.story.call(place, place.people[who % len(place.people)])))

    @precondition(lambda self: self._life)
    @rule(where=which)
    def a_person_calls_reset(self, where: int) -> None:
        place = self.story.places[where % len(self.story.places)]
        self._do(self._called(self.story.reset(place, place.people[0])))

    @rule(what=which)
    def a_person_edits(self, what: int) -> None:
        if said := self.story.standing():
            self._do(self.story.edit(said[what % len(said)]))

    @rule(what=which)
    def a_person_deletes(self, what: int) -> None:
        if said := self.story.standing():
            self._do(self.story.delete(said[what % len(said)].message))

    @rule(where=which)
    def all_of_a_channel_is_deleted(self, where: int) -> None:
        place = self._public(where)
        if messages := [said.message for said in self.story.standing() if said.place is place]:
            self._do(self.story.delete(*messages))

    @rule(what=which)
    def somebody_deletes_a_part_of_an_answer(self, what: int) -> None:
        if shown := self.story.shown():
            self._do(self.story.delete(shown[what % len(shown)]))

    @rule(what=which)
    def a_link_unfurls(self, what: int) -> None:
        if said := self.story.standing():
            self._do(self.stage.discord.unfurl(said[what % len(said)].message))

    # What Discord does

    @rule(what=which)
    def discord_tells_again(self, what: int) -> None:
        self._do(self._tell_again(what))

    @rule(where=which, who=which, what=which, then=st.sampled_from(["writes", "edits", "deletes"]))
    def discord_tells_two_things_in_the_wrong_order(self, where: int, who: int, what: int, then: str) -> None:
        self._do(self._swap(self._public(where), who, what, then))

    @precondition(lambda self: self._life and self._sessions < MOST_SESSIONS)
    @rule(resumable=st.booleans())
    def the_connection_is_lost(self, resumable: bool) -> None:  # noqa: FBT001
        self._sessions += not resumable
        self._do(self._lose(resumable=resumable))

    @precondition(lambda self: self._leaps < MOST_LEAPS)
    @rule()
    def time_passes(self) -> None:
        self._leaps += 1
        self._do(self._now(lambda: self.stage.clock.leap(SECONDS_LEAPT)))

    # What the model and the bot do

    @rule()
    def the_model_falls_silent(self) -> None:
        """Answers that are begun from now on show their first words and wait."""
        self.story.gate = self.story.gate or Gate()

    @rule()
    def the_model_goes_on(self) -> None:
        self._do(self._now(self._open_gate))

    @precondition(lambda self: not self._life)
    @rule()
    def the_bot_starts(self) -> None:
        self._do(self._start())

    @precondition(lambda self: self._life and self._sessions < MOST_SESSIONS)
    @rule(crashes=st.booleans())
    def the_bot_stops(self, crashes: bool) -> None:  # noqa: FBT001
        self._sessions += 1
        self._do(self._end(crashes=crashes))

    @precondition(lambda self: self._life)
    @rule()
    def the_bot_hears_what_was_said(self) -> None:
        self._do(self._heard())

    @rule()
    def everything_comes_to_rest(self) -> None:
        self._do(self._rest())


def live(
    databases: Databases, *, examples: int, steps: int, database: str = "sqlite", seed: int | None = None
) -> None:
    """Raises AssertionError, below the story that led to it. Without *seed* the stories are always the same."""
    profile = settings(
        max_examples=examples,
        stateful_step_count=steps,
        derandomize=seed is None,
        database=None,
        deadline=None,
        phases=[Phase.generate],  # a story takes a second: to shorten it takes more time than to read it
        suppress_health_check=list(HealthCheck),
    )
    stories = type("Stories", (Stories,), {"databases": databases, "database": database})
    run_state_machine_as_test(stories if seed is None else with_seed(seed)(stories), settings=profile)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.durability.state_machine")
    parser.add_argument("--examples", type=int, default=100)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--seed", type=int, default=1)
    wanted = vars(parser.parse_args())
    with closing(Databases()) as databases:
        live(databases, **wanted)
    print(f"{wanted}: nothing wrong")
