"""The rehearsal: a script in place of a model, and a small world it plays in.

`reply` answers a chat request as a model would. It sees what a model sees, the messages
of the conversation, and nothing else: no database, no clock, no memory. What it does
next depends on what its tools have answered, and the seed in the model's name varies
the story: `rehearsal/7`.
"""

from agents.rehearsal.script import reply

__all__ = ["reply"]
