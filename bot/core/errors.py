"""Everything that can go wrong, with the sentence that a person reads, if one ever does.

`str(error)` is for the log and never holds message text or secrets; `user_message` is for people; `code` is
what is stored with the turn and the model call.
"""

from typing import ClassVar


class BotError(Exception):
    """The root: something went wrong that we can name."""

    code: ClassVar[str] = "error"
    user_message: str = "Something went wrong on my side. Please try again."


class ModelError(BotError):
    """The language model gave no answer. *retry_after* is in seconds, where the provider said it."""

    code = "model_error"
    user_message = "The language model had a problem and I couldn't answer. Please try again in a moment."
    retryable: ClassVar[bool] = False  # asking the same model once more may help
    down: ClassVar[bool] = False  # whatever it were asked, it would not answer now
    unpaid = False  # the provider charges nothing for it, unless words came before

    def __init__(self, reason: str = "", *, retry_after: float | None = None, unpaid: bool = False) -> None:
        super().__init__(reason)
        self.retry_after = retry_after
        self.unpaid = unpaid or self.unpaid


class ModelBusy(ModelError):
    """HTTP 429, or overloaded."""

    code = "model_busy"
    user_message = "The language model is busy right now. Please try again in a minute."
    retryable = True
    down = True
    unpaid = True


class ModelUnavailable(ModelError):
    """No connection, HTTP 5xx, a stream that broke or said nothing sensible."""

    code = "model_unavailable"
    user_message = "I can't reach the language model right now. Please try again in a few minutes."
    retryable = True
    down = True
    unpaid = True


class ModelTimeout(ModelError):
    """One of the deadlines passed: first token, stall, or total."""

    code = "model_timeout"
    user_message = "The language model took too long to answer. Please try again."
    retryable = True
    down = True


class OutOfTime(ModelTimeout):
    """The total passed, which models asked earlier may have used up."""

    down = False


class NotAsked(OutOfTime):
    """The total passed before the request could be made."""

    unpaid = True


class ModelDown(ModelError):
    """It failed for everybody of late, and is not asked for a while."""

    code = "model_down"
    user_message = "The language model is down right now. Please try again in a minute."
    unpaid = True


class EmptyAnswer(ModelError):
    """The stream ended properly and held no words."""

    code = "empty_answer"
    user_message = "The language model had nothing to say to that. Please try putting it differently."
    retryable = True


class ModelRefused(ModelError):
    """A content filter, or the model's own refusal."""

    code = "model_refused"
    user_message = "The language model declined to answer that."


class QuotaUsedUp(ModelError):
    """The provider's account has no credit left: waiting does not help."""

    code = "quota_used_up"
    user_message = "The language model's account has no credit left. Whoever runs this bot needs to top it up."
    down = True
    unpaid = True


class ModelKeyRefused(ModelError):
    """HTTP 401 or 403 from the provider."""

    code = "model_key_refused"
    user_message = "The language model refused my key. Whoever runs this bot needs to check OPENAI_API_KEY."
    down = True
    unpaid = True


class WrongModel(ModelError):
    """The provider does not know the configured model."""

    code = "wrong_model"
    user_message = (
        "The language model I'm set up with doesn't exist. Whoever runs this bot needs to check OPENAI_MODEL."
    )
    down = True
    unpaid = True


class ContextTooLong(ModelError):
    """The provider says that the prompt is longer than the model can read; a person reads it without a history."""

    code = "context_too_long"
    user_message = (
        "That is more than the language model can read at once. Please make it shorter, or send it in pieces."
    )
    unpaid = True
    reads: int | None = None  # how many tokens at once, where the provider said it


class RequestRejected(ModelError):
    """Any other HTTP 4xx from the provider: asking again would change nothing."""

    code = "request_rejected"
    user_message = "The language model rejected my request. Whoever runs this bot will find the reason in its log."
    unpaid = True


class QuestionTooLong(BotError):
    """The question alone is over the history budget."""

    code = "question_too_long"
    user_message = "That message is too long for me to read. Please make it shorter, or send it in pieces."


class NotTakenOn(BotError):
    """Nothing is done for somebody who asked for it; the sentence says until when."""

    code = "not_taken_on"

    def __init__(self, sentence: str) -> None:
        super().__init__(self.code)
        self.user_message = sentence


class TooManyWaiting(NotTakenOn):
    """As many questions wait as may: of this person, in this channel, or in all."""

    code = "too_many_waiting"


