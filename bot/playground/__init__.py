"""A Discord on loopback, for the tests and for people who have no token yet."""
