"""The HTTP API of TaskHub."""

from importlib.metadata import version

__version__ = version("taskhub-api")
