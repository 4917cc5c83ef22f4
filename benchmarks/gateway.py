"""What the model gateway adds to a call: the same calls straight to a provider on
loopback, and through the gateway, in turns."""

from __future__ import annotations

import json
import sys

from benchmarks.report import figure, heading, p50_p95
from tests.instance import Instance
from tests.providers import Provider, says

CALLS = 200
PROVIDER = Provider(says("Hello."))
SETTINGS = {
    "PAPERCLIP_MODEL": "openai/bench",
    "PAPERCLIP_MODEL_API_BASE": PROVIDER.url,
}
# A run has the token, so the run measures.
PROGRAM = """
import http.client, json, os, sys, time
from urllib.parse import urlsplit

def caller(url, path, token):
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=60)
    headers = {"Authorization": "Bearer " + token, "Content-Type": "application/json"}
    def call(stream):
        message = {"role": "user", "content": "Say hello. " * 200}
        body = json.dumps({"model": "openai/bench", "messages": [message] * 10,
                           "stream": stream})
        began = time.perf_counter()
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        answer.read(1)
        first = time.perf_counter()
        assert answer.status == 200, answer.read()
        answer.read()
        return (first if stream else time.perf_counter()) - began
    return call

straight = caller(sys.argv[1], "/v1/chat/completions", "none")
token = os.environ["PAPERCLIP_API_KEY"]
through = caller(os.environ["PAPERCLIP_GATEWAY_URL"], "/v1/chat/completions", token)
through(False), straight(False)
print(json.dumps([[straight(False), through(False), straight(True), through(True)]
                  for _ in range(int(sys.argv[2]))]))
"""


def measure(instance: Instance) -> None:
    words = ["-c", PROGRAM, PROVIDER.url, str(CALLS)]
    config = {"command": sys.executable, "args": words, "timeoutSec": 300}
    agent = instance.hire("Caller", adapterType="process", adapterConfig=config)
    rows = json.loads(instance.ended(instance.wake(agent), 300)["stdoutExcerpt"])
    straight, through, opened, first = (
        [row[n] * 1000 for row in rows] for n in range(4)
    )
    heading(f"{CALLS} model calls, each straight and through the gateway")
    figure("straight, p50", p50_p95(straight)[0], "ms")
    figure("through the gateway, p50", p50_p95(through)[0], "ms")
    added = [b - a for a, b in zip(straight, through, strict=True)]
    figure("added to a call, p50", p50_p95(added)[0], "ms", 50)
    figure("added to a call, p95", p50_p95(added)[1], "ms", 100)
    added = [b - a for a, b in zip(opened, first, strict=True)]
    figure("added until a stream begins, p50", p50_p95(added)[0], "ms")
    figure("added until a stream begins, p95", p50_p95(added)[1], "ms")
