//! ROS 2 messages and rosbag2 bags (MCAP), without middleware
