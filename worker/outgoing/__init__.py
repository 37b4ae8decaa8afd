"""The guarded client for requests on callers' behalf: to the public internet, and to what the operator lists."""
