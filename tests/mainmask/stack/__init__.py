"""Tests of the local stack's parts, on real processes and servers."""
