"""How fast the bot is, how large, and what a long conversation costs, measured."""
