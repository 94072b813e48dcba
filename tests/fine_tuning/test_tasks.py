"""The executable tasks: each can be solved and is not solved by nothing, and an answer harms nobody."""

import socket
import subprocess
import sys
from collections import Counter

import pytest

from finetuning import sandbox
from finetuning.tasks import Task, function_body, tasks

TASKS = tasks()


def test_there_are_fifty_tasks_of_different_names() -> None:
    assert len(TASKS) == 50
    assert Counter(task.name for task in TASKS).most_common(1)[0][1] == 1
    assert all(f"def {task.name}(" in task.signature and len(task.asserts) >= 2 for task in TASKS)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_the_solution_passes_and_an_empty_body_does_not(task: Task) -> None:
    assert task.check(task.solved).passed
    assert not task.check("    pass\n").passed


@pytest.mark.parametrize(
    "body",
    [
        "    return value\n",
        "    return max(low, min(high, value)\n",
        "    raise SystemExit(0)\n",
        "    import os\n    os._exit(0)\n",
        "    import os\n    os.kill(os.getppid(), 0)\n    return max(low, min(high, value))\n",
        "    print('x' * 10**6)\n    return value\n",
        "    while True:\n        pass\n",
        "    import os\n    os.fork()\n    return max(low, min(high, value))\n",
        "    kept = [bytes(2**20) for _ in range(2**12)]\n    return max(low, min(high, value))\n",
        "    import socket\n    socket.socket()\n    return max(low, min(high, value))\n",
        "    open('left', 'w').write('x')\n    return max(low, min(high, value))\n",
        "    import subprocess\n    subprocess.run(['true'])\n    return max(low, min(high, value))\n",
    ],
    ids=[
        "wrong",
        "no Python",
        "leaves",
        "leaves at once",
        "signals",
        "prints",
        "endless",
        "forks",
        "eats memory",
        "network",
        "writes",
        "starts a program",
    ],
)
def test_wrong_and_harmful_answers_do_not_pass(body: str) -> None:
    (clamp,) = [task for task in TASKS if task.name == "clamp"]
    assert not clamp.check(body).passed


def test_an_answer_that_waits_is_ended_by_the_clock() -> None:
    assert not sandbox.run("import time\ntime.sleep(3600)\n", ["True"], wall_s=0.5).passed


def test_an_answer_reaches_nobody_who_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        program = f"import socket\nsocket.create_connection({server.getsockname()!r})\n"
        assert not sandbox.run(program, ["True"]).passed
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.accept()


def test_the_namespace_alone_leaves_no_way_out() -> None:
    """77: user namespaces are not allowed here, and the audit hook alone keeps the network away."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        program = (
            f"import sys; sys.path.insert(0, {str(sandbox.JAIL.parent)!r}); import jail, socket\n"
            "if not jail.leave_the_network(): sys.exit(77)\n"
            f"sys.exit(socket.socket().connect_ex({server.getsockname()!r}) == 0)"
        )
        code = subprocess.run([sys.executable, "-I", "-S", "-c", program], check=False).returncode
    assert (code, sandbox.run("", ["True"]).network) in ((0, "namespace"), (77, "hook"))


def test_an_answer_ends_where_the_function_does() -> None:
    assert function_body("    return 1\n\n\ndef other():\n    pass\n") == "    return 1\n\n\n"
    assert function_body("    return 1") == "    return 1"
