"""Checks of a frame's content: pictures of one colour beside labels with several classes, labels without any class."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sflow_pipeline.errors import FrameError
from sflow_pipeline.label_spaces import LabelSpace

#: A picture whose channels differ by less, but for one pixel in two hundred, shows nothing.
_LEAST_CONTRAST, _OUTLIERS = 4, 0.5
_SIDE_PX = 96
#: A share that is measured on about so many pixels a side is off by less than this.
_ROUGH = 0.05
#: Largest share of void in a label, where a job states none.
MOST_VOID = 0.999
#: A label with two classes of this share each has something to show.
_CLASS_SHARE = 0.01


def list_void_ids(space: LabelSpace) -> NDArray[np.bool_]:
    """(65536,) which ids of label maps stand for no class."""
    table = np.zeros(65536, bool)
    for item in space.classes:
        table[item.id] = item.concepts[0] == "void"
    for class_id in ((space.void_id,) if space.void_id is not None else ()) + space.also_void_ids:
        table[class_id] = True
    return table


def check_content(
    render: NDArray[np.uint8] | None,
    label_map: NDArray[Any],
    is_void: NDArray[np.bool_],
    paths: tuple[str, str],
    *,
    most_void: float,
    follows_render: bool = True,
) -> None:
    """Refuse frames that show nothing; looks at about 96 pixels a side, at all of them only where it is a close call.

    Args:
        render: (h, w, 3) uint8 RGB; None in a dump without pictures.
        label_map: (h, w) class ids.
        is_void: of ``list_void_ids``.
        paths: of the picture and the label, for errors.
        most_void: largest share of a label's pixels that may belong to no class.
        follows_render: images depend on the picture; otherwise it may be blank.

    Raises:
        FrameError: ``void_label``; ``blank_render``.
    """
    step = max(1, min(label_map.shape) // _SIDE_PX)
    void = is_void[label_map[::step, ::step]].mean()
    if void > most_void - _ROUGH and (void := is_void[label_map].mean()) > most_void:
        raise FrameError(
            f"{paths[1]}: no pixel but {1 - void:.2%} belongs to a class",
            hint="render the label again, or leave the frame out"
            + ("" if void > 0.999 else f"; --max-frame-void is {most_void:g}"),
            reason="void_label",
        )
    if render is not None and follows_render and has_one_color(render[::step, ::step]) and has_one_color(render):
        shares = np.bincount(label_map[::step, ::step].ravel()) / label_map[::step, ::step].size
        if (shares >= _CLASS_SHARE).sum() > 1:
            raise FrameError(
                f"{paths[0]}: one colour, RGB {tuple(np.median(render, axis=(0, 1)).astype(int).tolist())}, where its "
                f"label has {int((shares > 0).sum())} classes",
                hint="render the picture again (first frames are often written before the scene is loaded)",
                reason="blank_render",
            )


def has_one_color(render: NDArray[np.uint8]) -> bool:
    """Whether a picture is of one colour, but for one pixel in two hundred."""
    low, high = np.percentile(render.reshape(-1, 3), (_OUTLIERS, 100 - _OUTLIERS), axis=0)
    return bool((high - low < _LEAST_CONTRAST).all())
