"""Tests of the containers' files, with what they share."""