class AskedTooOften(NotTakenOn):
    """More questions a minute than this person, or this channel, may ask."""

    code = "asked_too_often"


class BudgetUsedUp(NotTakenOn):
    """A budget does not pay for another request. *about*: which, and of which day or month."""

    code = "budget_used_up"

    def __init__(self, sentence: str, *, about: object) -> None:
        super().__init__(sentence)
        self.about = about


class AccessRefused(BotError):
    """The operator's lists leave this person or place out."""

    code = "access_refused"


class PersonRefused(AccessRefused):
    """Blocked, or not among the people allowed."""

    user_message = "I'm not allowed to answer you here. Whoever runs this bot can change that."


class PlaceRefused(AccessRefused):
    """The channel is blocked, or not among the ones allowed."""

    user_message = "I don't answer in this channel. Please ask me in another one."


class DirectMessagesOff(AccessRefused):
    """A DM, and the operator wants none."""

    user_message = "I don't answer direct messages. Please ask me on a server that we share."


class CutShort(BotError):
    """The answer under way is to end now; what is visible of it stays."""


class Stopped(CutShort):
    """Somebody pressed Stop."""

    code = "stopped"
    user_message = "Stopped."


class PressRefused(NotTakenOn):
    """A button does not do for this person, or not any more, what it says."""

    code = "press_refused"


class TooManyAttempts(BotError):
    """The question was taken up as often as allowed and never got to an end."""

    code = "too_many_attempts"
    user_message = "I tried several times and couldn't finish an answer. Please ask again."


class ResponseExpires(CutShort):
    """The command's token is about to expire, and a private answer has no other way to its reader."""

    code = "response_expires"
    user_message = "Discord gives me 15 minutes for a private answer, and they are over. Please ask me again."


class AskedLongAgo(BotError):
    """The question was stored, and the bot was away for too long to answer it now."""

    code = "missed"
    user_message = "I was away when you asked this, a while ago. Please ask again if you'd still like to know."


class ShuttingDown(CutShort):
    """The bot is being stopped and the grace period is over."""

    code = "shutting_down"
    user_message = "I'm being restarted right now. Please ask again in a minute."


class DatabaseUnavailable(BotError):
    """Nothing can be stored, so nothing is taken on. What is stored already waits, and is answered later."""

    code = "database_unavailable"
    user_message = "I can't reach my memory right now, so I can't answer. Please try again in a few minutes."
    waiting_message = (
        "I can't reach my memory right now. I have your question, and will answer it as soon as I can."
    )


class SetAside(DatabaseUnavailable):
    """An edit or deletion alone is not stored, while other things are: it is tried again now and then."""

    user_message = (
        "Something was deleted or edited here, and my memory doesn't take that yet. Until it does, I neither "
        "answer from it nor show it; then I go on by myself. /reset begins anew without it."
    )
    waiting_message = user_message


class Undeliverable(BotError):
    """Discord will not take the message: no permission, channel gone, AutoMod, expired interaction."""

    code = "undeliverable"
    user_message = "I'm not able to post the answer here."


class Uncertain(Undeliverable):
    """Nobody can find out whether a part was posted, so it is not posted again."""

    code = "uncertain"


class TextRefused(Undeliverable):
    """Discord's filters (AutoMod, harmful links) will not take these words; others they would."""

    code = "text_refused"
    user_message = "This server's filters refused my answer, so I can't show it here."


class DiscordUnavailable(BotError):
    """Discord did not take the message this time and may later: 5xx, time-out, connection lost."""

    code = "discord_unavailable"
    user_message = "Discord didn't take my answer. Please ask again."


class Withdrawn(BotError):
    """The question, or the answer itself, was deleted while the answer was being made."""

    code = "withdrawn"


class Reworded(BotError):
    """What the answer is about was edited before anything of it was visible: it is begun anew."""

    code = "reworded"


class OwnershipLost(BotError):
    """It is no longer certain that this process alone answers from its database."""

    code = "ownership_lost"
    user_message = "I stopped, since another bot may be answering from the same database now."


class StartupRefused(BotError):
    """The bot will not start like this. The message is for the operator: what is wrong, and the cure."""

    code = "startup_refused"


class DatabaseInUse(StartupRefused):
    """Another bot owns the database."""


class DatabaseAway(StartupRefused):
    """The server does not let us in now and may later; a bot that had it already waits for it."""
