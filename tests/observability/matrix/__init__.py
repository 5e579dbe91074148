"""Tests of the failure matrix."""
