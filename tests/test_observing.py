"""What an operator's tools see of the whole bot over real sockets."""

import asyncio
import socket
import sqlite3
from contextlib import asynccontextmanager

import aiohttp
import pytest

from bot.app import running_bot
from bot.core.clock import SystemClock
from bot.core.errors import StartupRefused
from bot.observe import readiness
from bot.playground.loopback import LoopbackDiscord
from bot.playground.loopback.gateway_line import GatewayLine
from bot.settings import load_settings
from tests.model_server import Answer, Gate, ModelServer, Status
from tests.whole_bot import Stage


@pytest.fixture
async def stage(tmp_path):
    async with LoopbackDiscord(rate_limits=False) as discord, ModelServer() as model:
        yield Stage(discord=discord, model=model, database_url=f"sqlite:///{tmp_path}/bot.db")


@pytest.fixture
def port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@asynccontextmanager
async def asking(port):
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:
        yield http


async def said(http, path):
    async with http.get(path) as response:
        return response.status, await response.json()


async def until(http, path, wanted):
    async with asyncio.timeout(20):
        while (answer := await said(http, path)) != wanted:
            await asyncio.sleep(0)
        return answer


async def test_it_is_ready_when_connected_and_not_when_the_gateway_is_gone(stage, port) -> None:
    stage.discord.faults.refuse_handshakes(1)
    settings = load_settings(None, stage.environment(METRICS_PORT=str(port)))
    async with running_bot(settings, clock=SystemClock()), asking(port) as http:
        before = await said(http, "/readyz")
        await until(http, "/readyz", (200, {"not_ready": []}))
        stage.discord.faults.refuse_handshakes(100)
        stage.discord.faults.cut_gateway()
        await until(http, "/readyz", (503, {"not_ready": ["discord"]}))
        healthy = await said(http, "/healthz")

    assert before == (503, {"not_ready": ["discord"]})
    assert healthy == (200, {"not_ready": []})


async def test_it_is_not_ready_until_discord_has_let_it_back_in(stage, port, monkeypatch) -> None:
    resumes, resume = [], GatewayLine._resume
    monkeypatch.setattr(GatewayLine, "_resume", lambda line, content: resumes.append((line, content)))
    async with stage.bot(METRICS_PORT=str(port)), asking(port) as http:
        await until(http, "/readyz", (200, {"not_ready": []}))
        stage.discord.faults.cut_gateway()
        async with asyncio.timeout(20):
            while not resumes:
                await asyncio.sleep(0)
        unanswered = await said(http, "/readyz")
        resume(*resumes[0])
        await until(http, "/readyz", (200, {"not_ready": []}))

    assert unanswered == (503, {"not_ready": ["discord"]})


