"""Days and months, by UTC: what is counted by them, and when they begin anew."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum


class Period(StrEnum):
    DAY = "day"
    MONTH = "month"

    @property
    def words(self) -> str:
        return "for today" if self is Period.DAY else "for this month"

    def start(self, moment: datetime) -> datetime:
        """When the day or month of this moment began."""
        midnight = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return midnight if self is Period.DAY else midnight.replace(day=1)

    def end(self, moment: datetime) -> datetime:
        """When the next one begins."""
        begun = self.start(moment)
        # 32 days on are in the next month, wherever one begins.
        return begun + timedelta(days=1) if self is Period.DAY else self.start(begun + timedelta(days=32))
