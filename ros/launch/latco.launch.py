"""The controller node.

ros2 launch latco latco.launch.py config:=/path/to/robot.toml namespace:=arm
"""

import os

from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node


def generate_launch_description():
    share = get_package_share_directory("latco")
    reach = os.path.join(share, "configs", "reach.toml")
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "config",
                default_value=reach,
                description="Configuration of the robot, TOML",
            ),
            DeclareLaunchArgument(
                "namespace", default_value="", description="Namespace of the node"
            ),
            DeclareLaunchArgument(
                "name", default_value="latco", description="Name of the node"
            ),
            DeclareLaunchArgument(
                "auto",
                default_value="true",
                description="Configure and activate at once; false waits for ros2 lifecycle set",
            ),
            Node(
                package="latco",
                executable="latco",
                arguments=[
                    "run",
                    "--config",
                    LaunchConfiguration("config"),
                    ["--auto=", LaunchConfiguration("auto")],
                ],
                name=LaunchConfiguration("name"),
                namespace=LaunchConfiguration("namespace"),
                output="screen",
                emulate_tty=True,
            ),
        ]
    )
