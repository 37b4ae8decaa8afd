"""Webhooks: attempts to deliver what the outbox holds, in a process of its own without any model."""
