"""The shapes of other providers than OpenAI."""

from __future__ import annotations

from typing import Any

# https://docs.claude.com/en/docs/build-with-claude/streaming
ANTHROPIC_STREAM: list[dict[str, Any]] = [
    {
        "type": "message_start",
        "message": {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "claude-sonnet-4-5",
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {"input_tokens": 10, "output_tokens": 1},
        },
    },
    {
        "type": "content_block_start",
        "index": 0,
        "content_block": {"type": "text", "text": ""},
    },
    {"type": "ping"},
    {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "text_delta", "text": "Hello."},
    },
    {"type": "content_block_stop", "index": 0},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {"output_tokens": 5},
    },
    {"type": "message_stop"},
]
ANTHROPIC_ANSWER: dict[str, Any] = {
    **ANTHROPIC_STREAM[0]["message"],
    "content": [{"type": "text", "text": "Hello."}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 10, "output_tokens": 5},
}
ANTHROPIC_REFUSAL = {
    "type": "error",
    "error": {
        "type": "rate_limit_error",
        "message": "This request would exceed your account's rate limit.",
    },
}


def of_google(delay: str, limit: int = 20, quota: str = "PerMinute") -> dict[str, Any]:
    """What Gemini says to who is too fast: the words that OpenAI has for who has
    not paid."""
    metric = "generativelanguage.googleapis.com/generate_content_free_tier_requests"
    message = (
        "You exceeded your current quota, please check your plan and billing details."
        " For more information on this error, head to:"
        " https://ai.google.dev/gemini-api/docs/rate-limits. To monitor your current"
        " usage, head to: https://ai.dev/rate-limit. \n"
        f"* Quota exceeded for metric: {metric}, limit: {limit}, model: gemini\n"
        f"Please retry in {delay}."
    )
    violation = {
        "quotaMetric": metric,
        "quotaId": f"GenerateRequests{quota}PerProjectPerModel-FreeTier",
        "quotaDimensions": {"location": "global", "model": "gemini-2.5-flash"},
        "quotaValue": str(limit),
    }
    kind = "type.googleapis.com/google.rpc"
    details = [
        {"@type": f"{kind}.QuotaFailure", "violations": [violation]},
        {"@type": f"{kind}.RetryInfo", "retryDelay": delay},
    ]
    error = {"code": 429, "message": message, "status": "RESOURCE_EXHAUSTED"}
    return {"error": {**error, "details": details}}
