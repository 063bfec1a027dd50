"""How the tests ask a model: a prompt, and everything that comes back."""

from bot.core.completions import Delta, Prompt, PromptMessage
from bot.core.messages import Role

SECRET = "the sky over Reykjavik"  # stands in every prompt; must never be told by an error


def prompt(*contents: str, max_answer_tokens: int = 800) -> Prompt:
    """A system message, then questions and answers by turns."""
    contents = contents or (SECRET,)
    roles = [Role.USER, Role.ASSISTANT] * len(contents)
    messages = [PromptMessage(role=Role.SYSTEM, content="You are a friendly assistant!")]
    messages += [PromptMessage(role=role, content=content) for role, content in zip(roles, contents, strict=False)]
    return Prompt(messages=tuple(messages), tokens=50, max_answer_tokens=max_answer_tokens)


async def listen(model, heard):
    """Ask, and keep the words in *heard* as they come: they stay there when an error follows."""
    async for item in model.stream(prompt()):
        heard.append(item.text)


async def ask(model, question: Prompt | None = None):
    """The pieces of the answer, and what it finished with."""
    *pieces, finished = [item async for item in model.stream(question or prompt())]
    assert all(isinstance(piece, Delta) for piece in pieces)
    return [piece.text for piece in pieces], finished
