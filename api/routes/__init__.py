"""The routes, one noun a file; each loads, calls and saves."""
