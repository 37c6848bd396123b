"""How much faster the compact generator paints than the one of the paper."""

import time
from statistics import median

from measurement import Measurement, Options

SIZE_PX = (512, 256)


def measure(options: Options) -> list[Measurement]:
    """CPU seconds per frame of the resnet generator (64 channels, 9 blocks) divided by the compact one's, in turns.

    One thread, random weights in the shapes of the shipped recipe, the precision that ``Translator`` would choose.
    """
    import torch

    from sflow_pipeline.bundle import DEFAULT_BUNDLE, find_model
    from sflow_pipeline.config.network_recipes import GeneratorRecipe
    from sflow_pipeline.config.recipe import load_recipe
    from sflow_pipeline.label_spaces import load_label_space
    from sflow_pipeline.networks.device import place_network, resolve_device
    from sflow_pipeline.networks.generators.generator import build_generator
    from sflow_pipeline.tensors import build_semantic_map

    device = resolve_device("cpu")
    dtype = device.dtype
    classes = load_label_space("camvid11").num_classes
    shipped = load_recipe(find_model(DEFAULT_BUNDLE, "recipe.yaml")).generator
    recipes = {"compact": shipped, "resnet": GeneratorRecipe(kind="resnet", width=64, blocks=9)}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            networks, semantic = {}, {}
            class_index = torch.randint(classes, (1, SIZE_PX[1], SIZE_PX[0]), dtype=torch.uint8)
            colors = torch.rand(1, 3, SIZE_PX[1], SIZE_PX[0])
            for kind, recipe in recipes.items():
                network = build_generator(recipe, classes).eval().requires_grad_(False)
                networks[kind] = place_network(network, "cpu", dtype)
                shown = colors if recipe.use_palette else None
                semantic[kind] = build_semantic_map(class_index, classes, dtype, palette_map=shown)
            edge = (torch.rand(1, 1, SIZE_PX[1], SIZE_PX[0]) > 0.9).to(dtype)

            def paint(kind: str, frames: int) -> float:
                started = time.thread_time()
                for _ in range(frames):
                    networks[kind](semantic[kind], edge)
                return (time.thread_time() - started) / frames

            frames = options.frames or 8
            for kind in networks:
                paint(kind, 1)
            pairs = [(paint("compact", frames), paint("resnet", 1)) for _ in range(options.repeats or 3)]
    finally:
        torch.set_num_threads(threads)
    details = {
        "compact_s": median(p[0] for p in pairs),
        "resnet_s": median(p[1] for p in pairs),
        "precision": device.precision,
    }
    ratio = median(resnet_s / compact_s for compact_s, resnet_s in pairs)
    return [Measurement("compact generator / resnet generator", ratio, goal=("at least", 15), details=details)]
