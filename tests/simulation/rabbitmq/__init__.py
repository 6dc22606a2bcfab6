"""A simulated RabbitMQ 4.3: AMQP 0-9-1 in bytes over asyncio's streams, as far as our adapters and aio-pika use it."""
