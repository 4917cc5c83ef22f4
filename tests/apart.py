"""Each process of pytest-xdist has a home and a broker of its own, so that the tests of
one never see, ring for or end what those of another do. (pytest-django gives it a
database.) Loaded by pytest before the settings are read."""

import os

WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")

if WORKER:
    number = int(WORKER.removeprefix("gw"))
    server = os.environ["REDIS_URL"].rpartition("/")[0]
    os.environ["REDIS_URL"] = f"{server}/{number + 1}"
    os.environ["PAPERCLIP_HOME"] = f"{os.environ['PAPERCLIP_TEST_HOME']}/{WORKER}"
