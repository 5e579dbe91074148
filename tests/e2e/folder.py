"""The folder that takes the report, and of each case its figures and evidence."""

from pathlib import Path

FOLDER = Path(__file__).parents[2] / ".taskhub" / "e2e"
