"""The pacer against the loopback Discord's own rate limits, on a clock that the test moves."""

import asyncio
from types import SimpleNamespace

import aiohttp
import pytest
from discord.http import Route
from multidict import CIMultiDict
from yarl import URL

from bot.core.errors import DiscordUnavailable
from bot.discord.invalid_requests import INVALID_TOO_MANY
from bot.discord.limit_over_all import DRAFTS_AT_ONCE, REQUESTS_AT_ONCE
from bot.discord.pacer import GaveUpItsTurn, Importance, Pacer
from bot.playground.loopback.rate_limits import RateLimits
from tests.clock import ManualClock

LATENCY = 0.03
CHANNELS = [100_000_000_000_000_000 + n for n in range(200)]


class Line:
    """Requests that reach the limits half the latency after they begin."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.limits = RateLimits(self.clock, enabled=True)
        self.pacer = Pacer(self.clock)
        self.arrived: list[tuple[float, str]] = []
        self.refused = 0
        self.answers: list[tuple[int, dict[str, str]]] = []  # instead of what the limits say
        self._trace = self.pacer.trace()
        self._trace.freeze()

    async def post(self, channel_id: int, *, importance: Importance = Importance.FINAL, name: str = "") -> None:
        route = Route("POST", "/channels/{channel_id}/messages", channel_id=channel_id)
        async with self.pacer.turn(route, importance):
            await self.request("POST", route.url, "/channels/{channel_id}/messages", channel_id, name=name)

    async def respond(self) -> None:
        template = "/webhooks/{webhook_id}/{webhook_token}"
        route = Route("POST", template, webhook_id=1, webhook_token="token")
        async with self.pacer.turn(route, Importance.FINAL):
            await self.request("POST", route.url, template)

    async def request(self, method: str, url: str, template: str, channel_id: int = 0, *, name: str = "") -> None:
        """One request as aiohttp makes it: with its trace's signals."""
        context = SimpleNamespace()
        begins = aiohttp.TraceRequestStartParams(method, URL(url), CIMultiDict())
        await self._trace.on_request_start.send(None, context, begins)
        await self.clock.sleep(LATENCY / 2)
        status, headers = self._answer(method, template, channel_id)
        self.arrived.append((self.clock.monotonic(), name))
        await self.clock.sleep(LATENCY / 2)
        response = SimpleNamespace(status=status, headers=CIMultiDict(headers))
        ends = aiohttp.TraceRequestEndParams(method, URL(url), CIMultiDict(), response)
        await self._trace.on_request_end.send(None, context, ends)

    def _answer(self, method: str, template: str, channel_id: int) -> tuple[int, dict[str, str]]:
        if self.answers:
            return self.answers.pop(0)
        headers, exceeded = self.limits.enter(method, template, {"channel_id": str(channel_id)})
        self.refused += exceeded is not None
        return (429 if exceeded else 200), {**headers, "Via": "1.1 google"}


@pytest.fixture
async def line():
    line = Line()
    yield line
    await line.pacer.close()


async def finish(line: Line, *requests) -> float:
    """Seconds until all of them are done."""
    tasks = [asyncio.ensure_future(request) for request in requests]
    began = line.clock.monotonic()
    while not all(task.done() for task in tasks):
        await line.clock.advance(0.05)
        assert line.clock.monotonic() - began < 600
    for task in tasks:
        task.result()
    return line.clock.monotonic() - began


async def test_a_thousand_posts_at_once_use_the_whole_limit_and_never_exceed_it(line):
    seconds = await finish(line, *(line.post(channel) for _ in range(5) for channel in CHANNELS))

    assert line.refused == 0
    assert len(line.arrived) == 1000
    assert seconds <= 1000 / 50 * 1.05


async def test_what_was_made_before_without_it_counts(line):
    for _ in range(2):
        line.limits.enter("GET", "/gateway", {})
    line.pacer.made_before(2)

    await finish(line, *(line.post(channel) for channel in CHANNELS))

    assert line.refused == 0


