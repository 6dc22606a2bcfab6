"""Bridge between JetStream and RabbitMQ, so that workers and bots on either broker work together."""
