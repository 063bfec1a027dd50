"""The behaviour: turns, history, order. Standard library only; start at answer.py.

A question comes in, of somebody who is answered (access): intake (handled: until when everything was; erasures:
what must not be stored again) → admission (line: who waits; token_buckets: so many a minute) →
conversation_queue → fair_slots. What is edited or deleted: changes, and as_told, passed before reading.

It is answered: answer → links, quotes → prompt (tokens, speakers; which turns: window) → generation (models,
breaker) → wording. Others reach that through under_way → answering (effort: what edits may not begin anew);
presses are the buttons, waiting_notices tell who waits.

What it holds: messages (turns, parts, who asked where), completions (a request to a model), ports (what
adapters implement), errors (each with its sentence).

What is learned and kept in the background: token_rates (what an estimated token is, by what providers count),
summary → summarising, expiry, fingerprints (of erased texts of ours that may still be in a channel).

Money: periods, costs → budgets → spending; usage and usage_tables say it, budget_notices warn.

People's own: rights and rights_wording; look_ups (who may look back, and when) → archive (what is read for
that) → recall (folding: what a search takes for the same), export, why.

For the operator: findings and unreachable, in the words of `doctor`. Small things: clock, legible (no unseen
characters).
"""
