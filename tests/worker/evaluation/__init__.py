"""Tests of measuring models on annotated pictures."""
