#!/usr/bin/env bash
# The next part of a bundle in a fixed time on a lent machine: trains, stops at a checkpoint, exports the bundle.
# Run it again with the same folders to go on. The machine needs this package, the packed data and nothing else.
#
#   tools/train_part.sh DATA WEIGHTS RUN [MINUTES] [--set KEY=VALUE ...]
#
# DATA     from tools/pack_training_data.py: photo folders 0, 1 ..., and simulator frames in renders/ if there are any
# WEIGHTS  folder with squeezenet1_0_imagenet.safetensors and efficientnet_lite0_imagenet.safetensors
# RUN      checkpoints, samples and the bundle
set -euo pipefail
data=$1 weights=$2 run=$3 minutes=${4:-12}
shift $(($# < 4 ? $# : 4))

folders=()
for folder in "$data"/[0-9]*/; do folders+=(--data "$folder"); done
stage=(--set schedule.render_batch_size=0)
if [ -d "$data/renders" ]; then
  stage=(--renders "$data/renders" --set schedule.render_batch_size=8 --set schedule.palette_share=0
    --set loss.tone=20 --set loss.content=5 --set loss.statistics=10 --set loss.semantic=1.5 --set loss.projected=2
    --set loss.repetition=1)
fi

exec "${PYTHON:-python}" -m sflow_pipeline train sflow "${folders[@]}" "${stage[@]}" --out "$run" --minutes "$minutes" \
  --perceptual "$weights/squeezenet1_0_imagenet.safetensors" \
  --projection "$weights/efficientnet_lite0_imagenet.safetensors" --start-from "${START_FROM:-sflow}" \
  --set generator.use_appearance=true --set discriminator.projected_width=64 \
  --set schedule.laplacian_images=0 --set schedule.warmup_images=0 --set schedule.joint_images=60000 \
  --set schedule.decay_images=10000 --set schedule.batch_size=8 --set schedule.crop_px='[320, 448]' \
  --set schedule.frame_width_px='[480, 1920]' --set segmenter.images=0 "$@"
