"""Gives every package's tests the real servers of the local platform."""

pytest_plugins = ["taskhub_local.testing"]
