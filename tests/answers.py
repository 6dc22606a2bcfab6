"""What a NATS server says where a publisher has named a record of ours for the reply: none of it is a record."""

EVENT = (
    b'{"request_id":"1.2.3.0","account_id":"1","chat_id":"2","message_id":"3","turns":[{"role":"user","text":"?"}],'
    b'"deadline":"2026-11-26T00:00:00Z"}'
)

ANSWERS = {
    "a PubAck": b'{"stream":"REPLIES","seq":1}',
    "a PubAck of a repeated message": b'{"stream":"REPLIES","seq":1,"duplicate":true}',
    "a PubAck of a server with a domain": b'{"stream":"REPLIES","domain":"hub","seq":1}',
    "a refused publish": b'{"error":{"code":503,"err_code":10077,"description":"?"},"stream":"REPLIES","seq":0}',
    "an API answer": b'{"type":"io.nats.jetstream.api.v1.stream_info_response","total":0,"config":{"name":"REQUESTS"},'
    b'"created":"2026-11-26T00:00:00Z","state":{"messages":0,"first_seq":0,"last_seq":0}}',
    "a stored message": b'{"type":"io.nats.jetstream.api.v1.stream_msg_get_response","message":{"subject":"a","seq":1,'
    b'"data":"e30=","time":"2026-11-26T00:00:00Z"}}',
    "an API error": b'{"type":"io.nats.jetstream.api.v1.stream_msg_get_response","error":{"code":404}}',
    "an acknowledged acknowledgement, or a status of a pull request": b"",
    "a delivered request": EVENT,
    "a delivered answer": b'{"request_id":"1.2.3.0","text":"no","finish_reason":"stop","model":"m"}',
    "an empty object": b"{}",
}
