"""The command itself: examine, print, and end with the exit status."""

import logging
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from bot.core.clock import SystemClock
from bot.core.findings import Finding, State
from bot.doctor.examination import examine
from bot.doctor.report import Redact, as_json, as_lines, likeness, summary
from bot.logs import configure_logging
from bot.redaction import redactor
from bot.settings import examine_settings

WELL, WRONG = 0, 1  # warnings alone are well


async def run_doctor(*, environ: Mapping[str, str], as_json_object: bool, env_file: Path = Path(".env")) -> int:
    """The exit status: 0, or 1 if anything is wrong."""
    secrets = examine_settings(env_file, environ)[0].secrets
    configure_logging("ERROR", secrets=secrets)
    logging.getLogger("discord").setLevel(logging.ERROR)  # what a client that never connects has to say
    redact = redactor(secrets)
    examination = examine(env_file, environ, clock=SystemClock())
    if as_json_object:
        findings = [finding async for finding in examination]
        print(as_json(findings, redact))
    else:
        findings = await _print_as_found(examination, redact)
    return WRONG if any(finding.state is State.WRONG for finding in findings) else WELL


async def _print_as_found(examination: AsyncIterator[Finding], redact: Redact) -> list[Finding]:
    """Someone is waiting: a slow model takes a minute, a hundred servers another."""
    findings: list[Finding] = []
    alike: list[Finding] = []
    async for finding in examination:
        if alike and likeness(alike[0]) != likeness(finding):
            print(*as_lines(alike, redact), sep="\n", flush=True)
            alike = []
        alike.append(finding)
        findings.append(finding)
    print(*as_lines(alike, redact), "", summary(findings), sep="\n")
    return findings
