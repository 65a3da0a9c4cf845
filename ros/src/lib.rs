//! ROS 2 nodes and the latco command
