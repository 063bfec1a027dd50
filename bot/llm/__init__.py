"""Everything that knows the openai package."""
