"""JetStream ⇄ RabbitMQ, so that workers and bots of either kind can be mixed."""
