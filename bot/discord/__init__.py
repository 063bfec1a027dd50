"""Everything that knows discord.py.

In: client → hearing → inbound (with readable, words, quoting, link_search) → the core's intake. What was missed:
catch_up → changed_channels, missed_channels → missed_ranges → hearing; what is left: unread (pauses). Presses:
pressing. Commands: commands/.

Out: replies → live_message (first_words, draft_pace, typing_sign) → layout → split (fences, graphemes) →
answer_parts → place (responses, part_search, nonce; in_time: while a response can be edited) → outbound (payloads)
→ requests → pacer (buckets, limit_over_all, invalid_requests, tries). What must go: cleanup. What Discord's errors
mean: refusals.

Looking back: commands/ → remembered (/history's words), recalled (/recall's).

Before it connects: preflight, identify, registration. Staying connected: connecting, gateway_socket. For `doctor`:
the files called checkup.
"""
