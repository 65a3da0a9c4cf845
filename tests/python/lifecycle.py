"""Drives a managed controller node with rclpy, as the tools of ROS 2 do.

    lifecycle.py NAME GOOD_BUNDLE BAD_BUNDLE

The node NAME must be there, unconfigured. It is finalized at the end. Prints one line a step; an assertion that fails
says what was found.
"""

import sys
import time

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.msg import State, TransitionEvent
from lifecycle_msgs.srv import (
    ChangeState,
    GetAvailableStates,
    GetAvailableTransitions,
    GetState,
)
from rcl_interfaces.msg import Parameter, ParameterEvent, ParameterType, ParameterValue
from rcl_interfaces.srv import (
    DescribeParameters,
    GetParameters,
    GetParameterTypes,
    ListParameters,
    SetParameters,
    SetParametersAtomically,
)
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import DurabilityPolicy, QoSProfile
from std_msgs.msg import Float64MultiArray, String
from std_srvs.srv import Trigger

LONG = 60.0


def value(python):
    """A parameter value of the type of a Python value."""
    if python is None:
        return ParameterValue(type=ParameterType.PARAMETER_NOT_SET)
    if isinstance(python, bool):
        return ParameterValue(type=ParameterType.PARAMETER_BOOL, bool_value=python)
    if isinstance(python, int):
        return ParameterValue(type=ParameterType.PARAMETER_INTEGER, integer_value=python)
    if isinstance(python, float):
        return ParameterValue(type=ParameterType.PARAMETER_DOUBLE, double_value=python)
    return ParameterValue(type=ParameterType.PARAMETER_STRING, string_value=python)


class Operator:
    def __init__(self, name, own_name="operator", beside=None):
        self.name = name
        self.node = rclpy.create_node(own_name)
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.node)
        if beside:
            self.executor.add_node(beside)
        self.clients = {}
        self.events, self.statuses, self.parameter_events = [], [], []
        self.reports = {}
        self.node.create_subscription(
            TransitionEvent, f"{name}/transition_event", self.events.append, 20
        )
        self.node.create_subscription(
            DiagnosticStatus, f"{name}/status", self.statuses.append, 10
        )
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self.report, 10)
        self.node.create_subscription(
            ParameterEvent, "/parameter_events", self.parameter_events.append, 10
        )

    def report(self, array):
        for status in array.status:
            self.reports[status.name.split(": ")[1]] = status

    def ask(self, service, kind, **fields):
        """The future of a call."""
        if service not in self.clients:
            client = self.node.create_client(kind, f"{self.name}/{service}")
            assert client.wait_for_service(LONG), f"no service {service}"
            self.clients[service] = client
        return self.clients[service].call_async(kind.Request(**fields))

    def call(self, service, kind, **fields):
        future = self.ask(service, kind, **fields)
        self.executor.spin_until_future_complete(future, timeout_sec=LONG)
        assert future.done(), f"no answer from {service}"
        return future.result()

    def until(self, what, look, limit=LONG):
        end = time.monotonic() + limit
        while time.monotonic() < end:
            found = look()
            if found:
                return found
            self.executor.spin_once(timeout_sec=0.05)
        raise AssertionError(f"{what}: not within {limit} s; {self.reports}")

    def transition(self, id=0, label=""):
        request = ChangeState.Request()
        request.transition.id = id
        request.transition.label = label
        return {"transition": request.transition}

    def change(self, label="", id=0):
        return self.call("change_state", ChangeState, **self.transition(id, label)).success

    def state(self):
        state = self.call("get_state", GetState).current_state
        return state.id, state.label

    def is_in(self, label):
        expected = getattr(State, "PRIMARY_STATE_" + label.upper())
        assert self.state() == (expected, label), self.state()

    def get(self, *names):
        return self.call("get_parameters", GetParameters, names=list(names)).values

    def set(self, **values):
        parameters = [
            Parameter(name=name.replace("__", "."), value=value(v)) for name, v in values.items()
        ]
        return self.call("set_parameters", SetParameters, parameters=parameters).results

    def set_all(self, **values):
        parameters = [
            Parameter(name=name.replace("__", "."), value=value(v)) for name, v in values.items()
        ]
        answer = self.call(
            "set_parameters_atomically", SetParametersAtomically, parameters=parameters
        )
        return answer.result

    def trigger(self, service):
        answer = self.call(service, Trigger)
        assert answer.success, answer
        return answer.message

    def diagnosis(self, subject, level, words):
        """Waits until /diagnostics says this of a subject."""
        level = bytes([level]) if isinstance(level, int) else level

        def look():
            status = self.reports.get(subject)
            return status and status.level == level and words in status.message and status

        return self.until(f"{subject} {words}", look)

    def takes_event(self, *expected):
        """The transitions that were announced since the last call, by id and states."""
        self.until(f"events {expected}", lambda: len(self.events) >= len(expected))
        found = [
            (e.transition.id, e.start_state.label, e.goal_state.label) for e in self.events
        ]
        self.events.clear()
        assert found == list(expected), found


