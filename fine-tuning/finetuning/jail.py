"""What runs in the sandbox's process: tie its own hands, then run an answer. Started by path; standard library only.

Reads JSON (program, asserts, token) from standard input. Writes the token to what was standard output when every
assertion holds, before it a line that says whether the network is away by a namespace.
"""

import json
import os
import resource
import sys
from typing import Any, Final

CPU_S: Final = 2
MEMORY_BYTES: Final = 256 * 2**20
OPEN_FILES: Final = 16
NEW_USER_NAMESPACE: Final = 0x10000000
NEW_NETWORK_NAMESPACE: Final = 0x40000000
DENIED: Final = (
    "ctypes.",
    "os.chmod",
    "os.chown",
    "os.exec",
    "os.fork",
    "os.kill",
    "os.link",
    "os.mkdir",
    "os.posix_spawn",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.symlink",
    "os.system",
    "os.truncate",
    "pty.",
    "shutil.",
    "socket.",
    "subprocess.",
)
DENIED_MODULES: Final = ("_ctypes", "_posixsubprocess", "_socket")


def leave_the_network() -> bool:
    """Move into a network namespace without interfaces; False where the kernel or the container forbids that."""
    import ctypes

    left: bool = ctypes.CDLL(None).unshare(NEW_USER_NAMESPACE | NEW_NETWORK_NAMESPACE) == 0
    for name in ("ctypes", "_ctypes"):
        del sys.modules[name]
    return left


def limit_resources() -> None:
    """CPU time, memory, no bytes into files, few open ones, no further processes (which root is not held to)."""
    limits = {
        resource.RLIMIT_CPU: CPU_S,
        resource.RLIMIT_AS: MEMORY_BYTES,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: OPEN_FILES,
        resource.RLIMIT_NPROC: 0,
        resource.RLIMIT_CORE: 0,
    }
    for kind, limit in limits.items():
        resource.setrlimit(kind, (limit, limit))


def deny(event: str, arguments: tuple[Any, ...]) -> None:
    """Audit hook: no sockets, no processes, no changes to files."""
    writes = event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    if writes or event.startswith(DENIED) or (event == "import" and arguments[0] in DENIED_MODULES):
        raise PermissionError(event)


def main() -> None:
    """Run the program, then its assertions; an exception or the kernel ends it early, and nothing is written."""
    task = json.load(sys.stdin)
    result = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.write(result, b"namespace\n" if leave_the_network() else b"hook\n")
    limit_resources()
    sys.addaudithook(deny)
    names: dict[str, Any] = {"__name__": "answer"}
    exec(compile(task["program"], "answer", "exec"), names)
    if all(eval(assertion, names) for assertion in task["asserts"]):
        os.write(result, task["token"].encode())


if __name__ == "__main__":
    main()
