"""What each import costs in time and memory, in the order in which the bot pays for them, in a fresh process."""

import json
import subprocess
import sys

MODULES = (
    "asyncio",
    "uvloop",
    "aiohttp",
    "discord",
    "pydantic",
    "openai",
    "sqlalchemy.ext.asyncio",
    "bot.app",
)

_PROGRAM = """
import importlib, json, os, sys, time
def resident():
    with open("/proc/self/statm") as pages:
        return int(pages.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
costs = [["Python itself", 0.0, resident()]]
for name in sys.argv[1:]:
    memory, before = resident(), time.perf_counter()
    importlib.import_module(name)
    costs.append([name, (time.perf_counter() - before) * 1000, resident() - memory])
print(json.dumps(costs))
"""


def import_costs() -> list[tuple[str, float, float]]:
    """Module, milliseconds, MiB; a module shared by two is paid for by the first. Linux only."""
    for _ in range(2):  # the second time, everything is compiled and in the page cache
        ended = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-c", _PROGRAM, *MODULES], check=True, stdout=subprocess.PIPE, text=True
        )
    return [tuple(cost) for cost in json.loads(ended.stdout)]
