"""The settings that bound what is asked, answered and kept, as the core's values."""

from datetime import timedelta
from urllib.parse import urlsplit

from bot.core.admission import AdmissionLimits
from bot.core.answer import AnswerLimits
from bot.core.generation import Patience
from bot.core.rights import Policy, Retention
from bot.llm.chat_model import OPENAI_URL
from bot.settings import Settings


def admission_limits(settings: Settings) -> AdmissionLimits:
    return AdmissionLimits(
        waiting_per_person=settings.max_waiting_per_person,
        waiting_per_channel=settings.max_waiting_per_channel,
        waiting=settings.max_waiting,
        per_minute_per_person=settings.messages_per_minute_per_person,
        per_minute_per_channel=settings.messages_per_minute_per_channel,
    )


def answer_limits(settings: Settings, *, bot_id: int) -> AnswerLimits:
    return AnswerLimits(
        system_prompt=settings.system_prompt,
        history_tokens=settings.history_tokens,
        max_answer_tokens=settings.max_answer_tokens,
        patience=patience(settings),
        answer_within=timedelta(minutes=settings.answer_within_minutes),
        bot_id=bot_id,
    )


def patience(settings: Settings) -> Patience:
    return Patience(
        attempts=settings.model_attempts,
        first_token=settings.first_token_seconds,
        stall=settings.stall_seconds,
        total=settings.answer_seconds,
    )


def policy(settings: Settings) -> Policy:
    return Policy(
        provider=urlsplit(settings.openai_base_url or OPENAI_URL).hostname or "",
        retention=Retention(days=settings.retention_days, by_server=settings.retention_days_by_server),
        url=settings.privacy_url,
    )
