"""The metrics, in Prometheus' words. No label names a person, a channel or a server."""

import time
from collections.abc import Iterator
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from bot.core.answer import GOES_ON
from bot.core.completions import Purpose, Usage
from bot.core.messages import TakenUp, snowflake_time
from bot.observe.vitals import Vitals

_ANSWER_BUCKETS = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600)
_TOKEN_BUCKETS = (0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 30, 60)
_SHORT_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)


class Metrics:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._turns = Counter(
            "confab_turns", "Take-ups of a turn, by what came of them.", ["outcome"], registry=self.registry
        )
        self._answers = Histogram(
            "confab_answer_seconds",
            "From the question in Discord to the end of its turn.",
            buckets=_ANSWER_BUCKETS,
            registry=self.registry,
        )
        self._intake = Histogram(
            "confab_intake_seconds",
            "From hearing a question to having it on the disk.",
            buckets=_SHORT_BUCKETS,
            registry=self.registry,
        )
        self._calls = Counter(
            "confab_model_calls",
            "Requests to a model, for answers and for summaries.",
            ["model", "purpose", "outcome"],
            registry=self.registry,
        )
        self._first_token = Histogram(
            "confab_first_token_seconds",
            "From the request to the model's first words.",
            ["model", "purpose"],
            buckets=_TOKEN_BUCKETS,
            registry=self.registry,
        )
        self._call_seconds = Histogram(
            "confab_model_call_seconds",
            "From the request to its end, whatever that was.",
            ["model", "purpose"],
            buckets=_ANSWER_BUCKETS,
            registry=self.registry,
        )
        self._tokens = Counter(
            "confab_tokens",
            "Tokens, as providers report them.",
            ["model", "purpose", "kind"],
            registry=self.registry,
        )
        self._lag = Histogram(
            "confab_loop_lag_seconds",
            "How late the event loop wakes.",
            buckets=_SHORT_BUCKETS,
            registry=self.registry,
        )
        self._worst_lag = Gauge(
            "confab_loop_lag_max_seconds", "The worst since the bot started.", registry=self.registry
        )
        self._worst = 0.0
        self._succeeded_at: float | None = None

    def watch(self, vitals: Vitals) -> None:
        """Read these whenever somebody asks."""
        self.registry.register(_VitalsCollector(vitals))

    def turn_ended(self, taken: TakenUp, outcome: str, now: datetime) -> None:
        self._turns.labels(outcome).inc()
        if outcome not in GOES_ON and taken.question.message_id is not None:
            asked = snowflake_time(taken.question.message_id)
            self._answers.observe(max(0.0, (now - asked).total_seconds()))

    def question_stored(self, seconds: float) -> None:
        self._intake.observe(seconds)

    def first_token(self, model: str, purpose: Purpose, seconds: float) -> None:
        self._first_token.labels(model, purpose.value).observe(seconds)

    def call_ended(self, model: str, purpose: Purpose, outcome: str, usage: Usage, seconds: float) -> None:
        self._calls.labels(model, purpose.value, outcome).inc()
        self._call_seconds.labels(model, purpose.value).observe(seconds)
        for kind, tokens in (
            ("input", usage.input_tokens),
            ("cached", usage.cached_tokens),
            ("output", usage.output_tokens),
            ("reasoning", usage.reasoning_tokens),
        ):
            if tokens is not None:
                self._tokens.labels(model, purpose.value, kind).inc(tokens)

    def answered(self) -> None:
        """A model did."""
        self._succeeded_at = time.monotonic()

    def model_succeeded_seconds_ago(self) -> float | None:
        return None if self._succeeded_at is None else time.monotonic() - self._succeeded_at

    def loop_was_late(self, seconds: float) -> None:
        self._lag.observe(seconds)
        if seconds > self._worst:
            self._worst = seconds
            self._worst_lag.set(seconds)


class _VitalsCollector(Collector):
    def __init__(self, vitals: Vitals) -> None:
        self._vitals = vitals

    def collect(self) -> Iterator[Metric]:
        vitals = self._vitals
        for name, told, value in (
            ("gateway_silence_seconds", "Since Discord last said something.", vitals.gateway_heard_seconds_ago()),
            ("last_event_seconds", "Since Discord last told of something.", vitals.event_seconds_ago()),
            ("last_store_seconds", "Since something was last stored.", vitals.stored_seconds_ago()),
            ("last_model_success_seconds", "Since a model last answered.", vitals.model_succeeded_seconds_ago()),
            (
                "oldest_waiting_seconds",
                "How long the oldest waiting question waits.",
                vitals.oldest_waiting_seconds(),
            ),
            ("waiting_questions", "Questions that wait.", vitals.waiting()),
            ("answering", "Answers under way.", vitals.answering()),
            ("discord_requests_waiting", "Requests that wait for their turn.", vitals.requests_waiting()),
            (
                "discord_invalid_requests",
                "Refused in ten minutes; Discord bans at 10,000.",
                vitals.invalid_requests(),
            ),
        ):
            if value is not None:
                yield GaugeMetricFamily(f"confab_{name}", told, value=value)
        requests = CounterMetricFamily(
            "confab_discord_requests", "Requests to Discord.", labels=["method", "route", "status"]
        )
        for (method, route, status), count in vitals.requests().items():
            requests.add_metric([method, route, str(status)], count)
        yield requests
