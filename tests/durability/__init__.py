"""Nothing lost, nothing twice: the bot as a process that is killed, and a checker without its code."""
