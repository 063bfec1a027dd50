"""What a long memory costs: how much of it a provider could serve from its cache, and how long it is read."""