def graph(operator):
    operator.call("get_state", GetState)
    node = operator.node
    full = operator.name
    namespace, _, short = full.rpartition("/")
    nodes = operator.until(
        "node name",
        lambda: [n for n in node.get_node_names_and_namespaces() if n[0] == short],
    )
    assert nodes == [(short, namespace or "/")], nodes
    topics = dict(node.get_topic_names_and_types())
    for topic, kind in {
        f"{full}/status": "diagnostic_msgs/msg/DiagnosticStatus",
        f"{full}/transition_event": "lifecycle_msgs/msg/TransitionEvent",
        "/diagnostics": "diagnostic_msgs/msg/DiagnosticArray",
        "/parameter_events": "rcl_interfaces/msg/ParameterEvent",
    }.items():
        assert kind in topics.get(topic, []), (topic, topics)
    expected = {
        f"{full}/change_state": "lifecycle_msgs/srv/ChangeState",
        f"{full}/get_state": "lifecycle_msgs/srv/GetState",
        f"{full}/get_available_states": "lifecycle_msgs/srv/GetAvailableStates",
        f"{full}/get_available_transitions": "lifecycle_msgs/srv/GetAvailableTransitions",
        f"{full}/get_transition_graph": "lifecycle_msgs/srv/GetAvailableTransitions",
        f"{full}/describe_parameters": "rcl_interfaces/srv/DescribeParameters",
        f"{full}/get_parameter_types": "rcl_interfaces/srv/GetParameterTypes",
        f"{full}/get_parameters": "rcl_interfaces/srv/GetParameters",
        f"{full}/list_parameters": "rcl_interfaces/srv/ListParameters",
        f"{full}/set_parameters": "rcl_interfaces/srv/SetParameters",
        f"{full}/set_parameters_atomically": "rcl_interfaces/srv/SetParametersAtomically",
        f"{full}/estop": "std_srvs/srv/Trigger",
        f"{full}/reset": "std_srvs/srv/Trigger",
    }

    def services():
        found = dict(node.get_service_names_and_types_by_node(short, namespace or "/"))
        return all(kind in found.get(name, []) for name, kind in expected.items())

    operator.until("services by node", services)
    print("names: node, topics and services as tools list them", flush=True)


def machine(operator):
    states = operator.call("get_available_states", GetAvailableStates).available_states
    found = {s.label: s.id for s in states}
    for label in ("unknown", "unconfigured", "inactive", "active", "finalized"):
        assert found[label] == getattr(State, "PRIMARY_STATE_" + label.upper()), found
    for label in (
        "configuring",
        "cleaningup",
        "shuttingdown",
        "activating",
        "deactivating",
        "errorprocessing",
    ):
        assert found[label] == getattr(State, "TRANSITION_STATE_" + label.upper()), found
    assert len(states) == 11
    # The reference: a managed node of rcl_lifecycle in this process.
    reference = LifecycleNode("reference")
    other = Operator("/reference", "reference_operator", reference)
    pairs = [
        ("get_available_states", GetAvailableStates),
        ("get_available_transitions", GetAvailableTransitions),
        # A reply that does not fit into one packet.
        ("get_transition_graph", GetAvailableTransitions),
    ]
    for service, kind in pairs:
        ours, theirs = operator.call(service, kind), other.call(service, kind)
        assert ours == theirs, (service, ours, theirs)
    reference.destroy_node()
    now = operator.call("get_available_transitions", GetAvailableTransitions)
    labels = [(t.transition.id, t.transition.label) for t in now.available_transitions]
    assert labels == [(1, "configure"), (5, "shutdown")], labels
    for wrong in ({"label": "activate"}, {"id": 3}, {"id": 77}, {"label": "fly"}, {}):
        assert not operator.change(**wrong), wrong
    assert not operator.change("shutdown", id=1), "id and label contradict each other"
    operator.is_in("unconfigured")
    operator.takes_event()
    for service in ("estop", "reset"):
        operator.trigger(service)
    print("state machine: states, graph, wrong requests refused", flush=True)


