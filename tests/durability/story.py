"""What people said and did in several conversations, and what must be true of the bot whatever they did.

Every wording has a word of its own (q7v0, q7v1, …), and so has every answer that the model gave (a7r12).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from bot.playground.loopback import Channel, Message, User
from bot.playground.loopback.interaction import Interaction
from tests.durability.checker import Run, Violation, check
from tests.durability.ledger import Ledger
from tests.durability.tables import tables
from tests.model_server import Answer, Gate
from tests.whole_bot import Stage

_QUESTION, _ANSWER = re.compile(r"\bq(\d+)v(\d+)\b"), re.compile(r"\ba(\d+)r\d+\b")
_WORDS = "SELECT raw_text AS text FROM turns UNION ALL SELECT text FROM turns UNION ALL SELECT text FROM parts"
_QUESTIONS = "SELECT message_id, kind, state FROM turns WHERE role = 'user' AND kind != 'quote'"
_ENDED = (
    "SELECT t.text FROM turns t JOIN conversations c ON c.id = t.conversation_id "
    "WHERE c.channel_id = {channel} AND c.private_to = {private_to} AND t.state IN ('answered', 'standing')"
)
LONG_EVERY = 5  # an answer of several messages
PIECES_SHOWN = 7  # of an answer that is held back


@dataclass(kw_only=True, eq=False)
class Place:
    """A conversation. *canary* is in everything that is said there, and nowhere else."""

    channel: Channel
    canary: str
    people: tuple[User, ...]
    private_to: User | None = None

    @property
    def key(self) -> tuple[int, int]:
        return self.channel.id, self.private_to.id if self.private_to else 0


@dataclass(kw_only=True, eq=False)
class Said:
    number: int
    place: Place
    message: Message
    version: int = 0
    before_reset: bool = False


@dataclass(kw_only=True)
class Story:
    stage: Stage
    ledger: Ledger
    places: list[Place]
    said: dict[int, Said] = field(default_factory=dict)  # by the message's id
    asked: int = 0
    calls: list[Interaction] = field(default_factory=list)
    gate: Gate | None = None  # answers that are begun now are held back
    _answers: dict[int, str] = field(default_factory=dict)  # the newest to each number
    _deleted: dict[int, set[str]] = field(default_factory=dict)  # what went with each message that was deleted
    _unanswered: set[int] = field(default_factory=set)  # questions of which a reply was deleted
    _quoted: set[str] = field(default_factory=set)  # a reply brings them along, also beyond a reset
    _resets: dict[tuple[int, int], list[set[str]]] = field(default_factory=dict)

    # What people do

    async def say(self, place: Place, person: User, *, reply_to: Message | None = None) -> Said:
        self.asked += 1
        text = f"What about {place.canary} q{self.asked}v0?"
        message = await self.stage.discord.post(place.channel, person, text, reply_to=reply_to)
        said = self.said[message.id] = Said(number=self.asked, place=place, message=message)
        if reply_to is not None:
            self._quoted.add(f"q{self.said[reply_to.id].number}")
        return said

    async def call(self, place: Place, person: User) -> None:
        self.asked += 1
        options = {
            "message": f"What about {place.canary} q{self.asked}v0?",
            "private": place.private_to is not None,
        }
        self.calls.append(await self.stage.discord.slash(place.channel, person, "chat", options))

    async def edit(self, said: Said) -> None:
        said.version += 1
        await self.stage.discord.edit(
            said.message, f"Rather about {said.place.canary} q{said.number}v{said.version}?"
        )

    async def delete(self, *messages: Message) -> None:
        for message in messages:
            if message.id in self.said:
                number = self.said[message.id].number
                self._deleted[message.id] = {f"q{number}", f"a{number}"}
            else:
                self._deleted[message.id] = {match[0] for match in _ANSWER.finditer(" ".join(message.versions))}
                if message.reference is not None:  # a notice, which may be its answer's first part by now
                    self._unanswered.add(message.reference.message_id)
        if len(messages) == 1:
            await self.stage.discord.delete(messages[0])
        else:
            await self.stage.discord.bulk_delete(messages)

    async def reset(self, place: Place, person: User) -> None:
        """What is answered by now is no history from then on."""
        channel, private_to = place.key
        rows = (await tables(self.stage.database_url, _ENDED.format(channel=channel, private_to=private_to)))[0]
        self._resets.setdefault(place.key, []).append({word for row in rows for word in _words(row["text"])})
        for said in self.said.values():
            said.before_reset |= said.place is place
        options = {"private": place.private_to is not None}
        await self.stage.discord.slash(place.channel, person, "reset", options)

    def standing(self, *, before_reset: bool = True) -> list[Said]:
        return [
            said
            for said in self.said.values()
            if not said.message.deleted and (before_reset or not said.before_reset)
        ]

    def shown(self) -> list[Message]:
        """The bot's messages that anybody can delete."""
        channels = {id(place.channel): place.channel for place in self.places}.values()
        ours = self.stage.discord.bot_user
        return [
            each for channel in channels for each in self.stage.discord.messages(channel) if each.author is ours
        ]

    # The model

    def answer(self, body: dict[str, Any]) -> Answer:
        *_, (number, _version) = _QUESTION.findall(body["messages"][-1]["content"])
        (canary,) = {place.canary for place in self.places if place.canary in body["messages"][-1]["content"]}
        length = 90 if int(number) % LONG_EVERY == 0 else 3
        word = f"a{number}r{len(self.stage.model.requests)}"
        text = " ".join(f"Sentence {n} of {word} about {canary}." for n in range(length))
        self._answers[int(number)] = text
        if self.gate is not None:
            self.gate.let_out(PIECES_SHOWN)
        return Answer(text=text, gate=self.gate)

    # What must be true when everything is at rest

    async def violations(self) -> list[Violation]:
        questions, words, _ = await tables(self.stage.database_url, _QUESTIONS, _WORDS)
        run = Run(
            discord=self.stage.discord,
            prompts=self.stage.model.requests,
            database_url=self.stage.database_url,
            channels=list({place.channel.id: place.channel for place in self.places}.values()),
            answer_to=self._answer_to,
            canaries={number: place.canary for number, place in enumerate(self.places)},
            forgiven=self._forgiven(),
        )
        return [
            *await check(run),
            *self._prompts(),
            *self._kept({word for row in words for word in _words(row["text"])}),
            *self._outcomes({row["message_id"]: row["state"] for row in questions}),
            *self._seen(),
        ]

    def _answer_to(self, text: str) -> str:
        return self._answers.get(int(_QUESTION.findall(text)[-1][0]), "")

    def _prompts(self) -> Iterator[Violation]:
        """Nothing that was deleted, begun anew, or worded otherwise when the turn was taken up."""
        for asked in self.ledger.asked:
            resets = {key: iter(words) for key, words in self._resets.items()}
            gone: set[str] = set()
            for what, about in self.ledger.dealt_with[: asked.dealt_with]:
                if what == "deleted":
                    gone |= self._deleted.get(about, set())
                elif what == "edited":
                    gone |= _older_wordings(about[1])
                else:
                    gone |= {word for word in next(resets[about]) if word.split("v")[0] not in self._quoted}
            if stale := _among(gone, set(_words(asked.text))):
                yield Violation(invariant="stale", what=f"{stale} in a prompt")

    def _kept(self, stored: set[str]) -> Iterator[Violation]:
        gone = set().union(*self._deleted.values())
        for said in self.said.values():
            gone |= {f"q{said.number}v{version}" for version in range(said.version)}
        if stale := _among(gone, stored):
            yield Violation(invariant="stale", what=f"{stale} in the database")

    def _outcomes(self, states: dict[int, str]) -> Iterator[Violation]:
        for message_id, said in self.said.items():
            state = states.get(message_id, "unknown")
            if state not in (("withdrawn", "unknown") if said.message.deleted else ("answered", "failed")):
                yield Violation(invariant="outcome", what=f"q{said.number} is {state}")
        for call in self.calls:
            if call.thinking and call.id in states:
                yield Violation(invariant="outcome", what=f"{call.options} says thinking… for ever")

    def _seen(self) -> Iterator[Violation]:
        discord = self.stage.discord
        for place in self.places:
            others = {user.id: user for user in discord.world.users.values() if user is not place.private_to}
            for other in others.values() if place.private_to else ():
                if any(place.canary in each.content for each in discord.messages(place.channel, seen_by=other)):
                    yield Violation(invariant="private", what=f"{other.name} sees {place.canary}")

    def _forgiven(self) -> set[int]:
        """Whatever was answered together with something that people deleted, or by it."""
        words = set().union(*self._deleted.values())
        numbers = {int(re.sub(r"\D.*", "", word[1:])) for word in words}
        touched = {id_ for id_, said in self.said.items() if said.number in numbers} | self._unanswered
        together = set().union(touched, *(group for group in self.ledger.together if group & touched))
        numbers |= {self.said[id_].number for id_ in together if id_ in self.said}
        resets = [each.response for each in self.stage.discord.interactions if each.command == "reset"]
        ours = (each for each in self.shown() if numbers & {int(n) for n in _ANSWER.findall(each.content)})
        sentences = (each for each in self.shown() if each.reference and each.reference.message_id in together)
        return together | {each.id for each in [*ours, *sentences, *resets] if each}


def _words(text: str) -> Iterator[str]:
    yield from (match[0] for pattern in (_QUESTION, _ANSWER) for match in pattern.finditer(text))


def _older_wordings(text: str) -> set[str]:
    return {f"q{number}v{older}" for number, newest in _QUESTION.findall(text) for older in range(int(newest))}


def _among(gone: set[str], there: set[str]) -> list[str]:
    """Words that are there; q7 and a7 stand for all wordings of the seventh question, and all answers to it."""
    return sorted(word for word in there if word in gone or re.split("[vr]", word)[0] in gone)
