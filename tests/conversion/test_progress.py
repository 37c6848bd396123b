"""A conversion says which step it is at before its first frame is through, and how far that step is."""

from sflow_pipeline.conversion.convert import convert
from sflow_pipeline.conversion.status.progress import SilentProgress


class Notes(SilentProgress):
    """Keeps steps and counts in the order in which they came, and the first frame."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def on_step(self, text: str) -> None:
        self.events.append(text)

    def on_count(self, done: int, total: int, unit: str) -> None:
        self.events.append(f"{done} of {total} {unit}")

    def on_frames(self, frames: int) -> None:  # noqa: ARG002
        if self.events[-1] != "frames":
            self.events.append("frames")


def test_steps_before_the_first_frame_in_this_process(dump, make_job) -> None:
    notes = Notes()
    convert(make_job(gate="off", shard_frames=6), progress=notes)
    until = notes.events[: notes.events.index("frames")]
    assert until[:2] == ["reading the dump", "checking every label's class ids"]
    assert until[until.index("checking every label's class ids") + 1 :][-5:] == [
        "12 of 12 labels",
        "comparing with finished shards",
        "loading the networks",
        "converting",
        "1 of 1 workers ready",
    ]
