"""Breaks a watched cluster for minutes at a time: the right page comes, alone, and is taken back."""