async def test_it_is_not_ready_while_it_cannot_write(stage, port, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(readiness, "SECONDS_TO_WRITE", 0.05)
    monkeypatch.setattr(readiness, "SECONDS_BETWEEN_WRITES", 0.0)
    async with stage.bot(METRICS_PORT=str(port)), asking(port) as http:
        await until(http, "/readyz", (200, {"not_ready": []}))
        other = sqlite3.connect(tmp_path / "bot.db", isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        locked = await until(http, "/readyz", (503, {"not_ready": ["database"]}))
        other.close()
        await until(http, "/readyz", (200, {"not_ready": []}))

    assert locked


async def test_it_is_not_ready_while_it_stops(stage, port) -> None:
    gate = Gate()
    stage.model.answer("Still here.", gate=gate)
    async with asking(port) as http:
        async with stage.bot(METRICS_PORT=str(port), SHUTDOWN_GRACE_SECONDS="20"):
            await until(http, "/readyz", (200, {"not_ready": []}))
            await stage.discord.post(stage.general, stage.you, "Hello?")
            await stage.discord.until(lambda: stage.model.requests)
            seen = asyncio.create_task(until(http, "/readyz", (503, {"not_ready": ["stopping"]})))
            seen.add_done_callback(lambda _: gate.open())
        assert await seen


async def test_metrics_tell_of_turns_calls_and_requests_and_of_nobody(stage, port) -> None:
    stage.model.answer("The sky is blue.")
    async with stage.bot(METRICS_PORT=str(port)), asking(port) as http:
        answer = await stage.ask("Why?")
        await stage.settled(answer, "The sky is blue.")
        async with asyncio.timeout(10):
            page = ""
            while 'confab_turns_total{outcome="complete"} 1.0' not in page:
                async with http.get("/metrics") as response:
                    page = await response.text()

    for line in (
        'confab_model_calls_total{model="gpt-5.4",outcome="stop",purpose="answer"} 1.0',
        'confab_first_token_seconds_count{model="gpt-5.4",purpose="answer"} 1.0',
        'confab_model_call_seconds_count{model="gpt-5.4",purpose="answer"} 1.0',
        'confab_discord_requests_total{method="POST",route="/channels/{id}/messages",status="200"} 1.0',
        "confab_answer_seconds_count 1.0",
        "confab_intake_seconds_count 1.0",
        "confab_waiting_questions 0.0",
        "confab_discord_invalid_requests 0.0",
    ):
        assert line in page
    for name in ("gateway_silence", "last_event", "last_store", "last_model_success", "loop_lag_max"):
        assert f"\nconfab_{name}_seconds " in page
    for somebody in (stage.you.id, stage.general.id, stage.discord.guild.id, answer.id):
        assert str(somebody) not in page
    assert "Why?" not in page


async def test_tokens_are_counted_as_the_provider_reports_them(stage, port) -> None:
    async with stage.bot(METRICS_PORT=str(port)), asking(port) as http:
        await stage.ask("Why?")
        async with asyncio.timeout(10):
            page = ""
            while "confab_tokens_total" not in page:
                async with http.get("/metrics") as response:
                    page = await response.text()

    assert 'confab_tokens_total{kind="input",model="gpt-5.4",purpose="answer"}' in page
    assert 'confab_tokens_total{kind="output",model="gpt-5.4",purpose="answer"}' in page


@pytest.mark.parametrize(
    ("summary", "outcome"),
    [
        (Answer(text="They spoke.", usage={"prompt_tokens": 321, "completion_tokens": 9}), "stop"),
        (Status(500), "model_unavailable"),
    ],
)
async def test_summaries_are_counted_by_themselves_whichever_model_makes_them(
    stage, port, summary, outcome
) -> None:
    usual = Answer(text="A sentence of some length that is said again.", usage=None)
    stage.model.behave(lambda body: summary if body["model"] == "smaller" else usual)
    page = ""
    async with (
        stage.bot(METRICS_PORT=str(port), HISTORY_TOKENS="420", SUMMARY_MODEL="smaller"),
        asking(port) as http,
    ):
        while 'purpose="summary"' not in page and len(stage.model.requests) < 30:
            await stage.ask("A question of some length that is asked again.")
            async with http.get("/metrics") as response:
                page = await response.text()

    assert f'confab_model_calls_total{{model="smaller",outcome="{outcome}",purpose="summary"}} 1.0' in page
    assert 'confab_model_call_seconds_count{model="smaller",purpose="summary"} 1.0' in page
    assert ('confab_tokens_total{kind="input",model="smaller",purpose="summary"} 321.0' in page) == (
        outcome == "stop"
    )


async def test_a_port_that_is_taken_is_refused(stage) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])

        with pytest.raises(StartupRefused, match="METRICS_PORT"):
            async with stage.bot(METRICS_PORT=port):
                pass


async def test_nothing_is_served_unless_a_port_is_set(stage, monkeypatch) -> None:
    monkeypatch.setattr("aiohttp.web.TCPSite.start", None)

    async with stage.bot():
        assert await stage.ask("Hello?")
