"""Elasticsearch on one machine: finds Java, fetches the distribution once, and writes a configuration for it."""
