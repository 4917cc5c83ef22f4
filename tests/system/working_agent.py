"""An agent as its author would write it: checks out, works, reports, over HTTP."""

import json
import os
import random
import sys
import time
import urllib.error
import urllib.request

API = os.environ["PAPERCLIP_API_URL"] + "/api"


def call(method, path, body=None):
    """The answer's status and body; a server that is restarting is asked again."""
    request = urllib.request.Request(
        API + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={
            "Authorization": "Bearer " + os.environ["PAPERCLIP_API_KEY"],
            "Content-Type": "application/json",
        },
    )
    for _ in range(60):
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code < 500:
                return error.code, json.load(error)
        except OSError:
            pass
        time.sleep(0.25)
    sys.exit("the API does not answer")


me = os.environ["PAPERCLIP_AGENT_ID"]
issue = os.environ.get("PAPERCLIP_TASK_ID")
if not issue:
    sys.exit("woken about nothing")
states = ["todo", "backlog", "blocked", "in_review"]
status, answer = call(
    "POST", f"/issues/{issue}/checkout", {"agentId": me, "expectedStatuses": states}
)
print("checkout", status, flush=True)
if status != 200:
    sys.exit(0 if answer.get("details", {}).get("status") == "done" else 1)
time.sleep(random.uniform(0.3, 1.2))
status, answer = call(
    "PATCH", f"/issues/{issue}", {"status": "done", "comment": "Did it."}
)
print("done", status, flush=True)
sys.exit(0 if status == 200 else 1)