def failed_configure(operator, bad):
    (result,) = operator.set(bundle__path=bad)
    assert result.successful, result.reason
    assert not operator.change("configure")
    operator.is_in("unconfigured")
    operator.takes_event(
        (1, "unconfigured", "configuring"),
        (12, "configuring", "errorprocessing"),
        (60, "errorprocessing", "unconfigured"),
    )
    status = operator.diagnosis("lifecycle", 2, "configure failed")
    assert bad in status.message, status.message
    operator.until(
        "reason in status",
        lambda: [s for s in operator.statuses if bad in s.message and s.level == b"\x02"],
    )
    print("a failed configure: errorprocessing, unconfigured, reason", flush=True)


def configure(operator, good):
    (result,) = operator.set(bundle__path=good)
    assert result.successful, result.reason
    asked = operator.ask("change_state", ChangeState, **operator.transition(label="configure"))
    seen = set()
    refused = 0
    end = time.monotonic() + LONG
    while not asked.done():
        assert time.monotonic() < end, f"configure is not answered; states {sorted(seen)}"
        seen.add(operator.state()[1])
        # At the beginning only: near the end it may be inactive already.
        if refused < 2:
            refused += not operator.change("activate")
        # A pause without requests: the executor takes replies in the order in which their clients were made, so those
        # of get_state, asked for without one, would keep this one waiting for good.
        operator.executor.spin_until_future_complete(asked, timeout_sec=0.02)
    assert asked.result().success
    operator.is_in("inactive")
    assert "configuring" in seen, seen
    assert refused == 2
    operator.takes_event(
        (1, "unconfigured", "configuring"), (10, "configuring", "inactive")
    )
    print(f"configured; meanwhile states {sorted(seen)}, activate refused {refused} times", flush=True)


def parameters(operator):
    # What `ros2 param list` and `dump` ask for: replies in several packets.
    listed = operator.call("list_parameters", ListParameters).result
    assert len(listed.names) > 60 and "planner.latco.damping" in listed.names, listed
    assert len(operator.get(*listed.names)) == len(listed.names)
    described = operator.call("describe_parameters", DescribeParameters, names=listed.names)
    assert [d.name for d in described.descriptors] == list(listed.names), described
    listed = operator.call("list_parameters", ListParameters, prefixes=["robot", "timeouts"]).result
    assert {"robot.velocity_scale", "timeouts.camera_ms"} <= set(listed.names), listed
    assert all(name.startswith(("robot.", "timeouts.")) for name in listed.names), listed
    assert list(listed.prefixes) == ["robot", "timeouts"], listed
    assert operator.call("list_parameters", ListParameters, depth=1).result.names == ["use_sim_time"]
    kinds = operator.call(
        "get_parameter_types", GetParameterTypes, names=["planner.seed", "no.such"]
    ).types
    assert list(kinds) == [ParameterType.PARAMETER_INTEGER, ParameterType.PARAMETER_NOT_SET], kinds
    scale, seed, kind, nothing = (
        operator.call("describe_parameters", DescribeParameters, names=[name]).descriptors[0]
        for name in ("robot.velocity_scale", "planner.seed", "planner.kind", "no.such")
    )
    assert scale.floating_point_range[0].from_value == 0.01, scale
    assert "at once" in scale.additional_constraints, scale
    assert seed.type == ParameterType.PARAMETER_INTEGER and seed.description, seed
    assert "next configure" in seed.additional_constraints, seed
    assert "latco" in kind.additional_constraints, kind
    assert nothing.type == ParameterType.PARAMETER_NOT_SET, nothing

    (result,) = operator.set(robot__velocity_scale=2.0)
    assert not result.successful and "0.01 to 1" in result.reason, result
    (result,) = operator.set(robot__velocity_scale="fast")
    assert not result.successful and 'a number from 0.01 to 1, found "fast"' in result.reason, result
    (result,) = operator.set(no__such=1)
    assert not result.successful and "no such parameter" in result.reason, result
    (result,) = operator.set(planner__seed=7)
    assert not result.successful and "deactivate first" in result.reason, result
    result = operator.set_all(robot__velocity_scale=0.5, timeouts__camera_ms=-1.0)
    assert not result.successful and "timeouts.camera_ms" in result.reason, result
    assert operator.get("robot.velocity_scale")[0].double_value == 1.0, "nothing changed"
    operator.parameter_events.clear()
    result = operator.set_all(robot__velocity_scale=0.5, planner__budget_ms=40)
    assert result.successful, result.reason
    scale, budget = operator.get("robot.velocity_scale", "planner.budget_ms")
    assert (scale.double_value, budget.double_value) == (0.5, 40.0)
    changed = operator.until("parameter event", lambda: operator.parameter_events)[0]
    names = [p.name for p in changed.changed_parameters]
    assert names == ["robot.velocity_scale", "planner.budget_ms"], names
    print("parameters: described, refused with reasons, set together", flush=True)


