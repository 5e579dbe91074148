"""The whole platform as one object: its ports, secrets, parts, and what keeps them running."""
