"""The worker: fetch, handle, publish, settle. It hosts any handler on any transport."""
