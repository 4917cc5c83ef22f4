"""The frame of the HTTP API: base view, errors, forms, pages, schema."""

from paperclip.api.errors import exception_handler

__all__ = ["exception_handler"]
