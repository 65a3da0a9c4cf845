"""LeRobot's side of the tests of data sets.

write DIR image|video    makes a data set of three episodes with LeRobot's own writer
read DIR                 opens one, and prints a line of JSON for each frame, and one about the whole
convert DIR OUT          makes v3.0 of v2.1 with images, with LeRobot's own functions
ffmpeg                   prints the path of the program that imageio-ffmpeg brings
"""

import json
import sys
from pathlib import Path

import numpy as np


def write(root, kind):
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    joints = {"dtype": "float32", "shape": (2,), "names": ["lift.pos", "turn.pos"]}
    features = {
        "observation.images.top": {
            "dtype": kind,
            "shape": (32, 48, 3),
            "names": ["height", "width", "channels"],
        },
        "observation.state": joints,
        "action": joints,
        "next.reward": {"dtype": "float32", "shape": (1,), "names": None},
    }
    dataset = LeRobotDataset.create(
        "local/test", fps=10, root=root, features=features, use_videos=kind == "video"
    )
    for episode in range(3):
        for frame in range(7 + episode):
            image = np.full((32, 48, 3), 20 * frame + 10, np.uint8)
            image[:, :, episode] = 200
            dataset.add_frame(
                {
                    "observation.images.top": image,
                    "observation.state": np.array([episode, 0.5 * frame], np.float32),
                    "action": np.array([episode, 0.5 * (frame + 1)], np.float32),
                    "next.reward": np.array([frame == 5], np.float32),
                    "task": "lift it",
                }
            )
        dataset.save_episode()
    dataset.finalize()


def read(root):
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    dataset = LeRobotDataset("local/test", root=root, video_backend="pyav")
    (camera,) = dataset.meta.camera_keys
    for number in range(len(dataset)):
        item = dataset[number]
        image = (item[camera] * 255).round().to(int).permute(1, 2, 0)
        row = {key: item[key].tolist() for key in item if hasattr(item[key], "tolist") and key != camera}
        row["image"] = image.flatten().tolist()
        row["task"] = item["task"]
        print(json.dumps(row))
    print(
        json.dumps(
            {
                "fps": dataset.fps,
                "episodes": dataset.num_episodes,
                "names": dataset.features["action"]["names"],
                "action_mean": dataset.meta.stats["action"]["mean"].tolist(),
            }
        )
    )


def convert(root, out):
    from lerobot.datasets.v30 import convert_dataset_v21_to_v30 as ours

    root, out = Path(root), Path(out)
    ours.convert_info(root, out, 100, 200)
    ours.convert_tasks(root, out)
    episodes = ours.convert_data(root, out, 100)
    ours.convert_episodes_metadata(root, out, episodes, None)


if __name__ == "__main__":
    if sys.argv[1] == "write":
        write(*sys.argv[2:])
    elif sys.argv[1] == "read":
        read(*sys.argv[2:])
    elif sys.argv[1] == "convert":
        convert(*sys.argv[2:])
    else:
        import imageio_ffmpeg

        print(imageio_ffmpeg.get_ffmpeg_exe())
