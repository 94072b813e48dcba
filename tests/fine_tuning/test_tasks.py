"""The executable tasks: each can be solved and is not solved by nothing, and an answer harms nobody."""

from collections import Counter

import pytest

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
        "    while True:\n        pass\n",
        "    import os\n    os.fork()\n    return max(low, min(high, value))\n",
        "    kept = [bytes(2**20) for _ in range(2**12)]\n    return max(low, min(high, value))\n",
        "    import socket\n    socket.socket()\n    return max(low, min(high, value))\n",
        "    open('left', 'w').write('x')\n    return max(low, min(high, value))\n",
        "    import subprocess\n    subprocess.run(['true'])\n    return max(low, min(high, value))\n",
    ],
    ids=["wrong", "no Python", "leaves", "endless", "forks", "eats memory", "network", "writes", "starts a program"],
)
def test_wrong_and_harmful_answers_do_not_pass(body: str) -> None:
    (clamp,) = [task for task in TASKS if task.name == "clamp"]
    assert not clamp.check(body).passed


def test_an_answer_ends_where_the_function_does() -> None:
    assert function_body("    return 1\n\n\ndef other():\n    pass\n") == "    return 1\n\n\n"
    assert function_body("    return 1") == "    return 1"
