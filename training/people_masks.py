r"""Make the masks from which the network that finds people learns, by MediaPipe's models (Apache-2.0) as teachers.

python training/people_masks.py PHOTOGRAPHS MASKS

writes NAME.png for each photograph in which a face or a body is found, and for those in which the segmentation sees
nobody. It takes all that stands in front for a person where there is none: animals, chairs. Such photographs get no
mask. MediaPipe 0.10.21 is the last that comes with these models; it wants an older NumPy than the project, and so an
environment of its own: `pip install mediapipe==0.10.21`.
"""

import sys
from pathlib import Path

import cv2
import mediapipe
import numpy as np

# A mask with a smaller share of white is of a photograph without people.
EMPTY_SHARE_MAX = 0.01


def main() -> int:
    if len(sys.argv) != 3:
        sys.exit("people_masks: expected two folders, PHOTOGRAPHS and MASKS")
    source, target = map(Path, sys.argv[1:])
    target.mkdir(parents=True, exist_ok=True)
    solutions = mediapipe.solutions
    segmentation = solutions.selfie_segmentation.SelfieSegmentation(model_selection=0)  # 256x256, any shape
    faces = solutions.face_detection.FaceDetection(model_selection=1)  # near and far
    bodies = solutions.pose.Pose(static_image_mode=True, model_complexity=1)
    for path in sorted(source.iterdir()):
        picture = cv2.imread(str(path))
        if picture is None:
            continue
        rgb = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
        mask = segmentation.process(rgb).segmentation_mask
        is_empty = mask.mean() < EMPTY_SHARE_MAX
        if is_empty or faces.process(rgb).detections or bodies.process(rgb).pose_landmarks:
            cv2.imwrite(str(target / f"{path.stem}.png"), np.rint(mask * 255).astype(np.uint8))
    return 0


if __name__ == "__main__":
    sys.exit(main())
