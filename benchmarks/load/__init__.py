"""Many people at once: does everybody get their answer, and what does that cost Discord and the machine."""
