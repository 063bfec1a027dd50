"""A provider that caches what prompts begin with, and counts: four bytes are a token."""

from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

from bot.core.completions import Delta, Finished, FinishReason, Prompt, PromptMessage, Usage

BYTES_PER_TOKEN = 4
LEAST_CACHED = 1024  # tokens; OpenAI documents both ("Prompt caching")
CACHED_IN_STEPS_OF = 128
PROMPTS_REMEMBERED = 8


@dataclass(kw_only=True)
class Bill:
    """Input tokens, and how many of them the cache had."""

    tokens: int = 0
    cached: int = 0
    output: int = 0
    requests: int = 0

    def cost(self, cached_price: float) -> float:
        """In full-price input tokens."""
        return self.tokens - self.cached * (1 - cached_price)


@dataclass(kw_only=True)
class Provider:
    """As the core's ChatModel it writes summaries; *summaries* is what these cost, *answers* the rest."""

    name: str = "counting"
    answers: Bill = field(default_factory=Bill)
    summaries: Bill = field(default_factory=Bill)
    _seen: deque[bytes] = field(default_factory=lambda: deque(maxlen=PROMPTS_REMEMBERED))

    def count(self, messages: tuple[PromptMessage, ...], bill: Bill) -> int:
        """What this prompt has; it is on the bill, and in the cache from now on."""
        prompt = "".join(f"<{message.role}>{message.content}" for message in messages).encode()
        tokens, common = len(prompt) // BYTES_PER_TOKEN, 0
        for earlier in self._seen:
            common = max(common, _in_common(prompt, earlier))
        cached = common // BYTES_PER_TOKEN // CACHED_IN_STEPS_OF * CACHED_IN_STEPS_OF
        self._seen.append(prompt)
        bill.tokens += tokens
        bill.cached += cached if cached >= LEAST_CACHED else 0
        bill.requests += 1
        return tokens

    async def stream(self, prompt: Prompt) -> AsyncGenerator[Delta | Finished, None]:
        tokens = self.count(prompt.messages, self.summaries)
        text = f"What was said in {len(prompt.messages)} messages, in short. " * 40
        self.summaries.output += len(text) // BYTES_PER_TOKEN
        yield Delta(text=text)
        yield Finished(reason=FinishReason.STOP, usage=Usage(input_tokens=tokens))


def _in_common(one: bytes, other: bytes) -> int:
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[:middle] == other[:middle] else (low, middle - 1)
    return low
