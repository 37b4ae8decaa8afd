"""Fetching checkpoints to this machine: `python -m worker.models`. Neither torch nor a queue is needed for it."""
