"""What can be set is written down."""

import re

from paperclip.home import BASE_DIR

READ = re.compile(r'\benv(?:\.\w+)?\(\s*"([A-Z_]+)"')
INTERNAL = {"PAPERCLIP_ENV_FILE", "PAPERCLIP_CONSOLE"}  # between our own programs


def test_the_example_lists_every_variable_the_settings_read() -> None:
    settings = (BASE_DIR / "paperclip" / "settings.py").read_text()
    example = (BASE_DIR / ".env.example").read_text()
    read = set(READ.findall(settings)) - INTERNAL
    assert read
    assert not read - set(re.findall(r"^#([A-Z_]+)=", example, re.MULTILINE))
