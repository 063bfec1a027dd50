"""How long a statement takes must not grow with what other channels said."""

from datetime import timedelta

from sqlalchemy import event

from bot.core.messages import ConversationKey, Edit, Press, Previous
from bot.core.quotes import Link, Opened
from bot.core.rights import Servers
from bot.core.tokens import TokenBudget
from bot.core.usage import By
from bot.storage.turns import open_store
from tests.clock import START
from tests.fakes import message
from tests.storage.talk import HERE, answer, exchange, next_turn, part, quote, take, wait

GROWING = ("turns", "parts", "model_calls", "summaries")
PLANS_ALLOWED = ("ix_turns_open", "ix_parts_deleting")  # hold what waits to be done, and nothing else


async def everything(store):
    """Call each method of the store so that it has something to do."""
    await exchange(store, message("q", id=1, reply_to=9, quote=quote("quoted", id=9)), "a", posted=[71])
    taken = await take(store, message("q", id=2))
    await store.add_part(taken.answer_id, attempt=1, part=part())
    await store.part_posted(taken.answer_id, n=0, message_id=72)
    await store.part_deleting(taken.answer_id, n=0)
    await store.surplus()
    await store.posting_in(10)
    await store.part_deleted(taken.answer_id, n=0)
    await next_turn(store)
    await store.write_notice(taken.answer_id, shown="busy", code="model_busy")
    await store.undeliverable(taken.answer_id, code="gone")
    await wait(store, message("q", id=3), message("q", id=4))
    await store.withdraw((await next_turn(store)).answer_id)
    await store.forget_withdrawn([taken.answer_id])
    await store.record_missed(message("q", id=8))
    await store.record_refused(message("q", id=9))
    await store.stored_since(10, after=0)
    await store.withdrawn_since(10, after=0)
    await store.direct_channels(after=0)
    await store.recent_threads(after=0)
    await store.write_marks({0: START})
    await store.read_marks()
    await store.unfinished()
    await store.waiting()
    await store.edit(Edit(message_id=3, text="e", raw_text="e", note=None, edited_at=START + timedelta(1)))
    await answer(store, await next_turn(store), "a", posted=[73])
    await take(store, message("q", id=5))
    await store.reset(HERE)
    await store.erase_messages([1, 9, 73, 5])
    rewritten = await exchange(store, message("q", id=6), "a", posted=[74])
    await store.reopen(Press(id=9, question_id=6, person=1, moderates=False, key=HERE))
    await store.restore(rewritten.answer_id, Previous("a", "a", "complete"))
    await store.stand(rewritten.answer_id)
    await exchange(store, message("q", id=7, key=ConversationKey(channel_id=10, private_to=1)), "a")
    linking = await take(store, message("q", id=11, links=(Link(channel_id=20, message_id=12),)))
    await store.open_link(linking.questions[0].id, Opened(quote=quote("linked", id=12)))
    for guild_id, person in ((None, None), (5, None), (None, 1)):
        await store.usage(By.DAY, since=START, guild_id=guild_id, person=person)
    await store.share_of(1)
    await store.share_of(1, channel_id=20)
    await store.forget_user(1, channel_id=20)
    await store.forget_user(1)
    await exchange(store, message("q", id=20, reply_to=19, quote=quote("quoted", id=19)), "a")
    await store.erase_expired(Servers(ids=frozenset(), all_but=True), after=0, before=21, most=100)
    await outgrow(store)
    await store.erase_channel(10)
    await store.erase_guild(5)


async def outgrow(store):
    """A conversation that outgrows its window."""
    for n in range(30, 42):
        await exchange(store, message("q " * 60, id=n), "a " * 60)
    for _ in range(2):
        due = await store.to_summarise(HERE, budget=TokenBudget(history_tokens=1000, system_tokens=0))
        await store.keep_summary(due, text="s", model="m")
        await take(store, message("q " * 60, id=n + 1), tokens=500)
        await store.erase_messages([30])
        n += 1
        await answer(store, await next_turn(store), "a " * 60, posted=[100 + n])
    await store.archive.memory(HERE, TokenBudget(history_tokens=500, system_tokens=0))
    await store.archive.made(100 + n, channel_id=10)


async def test_no_statement_reads_through_all_turns(tmp_path):
    statements = {}

    def remember(_connection, _cursor, statement, parameters, _context, executemany):
        statements[statement] = parameters[0] if executemany else parameters

    async with open_store(f"sqlite:///{tmp_path / 'bot.db'}") as store:
        event.listen(store._database._back_end._engine, "before_cursor_execute", remember)
        await everything(store)
        asked = {sql: value for sql, value in statements.items() if not sql.startswith(("BEGIN", "EXPLAIN"))}

        def plans(connection):
            return [
                (step[3], sql)
                for sql, value in asked.items()
                for step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", value)
            ]

        found = await store._database.run(plans)

    assert len(asked) > 40
    assert [
        (step, sql)
        for step, sql in found
        if step.startswith(tuple(f"SCAN {table}" for table in GROWING)) and not step.endswith(PLANS_ALLOWED)
    ] == []
