"""The model gateway: a process of its own that every model call of every run goes
through, and the only place that knows LiteLLM and the providers' keys.

A run pays with its token: `POST /v1/chat/completions` in OpenAI's shape. What a call
used and cost is in the ledger before its answer is out.
"""
