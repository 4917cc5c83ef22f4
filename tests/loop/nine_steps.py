"""An agent with a loop of its own that follows the skill, step by step, over HTTP."""

import json
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path

API = os.environ["PAPERCLIP_API_URL"] + "/api"
HEADERS = {
    "Authorization": "Bearer " + os.environ["PAPERCLIP_API_KEY"],
    "X-Paperclip-Run-Id": os.environ["PAPERCLIP_RUN_ID"],
    "Content-Type": "application/json",
}


def ask(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(API + path, data, HEADERS, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def get(path):
    status, text = ask("GET", path)
    if status != 200:
        sys.exit(f"{path}: {status} {text}")
    return json.loads(text)


def send(method, path, body):
    status, text = ask(method, path, body)
    return status, json.loads(text)


status, skill = ask("GET", "/skills/heartbeat")
print("skill", status, len(skill.split()))
me = get("/agents/me")
print("1 I am", me["name"], [manager["name"] for manager in me["chainOfCommand"]])
print("2 approval", os.environ.get("PAPERCLIP_APPROVAL_ID", "none"))
inbox = get("/agents/me/inbox-lite")
print("3 inbox", [row["identifier"] for row in inbox])
order = ["in_progress", "in_review", "todo"]
open_ones = [row for row in inbox if row["status"] in order and row["dependencyReady"]]
for issue in sorted(open_ones, key=lambda row: order.index(row["status"])):
    print("4 choose", issue["identifier"])
    states = ["todo", "backlog", "blocked", "in_review"]
    path = f"/issues/{issue['id']}"
    wanted = {"agentId": me["id"], "expectedStatuses": states}
    status, answer = send("POST", f"{path}/checkout", wanted)
    print("5 checkout", status)
    if status != 409:
        break
else:
    sys.exit("nothing to do")
context = get(f"{path}/heartbeat-context")
first = get(f"{path}/comments?order=asc&limit=1")
newer = get(f"{path}/comments?order=asc&after={first[0]['id']}")
print("6 context", context["issue"]["title"], [one["body"] for one in newer])
result = Path("result.txt")
result.write_text(context["issue"]["title"].upper())
print("7 work", result.read_text())
part = {
    "title": "Proofread it",
    "parentId": issue["id"],
    "goalId": context["issue"]["goalId"],
    "status": "todo",
}
status, child = send("POST", f"/companies/{me['companyId']}/issues", part)
print("9 delegate", status, child["identifier"])
# Not done over an open part: it is woken when that is closed.
report = {"status": "in_progress", "comment": "Wrote result.txt and read it again."}
status, answer = send("PATCH", path, report)
print("8 report", status, answer["status"])
