"""Runs the command line: python -m bot."""

import sys

try:
    from bot.cli import main

    sys.exit(main())
except ModuleNotFoundError as error:
    if error.name is None or error.name.startswith("bot"):
        raise  # a fault of ours
    sys.exit(
        f"The Python package {error.name} is not installed here. `make run` installs what the bot needs; "
        "after that it is `.venv/bin/python -m bot`."
    )
