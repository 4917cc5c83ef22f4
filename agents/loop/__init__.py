"""The built-in loop: a model, a few tools, and an issue to work on.

It is a program of its own, started once a run by the `litellm` adapter, usually inside
a sandbox: no Django, no LiteLLM, no key of ours. It reads one JSON document on stdin,
speaks to the model gateway and to the HTTP API, and prints its transcript on stdout.
Only the standard library: every agent at work is one such process, and an HTTP library
would double its memory.
"""
