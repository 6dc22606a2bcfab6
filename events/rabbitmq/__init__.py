"""RabbitMQ: the only place that imports aio_pika."""
