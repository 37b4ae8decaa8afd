"""The submission API: thin HTTP over `db`, without torch."""
