"""An agent that says its secrets wherever anything can be said."""

import base64
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import quote, quote_plus

API = os.environ["PAPERCLIP_API_URL"]
ME, ISSUE = os.environ["PAPERCLIP_AGENT_ID"], os.environ["PAPERCLIP_TASK_ID"]
COMPANY = os.environ["PAPERCLIP_COMPANY_ID"]
TOKEN, PASSWORD = os.environ["LEAK_TOKEN"], os.environ["LEAK_PASSWORD"]
SECRETS = [TOKEN, PASSWORD, os.environ["LEAK_KEY"]]


def call(method, path, body=None, kind="application/json", **headers):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(
        API + path,
        method=method,
        data=None if body is None else data,
        headers={
            "Authorization": "Bearer " + os.environ["PAPERCLIP_API_KEY"],
            "Content-Type": kind,
            **headers,
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def say(text, out=sys.stdout):
    out.write(text + "\n")
    out.flush()


def print_it(secret):
    data = secret.encode()
    for before in (b"", b"x", b"xy"):
        say("64 " + base64.b64encode(before + data).decode())
        say("64 " + base64.urlsafe_b64encode(before + data + b"!").decode().rstrip("="))
    say("wrapped " + base64.encodebytes(b"z" * 50 + data).decode())
    for text in (secret, data.hex(), data.hex().upper(), json.dumps({"it": secret})):
        say(text)
        say(text, sys.stderr)
    say("https://example.com/?q=" + quote(secret, safe="") + "&r=" + quote_plus(secret))
    half = len(secret) // 2
    for part in (secret[:half], secret[half:], "\n"):
        sys.stdout.write(part)
        sys.stdout.flush()
        time.sleep(0.3)


def write_it(secret):
    """Every route that keeps a text; what each answered."""
    url, agent = f"/api/issues/{ISSUE}", f"/api/companies/{COMPANY}"
    wrong = {"status": secret, secret: secret}
    product = {"type": "artifact", "title": secret, "metadata": {secret: secret}}
    product |= {"url": "https://example.com/" + quote(secret), "externalId": secret}
    filed = {"title": "File " + secret, "description": secret}
    text = {"body": "Notes: " + secret}
    cost = {"agentId": ME, "provider": "p", "model": secret, "billingCode": "c"}
    cost |= {"inputTokens": 1, "outputTokens": 1, "costCents": 1}
    cost |= {"occurredAt": "2026-11-26T10:00:00Z"}
    routine = {"title": secret, "description": secret, "assigneeAgentId": ME}
    once = {} if "\n" in secret else {"Idempotency-Key": secret}
    documents = f"{url}/documents"
    calls = {
        "comment": ("POST", f"{url}/comments", {"body": "It is " + secret}),
        "key": ("POST", f"{url}/comments", {"body": "With a key"}, once),
        "document": ("PUT", f"{documents}/n{len(secret)}", {"title": secret, **text}),
        "address": ("PUT", f"{documents}/{quote(secret, safe='')}", text),
        "product": ("POST", f"{url}/work-products", product),
        "issue": ("PATCH", url, {"title": secret, "description": json.dumps(secret)}),
        "error": ("PATCH", url, wrong),
        "filed": ("POST", f"{agent}/issues", filed),
        "routine": ("POST", f"{agent}/routines", routine),
        "cost": ("POST", f"{agent}/cost-events", cost),
        "search": ("GET", f"{agent}/issues?q=" + quote(secret), None),
    }
    for name, (method, path, body, *headers) in calls.items():
        status, answer = call(method, path, body, **(headers[0] if headers else {}))
        say(f"{name} {status} {answer.decode()}")


def git(place, *args, **more):
    told = ["-c", "user.name=Dev", "-c", "user.email=dev@example.com"]
    command = ["git", "-C", place, *told, *args]
    subprocess.run(command, check=True, capture_output=True, **more)


def commit_it(secret, *, in_message, in_name):
    """Upload a branch with it; the status of the answer."""
    _, told = call("GET", f"/api/issues/{ISSUE}")
    space = json.loads(told)["currentExecutionWorkspace"]
    with tempfile.TemporaryDirectory() as place:
        bundle = Path(place, "down.bundle")
        bundle.write_bytes(call("GET", space["repositoryUrl"])[1])
        git(place, "clone", "-q", str(bundle), "clone")
        clone, branch = f"{place}/clone", space["branchName"]
        git(clone, "checkout", "-q", "-b", branch)
        name = "".join(filter(str.isalnum, secret)) if in_name else "file"
        Path(clone, name).write_text("text" if in_name or in_message else secret)
        git(clone, "add", "-A")
        # Not as an argument: those of its own programs are its own affair.
        message = secret if in_message else "Work"
        git(clone, "commit", "-q", "-F", "-", input=message.encode())
        git(clone, "bundle", "create", f"{place}/up", f"origin/main..{branch}")
        data = Path(place, "up").read_bytes()
    return call("POST", space["branchUrl"], data, "application/x-git-bundle")[0]


body = {"agentId": ME, "expectedStatuses": ["todo", "in_progress"]}
say(f"checkout {call('POST', f'/api/issues/{ISSUE}/checkout', body)[0]}")
Path(TOKEN).write_text("a file of that name")
for each in SECRETS:
    print_it(each)
    write_it(each)
for told in ({"in_message": True}, {"in_name": True}, {}):
    where = {"in_message": False, "in_name": False, **told}
    say(f"uploaded {commit_it(TOKEN, **where)}")
result = {"type": "result", "is_error": True, "result": PASSWORD, "session_id": TOKEN}
say(json.dumps(result))
sys.exit("It failed: " + TOKEN)