def mismatches(operator):
    """Peers that cannot hear are named with the reason."""
    deaf = operator.node.create_subscription(
        Float64MultiArray,
        "commands",
        lambda _: None,
        QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL),
    )
    operator.until(
        "incompatible durability",
        lambda: "Durability" in operator.reports["executor"].message and operator.reports["executor"],
    )
    operator.node.destroy_subscription(deaf)
    other = operator.node.create_publisher(String, "joint_states", 1)
    status = operator.diagnosis("joint states", 2, "message type")
    assert any(v.key == "mismatch" for v in status.values), status
    operator.node.destroy_publisher(other)
    print("diagnostics: incompatible peers are named", flush=True)


def active(operator):
    assert operator.change("activate")
    operator.is_in("active")
    operator.takes_event((3, "inactive", "activating"), (30, "activating", "active"))
    subjects = {"camera", "joint states", "planner", "executor", "middleware", "lifecycle"}
    operator.until("all subjects", lambda: subjects <= set(operator.reports))
    operator.diagnosis("camera", 3, "nobody publishes")
    operator.diagnosis("middleware", 0, "")
    parameters(operator)
    mismatches(operator)
    operator.trigger("estop")
    operator.until(
        "emergency stop in the heartbeat",
        lambda: operator.statuses and operator.statuses[-1].message == "stopped: emergency_stop",
    )
    assert operator.change(id=4)
    operator.is_in("inactive")
    operator.takes_event((4, "active", "deactivating"), (40, "deactivating", "inactive"))
    assert not operator.change("activate"), "the emergency stop is latched"
    operator.takes_event((3, "inactive", "activating"), (31, "activating", "inactive"))
    operator.trigger("reset")
    assert operator.change("activate", id=3)
    operator.takes_event((3, "inactive", "activating"), (30, "activating", "active"))
    assert operator.change("deactivate")
    operator.takes_event((4, "active", "deactivating"), (40, "deactivating", "inactive"))
    print("active: emergency stop, reset, diagnostics", flush=True)


def main():
    name, good, bad = sys.argv[1:]
    rclpy.init()
    operator = Operator(name)
    operator.is_in("unconfigured")
    graph(operator)
    machine(operator)
    failed_configure(operator, bad)
    configure(operator, good)
    active(operator)
    (result,) = operator.set(planner__seed=7)
    assert result.successful, "inactive: for the next configure"
    assert operator.change("cleanup")
    operator.is_in("unconfigured")
    operator.takes_event((2, "inactive", "cleaningup"), (20, "cleaningup", "unconfigured"))
    assert operator.change("configure")
    assert operator.change("activate")
    operator.takes_event(
        (1, "unconfigured", "configuring"),
        (10, "configuring", "inactive"),
        (3, "inactive", "activating"),
        (30, "activating", "active"),
    )
    assert operator.change("shutdown")
    operator.takes_event((7, "active", "shuttingdown"), (50, "shuttingdown", "finalized"))
    print("cleanup, again, shutdown while active", flush=True)
    operator.until(
        "last heartbeat", lambda: operator.statuses and operator.statuses[-1].message == "ended"
    )
    rclpy.shutdown()


main()
