"""The program of both agents of the story. The writer asks before it publishes, goes on
as it was told, uses its key, spends what it may, and finishes when it may spend more.
The reviewer approves."""

import json
import os
import time
import urllib.request
from pathlib import Path

URL, ISSUE = os.environ["PAPERCLIP_API_URL"], os.environ["PAPERCLIP_TASK_ID"]
COMPANY, SPENT = os.environ["PAPERCLIP_COMPANY_ID"], Path("spent")


def call(method, path, body):
    request = urllib.request.Request(
        f"{URL}/api/{path}", data=json.dumps(body).encode(), method=method
    )
    request.add_header("Authorization", f"Bearer {os.environ['PAPERCLIP_API_KEY']}")
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read())


def used(number, tokens):
    usage = {"input_tokens": tokens, "output_tokens": 0}
    message = {"id": f"msg_{number}", "model": "some-model", "usage": usage}
    print(json.dumps({"type": "assistant", "message": message}), flush=True)


def ask():
    wanted = {
        "agentId": os.environ["PAPERCLIP_AGENT_ID"],
        "expectedStatuses": ["todo", "in_progress"],
    }
    call("POST", f"issues/{ISSUE}/checkout", wanted)
    payload = {"title": "Publish the report", "where": "site/report.html"}
    asked = {"type": "publish", "payload": payload, "issueIds": [ISSUE]}
    call("POST", f"companies/{COMPANY}/approvals", asked)
    call("POST", f"issues/{ISSUE}/comments", {"body": "May I publish it?"})


def work(told):
    key = os.environ["SHOP_KEY"]
    print(f"I open the shop with {key}", flush=True)
    body = f"# Report\n\nThe shop said yes to {key}.\n\n{told}"
    report = {"format": "markdown", "body": body}
    call("PUT", f"issues/{ISSUE}/documents/report", report)
    SPENT.touch()
    used(1, 8_500)
    while not Path("go-on").exists():  # until it was told that little is left
        time.sleep(0.05)
    used(2, 2_000)
    time.sleep(60)


def finish(words):
    call("PATCH", f"issues/{ISSUE}", {"status": "done", "comment": words})


if os.environ["ROLE"] == "reviewer":
    finish("I have read the report: it says what it has to.")
elif SPENT.exists():
    finish("The report is written, and nothing was published.")
elif told := os.environ.get("PAPERCLIP_TOLD"):
    work(told)
else:
    ask()
print(json.dumps({"usage": {"input_tokens": 0}}))
