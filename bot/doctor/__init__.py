"""`python -m bot doctor`: what is right and what is wrong with this set-up, without starting the bot."""
