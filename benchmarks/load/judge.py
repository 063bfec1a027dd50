"""The arithmetic behind the tables: what was answered how, requests in any second, percentiles."""

import math
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.load.record import Question, Record, Standing

DISCORD_PER_SECOND = 50


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The questions by number. *unanswered*: no message replies to it; *doubled*: more than one does.

    *stray*: messages that belong to no question's answer.
    """

    unanswered: frozenset[int]
    doubled: frozenset[int]
    stray: frozenset[int]
    inexact: frozenset[int]
    out_of_order: frozenset[int]  # their answers began or ended before one of an earlier question in their channel


def judge(record: Record, text_of: Callable[[int], str]) -> Verdict:
    """*text_of* gives an answer's whole text by its question's number."""
    answers, stray = _answers(record)
    inexact = {
        number
        for number, shown in answers.items()
        if len(shown) == 1 and _words(shown[0]) != _words(text_of(number))
    }
    return Verdict(
        unanswered=frozenset(number for number, shown in answers.items() if not shown),
        doubled=frozenset(number for number, shown in answers.items() if len(shown) > 1),
        stray=frozenset(stray),
        inexact=frozenset(inexact),
        out_of_order=frozenset(_out_of_order(record)),
    )


def most_in_any_second(times: Iterable[float]) -> int:
    """The most of them that lie within less than a second, wherever it begins."""
    most, recent = 0, deque[float]()
    for time in sorted(times):
        recent.append(time)
        while recent[0] <= time - 1.0:
            recent.popleft()
        most = max(most, len(recent))
    return most


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least so many percent of them do not exceed; of none, not a number."""
    if not values:
        return math.nan
    rank = math.ceil(len(values) * percent / 100)
    return sorted(values)[max(rank, 1) - 1]


def quantile_of_histogram(buckets: Mapping[float, float], percent: float) -> float:
    """As Prometheus estimates it: *buckets* counts what is not above each bound, the last of which is infinite.

    What lies above the highest finite bound is given as infinite.
    """
    bounds = sorted(buckets)
    wanted = buckets[bounds[-1]] * percent / 100
    below, beneath = 0.0, 0.0
    for bound in bounds:
        if buckets[bound] >= wanted and buckets[bound] > beneath:
            if math.isinf(bound):
                return bound
            return below + (bound - below) * (wanted - beneath) / (buckets[bound] - beneath)
        below, beneath = bound, buckets[bound]
    return 0.0


def first_and_last_third(values: Sequence[float]) -> tuple[Sequence[float], Sequence[float]]:
    third = len(values) // 3
    return values[:third], values[-third:]


def _answers(record: Record) -> tuple[dict[int, list[list[Standing]]], set[int]]:
    """Each question's answers: a reply to it and the messages that go on below. Then what is no part of any."""
    by_message = {question.message_id: question.number for question in record.questions}
    answers: dict[int, list[list[Standing]]] = {question.number: [] for question in record.questions}
    under_way: dict[int, list[Standing]] = {}
    stray: set[int] = set()
    for message in sorted(record.standing, key=lambda each: each.message_id):
        if message.reply_to in by_message:
            under_way[message.channel] = [message]
            answers[by_message[message.reply_to]].append(under_way[message.channel])
        elif message.reply_to is None and message.channel in under_way:
            under_way[message.channel].append(message)
        else:
            under_way.pop(message.channel, None)
            stray.add(message.message_id)
    return answers, stray


def _out_of_order(record: Record) -> Iterable[int]:
    channels: dict[int, list[Question]] = defaultdict(list)
    for question in sorted(record.questions, key=lambda each: each.message_id):
        channels[question.channel].append(question)
    for times in (record.model_asked, record.ended_at):
        for questions in channels.values():
            latest = 0.0
            for question in questions:
                at = times.get(question.number, latest)
                if at < latest:
                    yield question.number
                latest = max(latest, at)


def _words(messages: list[Standing] | str) -> str:
    """All characters but white space, which may go where an answer goes on in another message."""
    text = messages if isinstance(messages, str) else "".join(message.text for message in messages)
    return "".join(text.split())
