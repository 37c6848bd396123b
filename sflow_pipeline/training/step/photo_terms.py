"""Loss terms of images that were made of photos: each is compared with its photo."""

from torch import Tensor

from sflow_pipeline.tensors import Photo
from sflow_pipeline.training.step.adversarial import adversarial_terms
from sflow_pipeline.training.step.augmentation import Augmentation
from sflow_pipeline.training.step.context import StepContext
from sflow_pipeline.training.step.features import feature_terms
from sflow_pipeline.training.step.inputs import StepInputs
from sflow_pipeline.training.step.losses import repetition_loss
from sflow_pipeline.training.step.state import TrainingState
from sflow_pipeline.training.step.step_rng import StepRng


def photo_terms(
    state: TrainingState,
    inputs: StepInputs,
    fake: Photo,
    context: StepContext,
    rng: StepRng,
    *,
    use_discriminators: bool,
    use_r1: bool = False,
) -> dict[str, Tensor]:
    """Terms of the discriminators, of features and of pixels, as far as recipe and stage have them.

    Args:
        fake: the images, in the order of ``inputs.photo``.
        use_discriminators: whether they take part; not during warm-up.
        use_r1: whether ``r1`` is computed in this step.
    """
    loss = context.recipe.loss
    augmentation = Augmentation(inputs.photo, rng) if loss.augment else None
    terms: dict[str, Tensor] = {}
    if use_discriminators:
        terms |= adversarial_terms(state, inputs, fake, augmentation, context, rng, use_r1=use_r1)
    terms |= feature_terms(state, inputs, fake, context, rng, use_semantic=use_discriminators)
    if loss.l1:
        terms["l1"] = (fake - inputs.photo).abs().mean()
    if loss.repetition:
        terms["repetition"] = repetition_loss(inputs.photo, fake)
    return terms
