"""The flow loss: pairs of consecutive frames, their motion, what is penalised, exact resume, and refusals."""

import contextlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from sflow_pipeline.config.recipe import Recipe
from sflow_pipeline.errors import ConfigError, TrainingError, UsageError
from sflow_pipeline.networks.device import Device
from sflow_pipeline.street import StreetSequence
from sflow_pipeline.training.data.crops import CropSampler, find_video_pairs
from sflow_pipeline.training.data.real_photos import load_real_photos, load_renders
from sflow_pipeline.training.run.loop import TrainingProgress
from sflow_pipeline.training.step.context import StepContext
from sflow_pipeline.training.step.flow_terms import flow_loss, measure_motion, render_pair_terms, warp_loss
from sflow_pipeline.training.step.state import build_state
from sflow_pipeline.training.train import train

pytestmark = pytest.mark.usefixtures("one_thread")


class StopError(Exception):
    pass


@pytest.fixture
def recipe(change_recipe: Callable[..., Recipe]) -> Recipe:
    return change_recipe(
        generator={"use_palette": True, "use_appearance": True},
        loss={"warp": 10.0, "flow": 0.1},
        data={"sources": [{"video": True}]},
        schedule={
            "crop_px": (48, 64), "scale": (1.0, 1.0), "pair_batch_size": 1, "render_batch_size": 2,
            "render_pair_batch_size": 1, "laplacian_images": 0, "joint_images": 8,
        },
    )  # fmt: skip


def as_photo(picture: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))[None].float() / 127.5 - 1


def draw_street(frames: int = 2) -> list[torch.Tensor]:
    street = StreetSequence(seed=5, sequence_index=0, frames=frames, size=(256, 128), look="camera")
    return [as_photo(frame.render) for frame in street.render_frames()]


def test_flicker_costs_and_what_moves_with_the_scene_does_not() -> None:
    before, after = draw_street()
    motion = measure_motion(before, after)
    assert 0.3 < float(motion.weight.mean()) < 1
    own = warp_loss(before, after, motion)
    tinted = warp_loss(before * 0.8 + 0.1, after * 0.8 + 0.1, motion)
    assert float(tinted) < float(own) * 1.01
    assert float(warp_loss(before, after + 0.1, motion)) > float(own) + 0.03
    grain = torch.rand(before.shape, generator=torch.Generator().manual_seed(0)) * 0.2
    on_screen = warp_loss(before + grain, after + grain, motion)
    assert float(on_screen) > float(own) + 0.02


def test_the_flow_loss_grows_with_motion_that_the_frames_do_not_have() -> None:
    before, after = draw_street()
    motion = measure_motion(before, after)
    moved = torch.roll(after, 2, dims=3)
    losses = [float(flow_loss(before, picture, motion.flow, motion.weight)) for picture in (after, moved)]
    assert losses[0] < 0.02
    assert losses[1] > losses[0] + 0.5


@pytest.mark.parametrize("kind", ["warp", "flow"])
def test_gradients_of_both_forms_reach_the_generator(
    kind: str, recipe: Recipe, camvid: Path, street_dump: Path, tmp_path: Path
) -> None:
    photos, _ = load_real_photos(str(camvid), recipe, tmp_path / "cache")
    renders = load_renders([str(street_dump)], recipe, tmp_path / "cache")
    context = StepContext.build(recipe, photos, Device("cpu"), None)
    state = build_state(recipe, None, "cpu")
    pairs = CropSampler(renders, recipe.schedule, 1, pair_batch_size=2).cut_pairs(0, 2)
    terms = render_pair_terms(state, pairs, context)
    terms[f"render_{kind}"].backward()
    gradients = [p.grad for p in state.generator.parameters() if p.grad is not None]
    assert gradients
    assert all(gradient.isfinite().all() for gradient in gradients)
    assert any((gradient != 0).any() for gradient in gradients)


def test_motion_of_simulator_frames_is_cut_scaled_and_mirrored_with_them(
    recipe: Recipe, street_dump: Path, tmp_path: Path
) -> None:
    """Along its motion the later crop shows the earlier one, whatever window, scale and mirroring was drawn."""
    schedule = recipe.schedule.model_copy(update={"scale": (0.8, 1.6)})
    renders = load_renders([str(street_dump)], recipe, tmp_path / "cache")
    pairs = CropSampler(renders, schedule, 3, pair_batch_size=1).cut_pairs(0, 40)
    assert pairs.motion is not None
    before, after = (pairs.frames.photo.float() / 127.5 - 1).chunk(2)
    motion = measure_motion(before, after, pairs.motion)
    still = measure_motion(before, after, torch.where(pairs.motion.isfinite(), 0, pairs.motion))
    wrong = measure_motion(before, after, pairs.motion * torch.tensor([-1.0, 1.0]).view(1, 2, 1, 1))
    visible = pairs.motion.isfinite().all(dim=1, keepdim=True).float()
    distances = [float(warp_loss(before, after, type(m)(m.flow, visible))) for m in (motion, still, wrong)]
    assert distances[0] < 0.7 * distances[1] < distances[2]


def test_only_consecutive_frames_of_videos_are_pairs(
    change_recipe: Callable[..., Recipe], camvid: Path, tmp_path: Path
) -> None:
    for number in (2, 5):
        for folder in ("train", "trainannot"):
            (camvid / folder / f"0001TP_{number:06d}.png").unlink()
    found = {}
    for is_video in (True, False):
        recipe = change_recipe(data={"sources": [{"video": is_video}], "holdout_fraction": 0.2})
        photos, _ = load_real_photos(str(camvid), recipe, tmp_path / "cache")
        found[is_video] = [tuple(photos.facts[i].frame for i in pair) for pair in find_video_pairs(photos)]
    assert found == {True: [(0, 1), (3, 4)], False: []}


