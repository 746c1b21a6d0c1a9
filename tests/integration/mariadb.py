"""A private MariaDB server, or MySQL where only that is installed: own data folder, own port, gone at the end."""

import fcntl
import getpass
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pymysql
from ports import free_port

SHARED = "TESTS_OF_PWGSERVE"
"""The variable of the environment that names a folder which all processes of a run of tests share, if there is one."""

ADMIN = "tester"
"""A user who may do anything, from anywhere, without a password."""


def program(*names: str) -> str:
    """The first of the programs that is installed."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    for name in names:
        if found := shutil.which(name, path=path):
            return found
    raise FileNotFoundError(f"none of {names} is installed; run scripts/system-packages")


def _install(data: Path) -> None:
    options = ["--no-defaults", f"--datadir={data}", f"--user={getpass.getuser()}"]
    try:
        of_mariadb = ["--auth-root-authentication-method=normal", "--skip-test-db"]
        command = [program("mariadb-install-db", "mysql_install_db"), *options, *of_mariadb]
    except FileNotFoundError:
        command = [program("mysqld"), *options, "--initialize-insecure"]
    subprocess.run(command, check=True, capture_output=True)


class MariaDb:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = free_port()
        # Short, whatever the folder is called: a socket's path has room for 107 bytes.
        self._socket = Path(tempfile.mkdtemp(prefix="mariadb-")) / "s"
        self._process: subprocess.Popen[bytes] | None = None
        if SHARED in os.environ:
            self._copy(Path(os.environ[SHARED]))
        else:
            _install(directory / "data")

    def _copy(self, shared: Path) -> None:
        """Take the data folder that all servers begin with: to make one takes some seconds."""
        with (shared / "mariadb.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (shared / "mariadb").exists():
                _install(shared / "unfinished")
                (shared / "unfinished").rename(shared / "mariadb")
        copy = ["cp", "-a", "--sparse=always", str(shared / "mariadb"), str(self.directory / "data")]
        subprocess.run(copy, check=True, capture_output=True)

    def start(self) -> None:
        """Start it, or start it again on the same port. Another program may have taken the port at the first time."""
        for _ in range(5):
            if self._started():
                return
            self.port = free_port()
        raise AssertionError((self.directory / "log").read_text())

    def _started(self) -> bool:
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    program("mariadbd", "mysqld"),
                    "--no-defaults",
                    f"--datadir={self.directory / 'data'}",
                    f"--user={getpass.getuser()}",
                    "--bind-address=127.0.0.1",
                    f"--port={self.port}",
                    f"--socket={self._socket}",
                    f"--pid-file={self.directory / 'pid'}",
                    # Not waiting for the disk is faster; with 0 a server that is killed would forget its last second.
                    "--innodb-flush-log-at-trx-commit=2",
                    "--innodb-buffer-pool-size=32M",
                    "--skip-name-resolve",
                    "--skip-log-bin",
                    "--loose-mysqlx=0",  # MySQL's other port, which is the same for all servers
                ],
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + 120
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                self.execute(
                    f"CREATE USER IF NOT EXISTS {ADMIN}@'%'", f"GRANT ALL ON *.* TO {ADMIN}@'%' WITH GRANT OPTION"
                )
                return True
            except pymysql.err.OperationalError:
                time.sleep(0.1)
        return False

    def execute(self, *statements: str) -> None:
        """Run statements as the server's owner, over its socket: nothing else can answer there."""
        connection = pymysql.connect(unix_socket=str(self._socket), user="root", autocommit=True)
        with connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    @property
    def socket(self) -> Path:
        """Where its owner reaches it."""
        return self._socket

    def connect(
        self, user: str, password: str, database: str
    ) -> "pymysql.connections.Connection[pymysql.cursors.Cursor]":
        """A connection as one of its users, over TCP."""
        return pymysql.connect(host="127.0.0.1", port=self.port, user=user, password=password, database=database)

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(120)
            self._process = None

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(120)
            self._process = None
        shutil.rmtree(self._socket.parent, ignore_errors=True)
