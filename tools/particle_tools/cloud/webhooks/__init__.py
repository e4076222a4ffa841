"""Webhooks: what is configured, when it runs, what it asks and answers."""
