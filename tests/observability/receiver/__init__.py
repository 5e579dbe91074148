"""The receiver of pages, and the dead-man's switch in it."""
