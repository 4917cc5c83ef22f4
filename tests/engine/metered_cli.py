"""A coding CLI of a subscription as far as usage goes: it streams what each call used
until it is ended, every line twice, and costs nothing. EVERY seconds it tells of TOKENS
tokens (and of COST dollars), once there is a file BEGIN; without TOKENS it says nothing
at all."""

import json
import os
import time

tokens, every = int(os.environ.get("TOKENS", "0")), float(os.environ["EVERY"])
cost = float(os.environ.get("COST", "0"))


def tell(number: int, tokens: int, cost: float) -> None:
    usage = {
        "input_tokens": tokens // 2,
        "cache_read_input_tokens": tokens // 4,
        "output_tokens": tokens - tokens // 2 - tokens // 4,
    }
    message = {"id": f"msg_{number}", "model": "some-model", "usage": usage}
    said = {"type": "assistant", "message": message, "cost_usd": cost}
    for _ in range(2):
        print(json.dumps(said), flush=True)


if tokens:
    tell(0, 0, 0)
    while not os.path.exists(os.environ.get("BEGIN", "/")):
        time.sleep(0.1)
number = 0
while True:
    time.sleep(every)
    number += 1
    if tokens:
        tell(number, tokens, cost)
