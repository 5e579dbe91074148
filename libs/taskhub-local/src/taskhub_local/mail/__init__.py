"""A mail server for one machine: takes every mail, delivers none, and shows what it took."""