async def test_one_request_of_a_channel_stays_in_reserve_for_what_an_answer_needs_to_stand(line):
    notices = [line.post(CHANNELS[0], importance=Importance.NOTICE) for _ in range(6)]
    tasks = [asyncio.ensure_future(notice) for notice in notices]
    await line.clock.advance(1)
    assert len(line.arrived) == 4

    assert await finish(line, line.post(CHANNELS[0], name="final")) < 0.1
    await finish(line, *tasks)

    assert line.arrived[4][1] == "final"
    assert [round(at) for at, _ in line.arrived] == [0] * 4 + [1] + [5] * 2
    assert line.refused == 0


async def test_what_is_more_important_goes_first_and_equals_by_age(line):
    lookers = [line.post(channel) for channel in CHANNELS[:REQUESTS_AT_ONCE]]
    waiting = [
        line.post(CHANNELS[100], importance=Importance.TYPING, name="typing"),
        line.post(CHANNELS[101], importance=Importance.DRAFT, name="draft"),
        line.post(CHANNELS[102], importance=Importance.FINAL, name="final 1"),
        line.post(CHANNELS[103], importance=Importance.NOTICE, name="notice"),
        line.post(CHANNELS[104], importance=Importance.FIRST, name="first"),
        line.post(CHANNELS[105], importance=Importance.FINAL, name="final 2"),
    ]

    await finish(line, *lookers, *waiting)

    assert [name for _, name in line.arrived if name] == [
        "final 1",
        "final 2",
        "first",
        "notice",
        "draft",
        "typing",
    ]


async def test_drafts_leave_room_for_finals(line):
    drafts = [line.post(channel, importance=Importance.DRAFT, name="draft") for channel in CHANNELS]
    tasks = [asyncio.ensure_future(draft) for draft in drafts]
    await line.clock.advance(LATENCY)
    assert len(line.arrived) == DRAFTS_AT_ONCE

    await finish(line, line.post(CHANNELS[0], name="final"))

    assert line.arrived[DRAFTS_AT_ONCE][1] == "final"
    await finish(line, *tasks)
    assert line.refused == 0


@pytest.mark.parametrize(
    ("beside", "at_once"), [(Importance.DRAFT, 48), (Importance.TYPING, 48), (Importance.NOTICE, 50)]
)
async def test_the_last_two_go_to_nobody_while_something_goes_that_could_wait(line, beside, at_once):
    tasks = [asyncio.ensure_future(line.post(CHANNELS[0], importance=beside))]
    tasks += [asyncio.ensure_future(line.post(channel)) for channel in CHANNELS[1:100]]
    await line.clock.advance(0.9)

    assert len(line.arrived) == at_once
    await finish(line, *tasks)
    assert line.refused == 0


async def test_a_turn_without_a_request_costs_nothing(line):
    route = Route("POST", "/channels/{channel_id}/messages", channel_id=CHANNELS[0])
    for _ in range(100):
        async with line.pacer.turn(route, Importance.DRAFT):
            pass
    assert line.clock.monotonic() == 0


async def test_who_gives_up_waiting_takes_no_turn(line):
    busy = [asyncio.ensure_future(line.post(CHANNELS[0])) for _ in range(5)]
    given_up = asyncio.ensure_future(line.post(CHANNELS[0], name="given up"))
    await line.clock.advance(1)
    given_up.cancel()

    await finish(line, *busy, line.post(CHANNELS[0], name="next"))

    assert [name for _, name in line.arrived if name] == ["next"]
    assert line.pacer.waiting == 0


async def test_what_is_wanted_no_longer_gives_up_its_turn(line):
    unless = asyncio.Event()
    route = Route("POST", "/channels/{channel_id}/messages", channel_id=CHANNELS[0])
    await finish(line, *(line.post(CHANNELS[0]) for _ in range(5)))

    async def draft():
        with pytest.raises(GaveUpItsTurn):
            async with line.pacer.turn(route, Importance.DRAFT, unless=unless):
                pytest.fail("its turn came")

    waiting = asyncio.ensure_future(draft())
    await line.clock.advance(1)
    unless.set()
    await finish(line, waiting)
    assert line.pacer.waiting == 0


async def test_requests_that_nobody_paid_for_wait_in_the_trace(line):
    posts = [asyncio.ensure_future(line.post(channel)) for channel in CHANNELS[:REQUESTS_AT_ONCE]]
    unpaid = asyncio.ensure_future(
        line.request("GET", f"{Route.BASE}/applications/{CHANNELS[0]}/commands", "/commands", name="unpaid")
    )
    await line.clock.advance(0.5)
    assert "unpaid" not in [name for _, name in line.arrived]

    await finish(line, unpaid, *posts)
    assert line.arrived[-1][0] > 1.0


