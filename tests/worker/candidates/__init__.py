"""Tests of how candidates are named."""
