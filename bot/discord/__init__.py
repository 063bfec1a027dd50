"""Everything that knows discord.py.

In: client → hearing → inbound (with readable, words, quoting, link_search) → the core's intake. What was missed:
catch_up → missed_ranges → hearing. Presses: pressing. Commands: commands/.

Out: replies → live_message (first_words, draft_pace, typing_sign) → layout → split (fences, graphemes) → place
(responses, in_time, part_search, nonce) → outbound → requests → pacer (buckets, invalid_requests, tries).
What must go: cleanup. What Discord's errors mean: refusals.

Before it connects: preflight, identify, registration. For `doctor`: the files called checkup.
"""
