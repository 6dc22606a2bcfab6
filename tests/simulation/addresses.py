"""Where the simulated servers are reached, and a queue that two parties know."""

NATS, RABBITMQ, TELEGRAM = ("nats", 4222), ("rabbitmq", 5672), ("127.0.0.1", 443)
MODELS = "models"
"""Where the original's model servers get their requests."""
