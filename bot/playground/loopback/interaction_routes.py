"""REST: answering interactions. None of these needs the bot's token; the interaction's own is in the path."""

from bot.playground.loopback.events import Events
from bot.playground.loopback.gateway import Gateway
from bot.playground.loopback.interactions import (
    APPLICATION_COMMAND,
    MESSAGE_COMPONENT,
    UPDATE,
    WITH_MESSAGE,
    Interactions,
)
from bot.playground.loopback.refusals import Json, Refusal
from bot.playground.loopback.routes import NO_CONTENT, Answer, Call, Route
from bot.playground.loopback.world import Message, World


class InteractionRoutes:
    def __init__(self, world: World, gateway: Gateway, events: Events, interactions: Interactions) -> None:
        self._world = world
        self._gateway = gateway
        self._events = events
        self._interactions = interactions

    def all(self) -> list[Route]:
        webhook = "/webhooks/{webhook_id}/{webhook_token}"
        original, message = f"{webhook}/messages/@original", f"{webhook}/messages/{{message_id}}"
        callback = "/interactions/{interaction_id}/{interaction_token}/callback"
        return [
            Route(method="POST", path=callback, act=self._respond, public=True),
            Route(method="POST", path=webhook, act=self._follow_up, public=True),
            Route(method="GET", path=original, act=self._get_original, public=True),
            Route(method="PATCH", path=original, act=self._edit_original, public=True),
            Route(method="DELETE", path=original, act=self._delete_original, public=True),
            Route(method="GET", path=message, act=self._get_response, public=True),
            Route(method="PATCH", path=message, act=self._edit_response, public=True),
            Route(method="DELETE", path=message, act=self._delete_response, public=True),
        ]

    def _respond(self, call: Call) -> Answer:
        body = call.fields()
        answered = self._interactions.respond(call.id("interaction_id"), call.token, body, call.files)
        kind = body["type"]
        message = answered.pressed if kind == UPDATE else answered.response
        if call.query.get("with_response") not in ("1", "true", "True"):
            return NO_CONTENT
        interaction: Json = {
            "id": str(answered.id),
            "type": APPLICATION_COMMAND if answered.pressed is None else MESSAGE_COMPONENT,
            "channel_id": str(answered.channel.id),
        }
        if message is not None:
            interaction |= {
                "response_message_id": str(message.id),
                "response_message_loading": message.is_loading,
                "response_message_ephemeral": message.is_ephemeral,
            }
        if answered.channel.guild is not None:
            interaction["guild_id"] = str(answered.channel.guild.id)
        answer: Json = {"interaction": interaction}
        if kind in (WITH_MESSAGE, UPDATE) and message is not None:
            answer["resource"] = {"type": kind, "message": self._payload(message)}
        return Answer(body=answer)

    def _follow_up(self, call: Call) -> Answer:
        self._check_webhook(call)
        return Answer(body=self._payload(self._interactions.follow_up(call.token, call.fields(), call.files)))

    def _get_original(self, call: Call) -> Answer:
        self._check_webhook(call)
        return Answer(body=self._payload(self._interactions.original(call.token)))

    def _edit_original(self, call: Call) -> Answer:
        self._check_webhook(call)
        message = self._interactions.edit_original(call.token, call.fields(), call.files)
        return Answer(body=self._payload(message))

    def _delete_original(self, call: Call) -> Answer:
        self._check_webhook(call)
        self._interactions.delete(self._interactions.original(call.token))
        return NO_CONTENT

    def _get_response(self, call: Call) -> Answer:
        self._check_webhook(call)
        return Answer(body=self._payload(self._interactions.message(call.token, call.id("message_id"))))

    def _edit_response(self, call: Call) -> Answer:
        self._check_webhook(call)
        message = self._interactions.edit_message(call.token, call.id("message_id"), call.fields(), call.files)
        return Answer(body=self._payload(message))

    def _delete_response(self, call: Call) -> Answer:
        self._check_webhook(call)
        self._interactions.delete(self._interactions.message(call.token, call.id("message_id")))
        return NO_CONTENT

    def _check_webhook(self, call: Call) -> None:
        if call.id("webhook_id") != self._world.application_id:
            raise Refusal(10015)

    def _payload(self, message: Message) -> Json:
        return self._events.messages.for_rest(message, content_intent=self._gateway.content_intent)