async def test_acknowledgements_wait_for_nothing(line):
    posts = [asyncio.ensure_future(line.post(channel)) for channel in CHANNELS]
    await line.clock.advance(LATENCY)

    url = f"{Route.BASE}/interactions/{CHANNELS[0]}/secret/callback"
    seconds = await finish(line, line.request("POST", url, "/interactions/{id}/{token}/callback"))

    assert seconds < 0.1
    assert not all(post.done() for post in posts)
    await finish(line, *posts)
    assert ("POST", "/interactions/{id}/{token}/callback", 200) in line.pacer.counts


@pytest.mark.parametrize(
    "headers",
    [
        {"Via": "1.1 google", "X-RateLimit-Scope": "global", "Retry-After": "7"},
        {"Retry-After": "7"},
    ],
    ids=["global", "Cloudflare"],
)
async def test_a_refusal_for_all_stops_every_channel(line, headers):
    line.answers = [(429, headers)]
    await finish(line, line.post(CHANNELS[0]))

    seconds = await finish(line, line.post(CHANNELS[1]))

    assert 7 <= seconds < 7.2


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [({"Via": "1.1 google", "X-RateLimit-Scope": "global", "Retry-After": "7"}, 0), ({"Retry-After": "7"}, 7)],
    ids=["global", "Cloudflare"],
)
async def test_responses_to_interactions_heed_cloudflare_alone(line, headers, seconds):
    line.answers = [(429, headers)]
    await finish(line, line.post(CHANNELS[0]))

    assert seconds <= await finish(line, line.respond()) < seconds + 0.2


async def test_a_shared_refusal_stops_its_channel_and_counts_towards_no_ban(line):
    line.answers = [(429, {"Via": "1.1 google", "X-RateLimit-Scope": "shared", "Retry-After": "7"})]
    await finish(line, line.post(CHANNELS[0]))

    assert await finish(line, line.post(CHANNELS[1])) < 0.1
    assert await finish(line, line.post(CHANNELS[0])) > 6.5
    assert len(line.pacer.invalid) == 0


async def test_a_bucket_of_another_size_is_learnt(line):
    told = {"Via": "1.1 google", "X-RateLimit-Limit": "2", "X-RateLimit-Reset-After": "30"}
    line.answers = [(200, told | {"X-RateLimit-Remaining": "0"})]
    await finish(line, line.post(CHANNELS[0]))

    assert 30 <= await finish(line, line.post(CHANNELS[0])) < 30.2


async def test_edits_of_old_messages_keep_to_their_smaller_bucket(line):
    template = "/channels/{channel_id}/messages/{message_id}"
    route = Route("PATCH", template, channel_id=CHANNELS[0], message_id=CHANNELS[1])  # years old

    async def edit():
        async with line.pacer.turn(route, Importance.DRAFT):
            await line.request("PATCH", route.url, template, CHANNELS[0])

    await finish(line, *(edit() for _ in range(4)))

    assert [round(at) for at, _ in line.arrived] == [0, 0, 6, 6]


async def test_it_stops_before_discord_bans_the_machine(line, caplog):
    line.answers = [(403, {"Via": "1.1 google"})] * INVALID_TOO_MANY
    url = f"{Route.BASE}/interactions/{CHANNELS[0]}/secret/callback"
    for begin in range(0, INVALID_TOO_MANY, 500):
        count = min(500, INVALID_TOO_MANY - begin)
        await finish(
            line, *(line.request("POST", url, "/interactions/{id}/{token}/callback") for _ in range(count))
        )

    assert line.pacer.invalid.too_many.is_set()
    with pytest.raises(DiscordUnavailable):
        await line.post(CHANNELS[0])
    assert "secret" not in caplog.text


async def test_what_is_kept_of_channels_does_not_grow(line):
    for n in range(5000):
        line.answers = [(200, {})]
        await finish(line, line.post(CHANNELS[0] + n))
    assert len(line.pacer._buckets) <= 1001
