"""What can be set is written down."""

import re

from paperclip.home import BASE_DIR

READ = re.compile(r"""env(?:\.\w+)?\(\s*"([A-Z_]+)"|environ(?:\.get\(|\[)"([A-Z_]+)\"""")
# Between our own programs, not for the operator.
INTERNAL = {"PAPERCLIP_ENV_FILE", "PAPERCLIP_TEST_HOME", "PATH"}


def test_the_example_lists_every_variable_the_settings_read() -> None:
    settings = (BASE_DIR / "paperclip" / "settings.py").read_text()
    read = {name for pair in READ.findall(settings) for name in pair if name}
    listed = set(re.findall(r"^#([A-Z_]+)=", example(), re.MULTILINE))
    assert read and not read - listed - INTERNAL


def example() -> str:
    return (BASE_DIR / ".env.example").read_text()
