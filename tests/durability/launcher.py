"""`python -m tests.durability.launcher`: `python -m bot run`, to be killed at a point or with a law broken.

CONFAB_TEST_KILL_AT names a point of points.py and CONFAB_TEST_HIT how often it is passed before that;
CONFAB_TEST_MUTANT one of mutants.py. CONFAB_TEST_HASTE=1 shortens the waits that only keep Discord from worse.
"""

import os
import sys

from bot.cli import main
from bot.discord import connecting, identify, pacer
from tests.durability.mutants import MUTANTS
from tests.durability.points import kill_at

if os.environ.get("CONFAB_TEST_HASTE"):
    connecting.SECONDS_BETWEEN_SESSIONS = connecting.LONGEST_PAUSE_SECONDS = 0.2
    identify.SESSIONS = 1_000
    pacer.SECONDS_WITHOUT_ADVICE = 5.0
if mutant := os.environ.get("CONFAB_TEST_MUTANT"):
    MUTANTS[mutant]()
if point := os.environ.get("CONFAB_TEST_KILL_AT"):
    kill_at(point, hit=int(os.environ.get("CONFAB_TEST_HIT", "1")))
sys.exit(main(["run"]))
