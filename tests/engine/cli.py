"""A coding CLI as far as sessions go: it remembers them in files of its own, resumes
one by `--resume ID`, and reports what it used. SHAPE says how it tells that it does not
know a session; a `dead` one does not work without any either. With COMMENT it says
something in the issue's thread before that."""

import json
import os
import sys
import uuid
from pathlib import Path

GROWTH = 20_000
store = Path(os.environ["HOME"], "cli")
store.mkdir(exist_ok=True)
args = sys.argv[1:]
resumes = args[args.index("--resume") + 1] if "--resume" in args else None
told = {
    name: os.environ.get(f"PAPERCLIP_{name}")
    for name in ("SESSION_ID", "HAND_OVER", "WORK_FOUND", "RUN_ID")
}
with Path(store, "calls").open("a") as calls:
    calls.write(json.dumps({"resumes": resumes, **told}) + "\n")


def report(session, context, **more):
    used = {
        "input_tokens": min(context, 5_000),
        "cache_read_input_tokens": max(0, context - 5_000),
        "cache_creation_input_tokens": 0,
        "output_tokens": 10 if context else 0,
    }
    said = {"type": "result", "session_id": session, "is_error": False, "usage": used}
    # It claims to look after its context by itself.
    said["context_management"] = "native"
    print(json.dumps({**said, **more}))


unknown = f"No conversation found with session ID: {resumes}"
shape = os.environ.get("SHAPE", "")
file = Path(store, resumes or str(uuid.uuid4()))
if (resumes and not file.exists()) or (not resumes and shape == "dead"):
    if os.environ.get("COMMENT"):
        import urllib.request

        urllib.request.urlopen(
            urllib.request.Request(
                f"{os.environ['PAPERCLIP_API_URL']}/api/issues/"
                f"{os.environ['PAPERCLIP_TASK_ID']}/comments",
                method="POST",
                data=b'{"body": "I was here."}',
                headers={
                    "Authorization": f"Bearer {os.environ['PAPERCLIP_API_KEY']}",
                    "Content-Type": "application/json",
                },
            )
        ).read()
    if shape == "error json":
        report(resumes, 0, is_error=True, result=unknown)
    elif shape == "unparseable":
        print('Segmentation {"fault": ...')
    elif shape == "stderr":
        sys.exit(unknown)
    elif shape != "empty":
        sys.exit(42)
    sys.exit(0)

turns = int(file.read_text()) + 1 if file.exists() else 1
file.write_text(str(turns))
print("I am at work.")
report(file.name, GROWTH * turns, result=f"This was turn {turns}.")
