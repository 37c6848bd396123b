"""Section of a recipe or job: typed settings whose unknown keys are errors."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

#: Pixels; discriminator inputs are translated by up to 15.
CropSide = Annotated[int, Field(ge=16)]


class Section(BaseModel):
    """A part of a recipe; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)
