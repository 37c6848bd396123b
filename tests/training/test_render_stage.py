"""Training on simulator frames beside photos: what takes part, what is held, exact resume, and refusals."""

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from sflow_pipeline.config.recipe import Recipe
from sflow_pipeline.errors import TrainingError, UsageError
from sflow_pipeline.networks.features.efficientnet_lite import EfficientNetLiteFeatures
from sflow_pipeline.networks.features.perceptual import SqueezeNetFeatures
from sflow_pipeline.training.run.loop import TrainingProgress
from sflow_pipeline.training.step.render_terms import tone_loss
from sflow_pipeline.training.train import train

pytestmark = pytest.mark.usefixtures("one_thread")


class StopError(Exception):
    pass


@pytest.fixture
def recipe(change_recipe: Callable[..., Recipe]) -> Recipe:
    return change_recipe(
        generator={"use_palette": True, "use_appearance": True},
        discriminator={"semantic_width": 8, "projected_width": 8},
        loss={"repetition": 1.0, "statistics": 1.0, "kernel": 1.0},
        schedule={"crop_px": (48, 64), "render_batch_size": 2, "laplacian_images": 0, "joint_images": 8},
    )


@pytest.fixture
def weights(tmp_path: Path) -> dict[str, Path]:
    torch.manual_seed(0)
    files = {"perceptual": tmp_path / "squeezenet.safetensors", "projection": tmp_path / "efficientnet.safetensors"}
    for path, network in zip(files.values(), (SqueezeNetFeatures(), EfficientNetLiteFeatures()), strict=True):
        save_file(network.state_dict(), path)
    return files


def test_a_resumed_run_on_photos_and_renders_is_the_uninterrupted_one(
    recipe: Recipe, camvid: Path, street_dump: Path, weights: dict[str, Path], tmp_path: Path
) -> None:
    def run(out: Path, stop: int | None = None) -> dict[int, dict[str, float]]:
        terms: dict[int, dict[str, float]] = {}

        def on_progress(progress: TrainingProgress) -> None:
            terms[progress.images_seen] = progress.terms
            if stop is not None and progress.images_seen >= stop:
                raise StopError

        with contextlib.suppress(StopError):
            train(recipe, str(camvid), out, renders=[str(street_dump)], on_progress=on_progress, **weights)
        return terms

    straight = run(tmp_path / "straight")
    names = {"render_tone", "render_content", "render_semantic", "render_projected", "projected_discriminator"}
    names |= {"render_statistics", "render_kernel"}
    assert all(names <= terms.keys() for terms in straight.values())
    first, second = run(tmp_path / "resumed", stop=6), run(tmp_path / "resumed")
    assert min(second) == 6  # the checkpoint at 4 images, then the step to 6 once more
    assert first | second == straight
    ends = [load_file(max((tmp_path / name).glob("checkpoint-*.safetensors"))) for name in ("straight", "resumed")]
    assert ends[0].keys() == ends[1].keys()
    assert all(torch.equal(ends[0][key], ends[1][key]) for key in ends[0])


def test_renders_alone_move_the_generator_by_their_terms(
    change_recipe: Callable[..., Recipe], recipe: Recipe, camvid: Path, street_dump: Path, tmp_path: Path
) -> None:
    """With every photo term off, tone is the only gradient, and it falls."""
    off = dict.fromkeys(("adversarial", "feature_matching", "perceptual", "repetition", "dned", "content"), 0.0)
    content = recipe.model_dump()
    content["discriminator"] |= {"semantic_width": 0, "projected_width": 0}
    content["loss"] |= off | {"tone": 1.0, "statistics": 0.0, "kernel": 0.0}
    content["schedule"] |= {"joint_images": 40, "decay_images": 0, "lr_generator": 2e-3}
    tones: list[float] = []
    train(
        Recipe.model_validate(content),
        str(camvid),
        tmp_path / "run",
        renders=[str(street_dump)],
        on_progress=lambda progress: tones.append(progress.terms["render_tone"]),
    )
    assert sum(tones[-5:]) < 0.7 * sum(tones[:5])


def test_chroma_counts_more_than_brightness() -> None:
    grey = torch.zeros(1, 3, 32, 32)
    brighter = tone_loss(grey, grey + 0.2)
    redder = tone_loss(grey, grey + torch.tensor([0.4, 0.1, 0.1]).view(1, 3, 1, 1))
    assert brighter < redder
    checks = torch.zeros(1, 3, 32, 32)
    checks[..., ::2, :], checks[..., 1::2, :] = 0.5, -0.5
    assert tone_loss(grey, checks) < 1e-6  # detail of brightness below a cell is free
    stripes = checks * torch.tensor([1.0, -0.5, 0.0]).view(1, 3, 1, 1)
    wide = stripes.repeat_interleave(2, dim=2)[..., :32, :]
    assert tone_loss(grey, wide) > 0.05  # that of colour is not, from 2 px on


@pytest.mark.parametrize(
    ("changes", "renders", "message", "hint"),
    [
        ({}, False, "render_batch_size is 2, and there are no simulator frames", "--renders SIM_DIR"),
        ({"schedule": {"render_batch_size": 0}}, True, "render_batch_size is 0", "schedule.render_batch_size=2"),
        ({"generator": {"use_appearance": False}}, True, "no appearance map", "generator.use_appearance=true"),
        (
            {"schedule": {"render_batch_size": 0}, "loss": {"statistics": 10.0}},
            False,
            "loss.statistics is 10, and there are no simulator frames",
            "loss.statistics=0",
        ),
        (
            {"schedule": {"render_batch_size": 0}, "loss": {"statistics": 0.0, "kernel": 5.0}},
            False,
            "loss.kernel is 5, and there are no simulator frames",
            "loss.kernel=0",
        ),
    ],
    ids=["no frames", "no share", "no appearance", "no frames to compare", "no frames for the kernel"],
)
def test_frames_that_could_not_be_used_are_refused_before_any_step(
    recipe: Recipe,
    camvid: Path,
    street_dump: Path,
    weights: dict[str, Path],
    tmp_path: Path,
    changes: dict[str, dict[str, object]],
    renders: bool,
    message: str,
    hint: str,
) -> None:
    content = recipe.model_dump()
    for section, values in changes.items():
        content[section] |= values
    with pytest.raises(UsageError, match=message) as caught:
        train(
            Recipe.model_validate(content),
            str(camvid),
            tmp_path / "run",
            renders=[str(street_dump)] if renders else [],
            **weights,
        )
    assert hint in str(caught.value.hint)


def test_statistics_need_a_perceptual_network(
    recipe: Recipe, camvid: Path, street_dump: Path, weights: dict[str, Path], tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=r"loss\.statistics is 1, and there is no perceptual network") as caught:
        train(recipe, str(camvid), tmp_path / "run", renders=[str(street_dump)], projection=weights["projection"])
    assert "--perceptual" in str(caught.value.hint)


def test_a_projected_discriminator_needs_its_network(
    recipe: Recipe, camvid: Path, street_dump: Path, weights: dict[str, Path], tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match=r"projected_width is 8.*projection network") as caught:
        train(
            recipe,
            str(camvid),
            tmp_path / "run",
            renders=[str(street_dump)],
            perceptual=weights["perceptual"],
        )
    assert "--projection" in str(caught.value.hint)
