"""confab: a Discord bot that talks with a community and remembers."""
