"""What was done for one answer so far: it counts on when the answer is begun anew, or edits would have no end."""

from dataclasses import dataclass


@dataclass(kw_only=True, slots=True)
class Effort:
    attempts: int = 0
    ends: float = 0.0  # when the time for all of them is over, in monotonic seconds; 0: it has not begun
    begun_anew: bool = False  # a request under way was let go of
    paused: float = 0.0  # since when it does not run

    def pause(self, *, now: float) -> None:
        """What follows is waited for without asking anybody: it takes nothing from that time."""
        self.paused = now

    def go_on(self, *, now: float) -> None:
        if self.ends:
            self.ends += now - self.paused

    def at_most(self, seconds: float, *, now: float) -> float:
        """As long, or what is left of the time for all attempts, which begins with the first request."""
        return max(0.0, min(seconds, self.ends - now)) if self.ends else seconds
