"""The state of what the API depends on, asked for in the background, so that telling it never waits for anybody."""
