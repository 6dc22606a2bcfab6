"""A simulated NATS server with JetStream: it speaks the protocol in bytes, over any streams of asyncio."""
