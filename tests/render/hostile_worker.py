"""A worker that an attacker has taken over: it does not render, it tries everything that he would.

Started by the real pool in the place of the real worker, which it is but for `engine.render`; what it manages to do
comes back as the message of an UnrenderableError.
"""

import contextlib
import ctypes
import fcntl
import json
import mmap
import os
import resource
import signal
import socket
import sys
import termios
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pwgserve.render import engine, worker

libc = ctypes.CDLL(None, use_errno=True)
ATTEMPTS = {}
decoders = ThreadPoolExecutor(1)


def attempt(function):
    ATTEMPTS[function.__name__] = function
    return function


@attempt
def read_the_keys_file(target):
    return Path(target["keys"]).read_text()


@attempt
def read_a_photo_by_its_name(target):
    return os.open(target["photo"], os.O_RDONLY)


@attempt
def read_the_system(target):
    return Path("/etc/passwd").read_text()


@attempt
def list_a_folder(target):
    return os.listdir(target["folder"])


@attempt
def look_whether_a_file_is_there(target):
    return os.stat(target["keys"]).st_size


@attempt
def write_into_the_folder_of_photos(target):
    return Path(target["folder"], "planted.php").write_text("<?php")


@attempt
def write_somewhere(target):
    planted = Path(f"/tmp/planted-by-worker-{os.getpid()}")
    planted.write_text("x")
    with contextlib.suppress(OSError):
        planted.unlink()
    return "x"


@attempt
def remove_a_photo(target):
    os.unlink(target["photo"])


@attempt
def read_the_daemons_memory(target):
    return os.open(f"/proc/{target['daemon']}/mem", os.O_RDONLY)


@attempt
def read_the_daemons_memory_by_system_call(target):
    buffer = ctypes.create_string_buffer(64)
    vector = (ctypes.c_void_p * 2)(ctypes.addressof(buffer), 64)
    done = libc.process_vm_readv(target["daemon"], vector, 1, vector, 1, 0)
    return done if done >= 0 else _failed()


@attempt
def trace_the_daemon(target):
    return libc.ptrace(16, target["daemon"], 0, 0) == 0 or _failed()


@attempt
def end_the_daemon(target):
    os.kill(target["daemon"], 0)


@attempt
def end_a_thread_of_the_daemon(target):
    return libc.tgkill(target["daemon"], target["daemon"], 0) == 0 or _failed()


@attempt
def connect_to_the_database(target):
    with socket.socket() as connection:
        connection.connect(("127.0.0.1", target["port"]))


@attempt
def connect_to_a_unix_socket(target):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(target["socket"])


@attempt
def send_a_datagram(target):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"secret", ("127.0.0.1", target["port"]))


@attempt
def listen(target):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))


@attempt
def start_a_program(target):
    os.execv("/bin/true", ["true"])


@attempt
def start_a_program_from_memory(target):
    image = os.memfd_create("program")
    os.fexecve(image, ["x"], {}) if hasattr(os, "fexecve") else os.execve(image, ["x"], {})


@attempt
def start_a_process(target):
    _started(os.fork())


@attempt
def start_a_process_by_the_newer_call(target):
    # Nothing but the signal by which its end is told.
    asked = (ctypes.c_uint64 * 11)(0, 0, 0, 0, signal.SIGCHLD)
    _started(ctypes.PyDLL(None).syscall(435, asked, 88))


@attempt
def run_code_that_it_brought(target):
    with mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC):
        pass


@attempt
def take_more_memory_than_is_allowed(target):
    return len(bytearray(2 * target["memory"] + 100_000_000))


@attempt
def raise_its_limits(target):
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


@attempt
def open_a_new_world_of_its_own(target):
    return libc.unshare(0x10000000) == 0 or _failed()


@attempt
def mount_over_the_photos(target):
    return libc.mount(b"none", target["folder"].encode(), b"tmpfs", 0, None) == 0 or _failed()


@attempt
def be_somebody_else(target):
    os.setuid(0)


@attempt
def use_io_uring(target):
    return libc.syscall(425, 8, ctypes.create_string_buffer(256)) >= 0 or _failed()


@attempt
def load_a_program_into_the_kernel(target):
    return libc.syscall(321, 5, ctypes.create_string_buffer(128), 128) >= 0 or _failed()


@attempt
def send_a_signal_by_owning_a_descriptor(target):
    fcntl.fcntl(0, fcntl.F_SETOWN, target["daemon"])


@attempt
def keep_the_terminal_busy(target):
    fcntl.ioctl(0, termios.TIOCSTI, b"x")


@attempt
def start_a_thread_which_does_it(target):
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(read_the_keys_file, target).result()


@attempt
def let_a_thread_do_it_that_decoders_had_started(target):
    return decoders.submit(read_the_keys_file, target).result()


def _started(child):
    if child < 0:
        _failed()
    if child == 0:
        os._exit(0)
    with contextlib.suppress(PermissionError):  # it is there all the same
        os.waitpid(child, 0)


def _failed():
    raise PermissionError


def tried(target):
    results = {}
    for name, function in ATTEMPTS.items():
        if name in target.get("skipped", ()):
            continue
        try:
            results[name] = f"DONE: {function(target)!r}"[:60]
        except Exception as error:
            results[name] = type(error).__name__
    return results


def hostile_render(plan, source, output, watermark, limits, ask, shared):
    if plan.quality == signal.SIGSEGV:
        ctypes.string_at(0)
    target = json.loads(os.pread(source, 10_000, 0))
    os.pwrite(output, json.dumps(tried(target)).encode(), 0)


if __name__ == "__main__":
    engine.render, genuine = hostile_render, engine.render
    warm_up = engine.warm_up

    def genuine_warm_up():
        engine.render = genuine
        encodings = warm_up()
        decoders.submit(int).result()  # as libvips does, which keeps its threads
        engine.render = hostile_render
        return encodings

    engine.warm_up = genuine_warm_up
    sys.argv = sys.argv[:2]
    worker.main()
