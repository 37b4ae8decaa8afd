"""The three stages in plain Python: no queue, no database, no server."""
