"""A pool of connections that takes the one used last, so that those only a rush needed are closed after it.

aiohttp takes the one that has rested longest. Under steady traffic none rests until its time is up then: every
rush leaves connections behind for good.
"""

from typing import Any

import aiohttp


class NewestFirst(aiohttp.TCPConnector):
    def _release(self, key: Any, protocol: Any, *, should_close: bool = False) -> None:
        super()._release(key, protocol, should_close=should_close)
        resting = self._conns.get(key)
        if resting and resting[-1][0] is protocol:
            resting.rotate(1)  # aiohttp takes from the left
