"""Types of a job's fields: names and numbers with the rule they must fit."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator

from sflow_pipeline.columns import OPTIONAL_COLUMNS


def _check_column(name: str) -> str:
    if name not in OPTIONAL_COLUMNS:
        raise ValueError(f"must be one of {', '.join(OPTIONAL_COLUMNS)}")
    return name


OptionalColumn = Annotated[str, AfterValidator(_check_column)]

#: What ``--device`` may say.
DEVICE_PATTERN = r"^(auto|cpu|cuda(:\d+)?)$"


def _check_device(device: str) -> str:
    if not re.fullmatch(DEVICE_PATTERN, device):
        raise ValueError("must be one of auto, cpu, cuda, cuda:0, cuda:1, …")
    return device


Device = Annotated[str, AfterValidator(_check_device)]


def _check_split(split: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", split):
        raise ValueError("must be letters, digits, _, - and ., with a letter, digit or _ first")
    return split


Split = Annotated[str, AfterValidator(_check_split)]

#: Appearance strengths that have a name: the levels of the pyramid in ``networks.appearance``.
APPEARANCE_NAMES = {"palette": 0.0, "coarse": 1 / 3, "fine": 2 / 3, "full": 1.0}


def _parse_appearance(value: Any) -> Any:
    """A name as its strength, text as a number; "auto" stays.

    >>> _parse_appearance("coarse") < _parse_appearance("0.5")
    True
    """
    if isinstance(value, str) and value in APPEARANCE_NAMES:
        return APPEARANCE_NAMES[value]
    try:
        number = value if value == "auto" else float(value)
    except (TypeError, ValueError):
        number = None
    if number is None or (number != "auto" and not 0 <= number <= 1):
        raise ValueError(f"must be auto, a number from 0 to 1, or one of {', '.join(APPEARANCE_NAMES)}")
    return number


Appearance = Annotated[float | Literal["auto"], BeforeValidator(_parse_appearance)]

#: Alphas that have a name; ``bundle.alpha`` says what they weigh.
AlphaName = Literal["even", "crisp", "soft", "broad"]

#: Formats of converted images; ``storage.image_formats`` describes them.
ImageFormat = Literal["png", "webp", "jpeg"]
