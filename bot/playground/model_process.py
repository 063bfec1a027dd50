"""The process around the small local model: llama.cpp's OpenAI-compatible server, alive as long as its stdin.

    python -P model_process.py WEIGHTS THREADS

Prints the server's address when it answers, or why it can't. Its stdin ends when the parent closes it or dies,
however it dies.
"""

import os
import signal
import sys

COMPLAINT = "! "  # begins the line that stands in the address's place
MODEL = "SmolLM2-135M-Instruct"
CONTEXT_TOKENS = 8192  # as the model was trained
ANSWERS_AT_ONCE = 2
MOST_ANSWER_TOKENS = 1024  # where a request names no limit: this model may never stop by itself
ERRORS_ONLY = 1  # llama.cpp's verbosity; from 4 on it writes prompts


def main(weights: str, threads: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    address = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever the library prints is a complaint

    with address:
        try:
            server = _serve(weights, threads)
        except Exception as error:
            complaint = str(error).partition("\n")[0].rstrip(".") or type(error).__name__
            address.write(f"{COMPLAINT}{complaint}\n")
            raise
        address.write(f"{server.listening_address}\n")
    sys.stdin.read()
    os._exit(0)  # an answer that is being written would hold up an orderly exit


def _serve(weights: str, threads: int):  # type: ignore[no-untyped-def]  # noqa: ANN202 - xllamacpp has no types
    from xllamacpp import CommonParams, Server  # noqa: PLC0415 - stdout is made safe before it loads

    settings = CommonParams()
    settings.model.path = weights
    settings.model_alias = {MODEL}
    settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = threads
    settings.n_threads_http = 4

    settings.n_ctx = CONTEXT_TOKENS
    settings.n_parallel = ANSWERS_AT_ONCE
    settings.kv_unified = True  # or else a context is split evenly between the answers at once
    settings.cache_ram_mib = 0  # the default keeps up to 8 GB of old prompts
    settings.cache_idle_slots = False
    settings.fit_params = False  # trying out what fits into the memory takes as long as loading
    settings.n_predict = MOST_ANSWER_TOKENS
    settings.sampling.temp = 0.2  # the model card's figures
    settings.sampling.top_p = 0.9
    settings.sampling.penalty_repeat = 1.15  # without it, it soon says the same sentence for ever

    settings.port = 0
    settings.hostnames = ["127.0.0.1"]
    settings.cors_origins = "http://localhost"  # the default lets every web page read answers
    settings.cors_origins_explicit = True
    settings.ui = False
    settings.endpoint_slots = False  # it would show prompts
    settings.verbosity = ERRORS_ONLY
    return Server(settings)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
