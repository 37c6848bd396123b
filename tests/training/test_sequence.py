"""Training of a generator that paints frames in order: its terms, exact resume, what it learns to use, refusals."""

import contextlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from sflow_pipeline.bundle import build_random_bundle, load_bundle
from sflow_pipeline.config.recipe import Recipe
from sflow_pipeline.errors import TrainingError, UsageError
from sflow_pipeline.training.run.loop import TrainingProgress
from sflow_pipeline.training.train import train

pytestmark = pytest.mark.usefixtures("one_thread")

IMAGES = 6


class StopError(Exception):
    pass


@pytest.fixture
def recipe(change_recipe: Callable[..., Recipe]) -> Recipe:
    return change_recipe(
        generator={"use_palette": True, "use_previous": True},
        discriminator={"sequence_width": 8},
        loss={"l1": 1.0},
        data={"sources": [{"video": True}]},
        schedule={
            "crop_px": (32, 48), "scale": (1.0, 1.0), "pair_batch_size": 1, "laplacian_images": 0,
            "joint_images": IMAGES, "warmup_images": 2,
        },
    )  # fmt: skip


def test_later_images_and_sequences_are_judged_after_the_warm_up_and_a_resumed_run_is_the_uninterrupted_one(
    recipe: Recipe, camvid: Path, tmp_path: Path
) -> None:
    def run(out: Path, stop: int | None = None) -> dict[int, dict[str, float]]:
        terms: dict[int, dict[str, float]] = {}

        def on_progress(progress: TrainingProgress) -> None:
            terms[progress.images_seen] = progress.terms
            if stop is not None and progress.images_seen >= stop:
                raise StopError

        with contextlib.suppress(StopError):
            train(recipe, str(camvid), out, on_progress=on_progress)
        return terms

    straight = run(tmp_path / "straight")
    judged = {"sequence", "sequence_discriminator", "later_gan", "later_discriminator", "later_feature_matching"}
    assert not judged & straight[2].keys()
    assert "later_l1" in straight[2]
    assert judged <= straight[4].keys()
    first, second = run(tmp_path / "resumed", stop=4), run(tmp_path / "resumed")
    assert first | second == straight
    ends = [load_file(max((tmp_path / name).glob("checkpoint-*.safetensors"))) for name in ("straight", "resumed")]
    assert any(key.startswith("sequence_discriminator/") for key in ends[0])
    assert all(torch.equal(ends[0][key], ends[1][key]) for key in ends[0])

    bundle = load_bundle(tmp_path / "straight" / "bundle")
    assert bundle.recipe.generator.use_previous
    frames = np.random.default_rng(0).integers(0, 256, (2, 32, 48, 3), np.uint8)
    assert bundle.paint(frames, np.zeros((2, 32, 48), np.uint8), device="cpu").shape == frames.shape


def test_the_sequence_discriminator_also_judges_frames_that_are_painted_independently(
    recipe: Recipe, camvid: Path, tmp_path: Path
) -> None:
    independent = recipe.model_copy(update={"generator": recipe.generator.model_copy(update={"use_previous": False})})
    terms: list[dict[str, float]] = []
    train(independent, str(camvid), tmp_path / "out", on_progress=lambda progress: terms.append(progress.terms))
    assert "sequence" in terms[-1]
    assert not any(name.startswith("later") for name in terms[-1])


def test_later_images_of_simulator_frames_are_judged_as_others_are(
    recipe: Recipe, camvid: Path, street_dump: Path, tmp_path: Path
) -> None:
    content = recipe.model_dump()
    content["generator"] |= {"use_appearance": True}
    content["schedule"] |= {"render_batch_size": 2, "render_pair_batch_size": 1, "joint_images": 2, "warmup_images": 0}
    terms: list[dict[str, float]] = []
    train(
        Recipe.model_validate(content), str(camvid), tmp_path / "out", renders=[str(street_dump)],
        on_progress=lambda progress: terms.append(progress.terms),
    )  # fmt: skip
    assert {"render_tone", "later_render_tone", "render_warp", "sequence"} <= terms[-1].keys()
    assert terms[-1]["later_render_tone"] > 0


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"generator": {"use_previous": True}}, r"generator\.use_previous is true"),
        ({"discriminator": {"sequence_width": 8}}, r"discriminator\.sequence_width is 8"),
    ],
)
def test_what_needs_pairs_is_refused_without(
    sections: dict[str, dict[str, object]],
    words: str,
    change_recipe: Callable[..., Recipe],
    camvid: Path,
    tmp_path: Path,
) -> None:
    with pytest.raises(UsageError, match=f"{words}, and batches have no pairs of photos") as caught:
        train(change_recipe(**sections), str(camvid), tmp_path / "out")
    assert "schedule.pair_batch_size=1" in str(caught.value.hint)


def test_a_bundle_of_the_other_kind_is_no_start_and_no_teacher(
    recipe: Recipe, change_recipe: Callable[..., Recipe], camvid: Path, tmp_path: Path
) -> None:
    independent = recipe.model_copy(update={"generator": recipe.generator.model_copy(update={"use_previous": False})})
    with pytest.raises(TrainingError, match="generator is"):
        train(recipe, str(camvid), tmp_path / "a", start=build_random_bundle(tmp_path / "frames", 0, independent))
    follower = change_recipe(
        generator={"use_palette": True, "use_appearance": True}, loss={"teacher": 1.0}, schedule={"joint_images": 4}
    )
    with pytest.raises(TrainingError, match="paints from the image before"):
        train(follower, str(camvid), tmp_path / "b", teacher=build_random_bundle(tmp_path / "sequences", 0, recipe))
