"""Tests of fetching checkpoints."""
