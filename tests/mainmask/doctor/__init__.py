"""Tests of what `mainmask doctor` looks at."""
