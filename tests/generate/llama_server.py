"""llama.cpp's server, from the wheel `xllamacpp`, in a process of its own: it serves a GGUF file until its input ends.

    python tests/generate/llama_server.py model.gguf 4 1024 [port [template]]

prints its address once it can be asked. The numbers are answers at once and the context of each.
"""

import sys

import xllamacpp


def main(model: str, slots: str, context: str, port: str = "0", template: str = "") -> None:
    params = xllamacpp.CommonParams()
    params.model.path = model
    params.n_parallel = int(slots)
    params.n_ctx = int(slots) * int(context)
    params.cpuparams.n_threads = 1
    params.port = int(port)
    params.endpoint_metrics = True
    if template:
        params.chat_template = template
        params.default_template_kwargs = {"enable_thinking": "true"}
        # Threads that wait for each other spin, which a busy machine has no time for.
        params.cpuparams_batch.n_threads = 1
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