def test_frames_of_different_sizes_are_no_pairs(
    change_recipe: Callable[..., Recipe], camvid: Path, tmp_path: Path
) -> None:
    for folder in ("train", "trainannot"):
        path = camvid / folder / "0001TP_000002.png"
        plane = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        assert plane is not None
        cv2.imwrite(str(path), plane[:40, :56])
    recipe = change_recipe(data={"sources": [{"video": True}], "holdout_fraction": 0.2})
    photos, _ = load_real_photos(str(camvid), recipe, tmp_path / "cache")
    found = {tuple(photos.facts[i].frame for i in pair) for pair in find_video_pairs(photos)}
    assert found == {(0, 1), (3, 4), (4, 5)}


def test_frames_without_flow_are_no_pairs(recipe: Recipe, street_dump: Path, tmp_path: Path) -> None:
    import shutil

    dump = tmp_path / "sim"
    shutil.copytree(street_dump, dump)
    shutil.rmtree(dump / "street_0001" / "flow")
    renders = load_renders([str(dump)], recipe, tmp_path / "cache")
    assert {renders.facts[i].sequence for i, _ in find_video_pairs(renders)} == {"render0:street_0000"}


def test_flow_of_another_size_is_refused(recipe: Recipe, street_dump: Path, tmp_path: Path) -> None:
    import shutil

    dump = tmp_path / "sim"
    shutil.copytree(street_dump, dump)
    path = dump / "street_0000" / "flow" / "000001.png"
    flow = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert flow is not None
    cv2.imwrite(str(path), flow[:24, :48])
    with pytest.raises(TrainingError, match=r"flow/000001.png: 48x24 px, its picture has 96x48"):
        load_renders([str(dump)], recipe, tmp_path / "cache")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda flow: -flow, "signs are reversed"),
        (lambda flow: flow / (128, 96), "its unit is the picture's width and height"),
    ],
)
def test_flow_of_another_direction_or_unit_is_refused(
    change: Callable[[np.ndarray], np.ndarray], text: str, recipe: Recipe, tmp_path: Path
) -> None:
    from sflow_pipeline.street.write_dump import write_sample_dump

    dump = tmp_path / "sim"
    write_sample_dump(dump, sequences=1, frames=4, size=(128, 96), seed=4, look="camera", workers=1)
    for path in dump.glob("*/flow/*.png"):
        samples = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        assert samples is not None
        np.save(path.with_suffix(".npy"), change((samples[..., :0:-1].astype(np.float64) - 32768) / 64))
        path.unlink()
    with pytest.raises(UsageError, match=text):
        load_renders([str(dump)], recipe, tmp_path / "cache")


def test_a_resumed_run_on_pairs_is_the_uninterrupted_one(
    recipe: Recipe, camvid: Path, street_dump: Path, tmp_path: Path
) -> None:
    def run(out: Path, stop: int | None = None) -> dict[int, dict[str, float]]:
        terms: dict[int, dict[str, float]] = {}

        def on_progress(progress: TrainingProgress) -> None:
            terms[progress.images_seen] = progress.terms
            if stop is not None and progress.images_seen >= stop:
                raise StopError

        with contextlib.suppress(StopError):
            train(recipe, str(camvid), out, renders=[str(street_dump)], on_progress=on_progress)
        return terms

    straight = run(tmp_path / "straight")
    assert all({"warp", "flow", "render_warp", "render_flow"} <= terms.keys() for terms in straight.values())
    first, second = run(tmp_path / "resumed", stop=6), run(tmp_path / "resumed")
    assert first | second == straight
    ends = [load_file(max((tmp_path / name).glob("checkpoint-*.safetensors"))) for name in ("straight", "resumed")]
    assert all(torch.equal(ends[0][key], ends[1][key]) for key in ends[0])


def test_pairs_do_not_change_what_is_drawn_for_the_photos(
    recipe: Recipe, camvid: Path, street_dump: Path, tmp_path: Path
) -> None:
    """With weights of zero a run with pairs is the run without them."""
    content = recipe.model_dump()
    content["loss"] |= {"warp": 0.0, "flow": 0.0}
    with_pairs = Recipe.model_validate(content)
    content["schedule"] |= {"pair_batch_size": 0, "render_pair_batch_size": 0}
    terms: dict[str, list[float]] = {}
    for name, chosen in (("with", with_pairs), ("without", Recipe.model_validate(content))):
        gans: list[float] = []
        train(
            chosen, str(camvid), tmp_path / name, renders=[str(street_dump)],
            on_progress=lambda progress, gans=gans: gans.append(progress.terms["gan"]),
        )  # fmt: skip
        terms[name] = gans
    assert terms["with"] == pytest.approx(terms["without"], rel=1e-4)


def test_losses_without_pairs_are_refused(change_recipe: Callable[..., Recipe], camvid: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"loss.warp is 3, and batches have no pairs"):
        train(change_recipe(loss={"warp": 3.0}), str(camvid), tmp_path / "out")


def test_pairs_without_video_are_refused(change_recipe: Callable[..., Recipe], camvid: Path, tmp_path: Path) -> None:
    recipe = change_recipe(loss={"warp": 3.0}, schedule={"pair_batch_size": 1})
    with pytest.raises(TrainingError, match="no --data folder has consecutive frames of a video") as caught:
        train(recipe, str(camvid), tmp_path / "out")
    assert "video: true" in str(caught.value.hint)


def test_a_weight_below_zero_is_refused(tmp_path: Path) -> None:
    from sflow_pipeline.config.recipe import load_recipe

    (tmp_path / "recipe.yaml").write_text("name: a\nloss: {warp: -1}\n")
    with pytest.raises(ConfigError, match=r"loss\.warp"):
        load_recipe(tmp_path)
