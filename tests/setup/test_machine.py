from pwgserve.setup.machine import web_servers
from pwgserve.setup.templates import WebServer

MASTER, WORKER, NEIGHBOUR = (0, 0), (4321, 4444), (5001, 5555)


def seen(folder, *processes, server=WebServer.NGINX):
    """The web server among processes: number, name, parent, and user and group."""
    proc, configuration = folder / "proc", folder / "etc"
    configuration.mkdir()
    for number, name, parent, (uid, gid) in processes:
        (proc / str(number)).mkdir(parents=True)
        ids = "".join(f"{what}:\t" + "\t".join([str(one)] * 4) + "\n" for what, one in (("Uid", uid), ("Gid", gid)))
        (proc / str(number) / "status").write_text(f"Name:\t{name}\nPPid:\t{parent}\n{ids}")
    (one,) = web_servers(folder / "www", proc, {server: configuration})
    return one


def test_the_group_is_that_of_the_workers_which_root_has_started(tmp_path):
    found = seen(tmp_path, (1, "systemd", 0, MASTER), (10, "nginx", 1, MASTER), (11, "nginx", 10, WORKER))
    assert (found.is_running, found.group) == (True, "4444")


def test_a_neighbour_who_calls_a_program_like_the_web_server_is_given_nothing(tmp_path):
    """The cache, with all private pictures in it, is the web server's group's to read."""
    own = [(10, "nginx", 1, MASTER), (11, "nginx", 10, WORKER)]
    theirs = [(9, "nginx", 1, NEIGHBOUR), (12, "nginx", 1, NEIGHBOUR), (13, "nginx", 12, NEIGHBOUR)]
    assert seen(tmp_path, *theirs, *own).group == "4444"


def test_a_neighbours_web_server_alone_is_none_of_the_machines(tmp_path):
    found = seen(tmp_path, (12, "nginx", 1, NEIGHBOUR), (13, "nginx", 12, NEIGHBOUR))
    assert not found.is_running
    assert found.group != "5555"


def test_a_server_that_is_one_process_has_an_account_of_the_system(tmp_path):
    processes = [(9, "caddy", 1, NEIGHBOUR), (10, "caddy", 1, (998, 4444)), (12, "caddy", 1, NEIGHBOUR)]
    assert seen(tmp_path, *processes, server=WebServer.CADDY).group == "4444"
