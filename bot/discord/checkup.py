"""What `doctor` finds on Discord's side: token, intent, invitation, permissions."""

from collections.abc import AsyncIterator

import discord

from bot.core.access import AccessRules
from bot.core.errors import DiscordUnavailable, StartupRefused
from bot.core.findings import Finding, ok, refused, warning, wrong
from bot.core.ports import Clock
from bot.core.unreachable import why_unreachable
from bot.discord.client import point_library_at
from bot.discord.permission_checkup import check_permissions
from bot.discord.preflight import Application, MessageContent, intent_refused, invite_link, look_up_application
from bot.discord.refusals import REQUEST_ERRORS, why_not_answered

LONGEST_RATE_LIMIT_SECONDS = 30.0

_UNREACHABLE = "Check this machine's connection and proxy, and https://discordstatus.com; then try again."
_PORTAL = "https://discord.com/developers/applications"


async def check_discord(
    *,
    api_url: str,
    token: str,
    message_content: MessageContent,
    chat_channels: frozenset[int],
    access: AccessRules,
    clock: Clock,
) -> AsyncIterator[Finding]:
    """One request after the other: a bot that runs with this token has the same limits."""
    try:
        application = await look_up_application(api_url=api_url, token=token, clock=clock, patient=False)
    except DiscordUnavailable as error:
        yield wrong("token", "Discord", f"can't be reached ({why_unreachable(error)})", _UNREACHABLE)
        return
    except StartupRefused as refusal:
        setting, _, _ = str(refusal).partition(" ")  # each begins with the one that is at fault
        yield refused("token", setting, refusal)
        return
    yield ok("token", "DISCORD_TOKEN", f"accepted, the bot is {application.name} (application {application.id})")
    yield _check_intent(application, message_content, chat_channels)
    point_library_at(api_url=api_url, gateway_url=application.gateway_url)
    client = discord.Client(intents=discord.Intents.none(), max_ratelimit_timeout=LONGEST_RATE_LIMIT_SECONDS)
    async with client:
        try:
            await client.login(token)
        except REQUEST_ERRORS as error:
            yield wrong("token", "Discord", f"stopped answering ({why_not_answered(error)})", _UNREACHABLE)
            return
        for finding in _check_invitation(client.application, application.id):
            yield finding
        async for finding in check_permissions(client, chat_channels=chat_channels, access=access, clock=clock):
            yield finding


def _check_intent(
    application: Application, message_content: MessageContent, chat_channels: frozenset[int]
) -> Finding:
    subject = f"MESSAGE_CONTENT={message_content}"
    if message_content == "on" and not application.message_content_granted:
        return refused("intent", subject, intent_refused(application.id))
    if message_content != "off" and application.message_content_granted:
        return ok("intent", subject, "the message content intent is granted")
    why = "the message content intent is not granted" if message_content == "auto" else "the intent is not used"
    if chat_channels:
        return warning(
            "intent",
            subject,
            f"{why}, so in CHAT_CHANNELS too only mentions, pinged replies and /chat are answered",
            f"Switch on Message Content Intent at {_PORTAL}/{application.id}/bot"
            + ("." if message_content == "auto" else ", and set MESSAGE_CONTENT=auto."),
        )
    return ok("intent", subject, f"{why}: mentions, pinged replies, DMs and /chat are answered")


def _check_invitation(about: discord.AppInfo | None, application_id: int) -> list[Finding]:
    link = invite_link(application_id)
    found = [ok("invite", "link", link)]
    if about is not None and about.bot_require_code_grant:
        found = [
            wrong(
                "invite",
                "link",
                f"does not work, since the bot requires an OAuth2 code grant: {link}",
                f"Switch off Requires OAuth2 Code Grant at {_PORTAL}/{application_id}/bot.",
            )
        ]
    if about is not None and about.interactions_endpoint_url is not None:
        found.append(
            wrong(
                "invite",
                "slash commands",
                "go to an Interactions Endpoint URL, and never reach this bot",
                f"Empty that field at {_PORTAL}/{application_id}/information.",
            )
        )
    return found
