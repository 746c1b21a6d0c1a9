"""The proof from outside: nothing is found behind the configurations of deploy/, and every mistake is found."""

import json
import os
import ssl
import subprocess
import sys

import aiohttp
import pytest
from commands import Done, here
from deployment import Deployed
from family import LAKE


def checked(deployed: Deployed, *options: str) -> tuple[int, dict]:
    """Exit code and report of `pwgserve check --json`."""
    done = run(deployed, "--json", *options)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def command(deployed: Deployed, *options: str) -> list[str]:
    """The words behind `pwgserve`."""
    config = str(deployed.daemon.directory / "pwgserve.toml")
    return ["check", "--config", config, "--rate", "500", "--web-config", str(deployed.server.folder), *options]


def run(deployed: Deployed, *options: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "pwgserve", *command(deployed, *options)],
        capture_output=True,
        text=True,
        timeout=250,
        env={**os.environ, "SSL_CERT_FILE": str(deployed.server.authority)},
    )


def checked_here(deployed: Deployed, *options: str) -> tuple[int, dict]:
    """As `checked`, in this process: to start another takes as long as a check."""
    done = run_here(deployed, "--json", *options)
    return done.code, json.loads(done.out)


def run_here(deployed: Deployed, *options: str) -> Done:
    context = ssl.create_default_context(cafile=deployed.server.authority)
    with pytest.MonkeyPatch.context() as trusting:
        trusting.setattr(aiohttp.connector, "_SSL_CONTEXT_VERIFIED", context)  # made when aiohttp is loaded
        return here(*command(deployed, *options))


def test_nothing_leaks_behind_any_of_the_configurations(deployed):
    code, report = checked_here(deployed, "--photos", "4", "--also", f"http://localhost:{deployed.server.plain_port}/")
    assert report["leaks"] == [], json.dumps(report["leaks"], indent=1)
    assert report["unclear"] == [], json.dumps(report["unclear"], indent=1)
    assert [control["problem"] for control in report["controls"]] == ["", "", ""]
    assert (code, report["result"]) == (0, "closed")
    assert report["hidden_photos_tried"] == 4
    assert report["notes"] == [], "what lies between was tried, and not only read"
    assert sum(report["attempts_that_came_to_nothing"].values()) > 300
    assert report["requests"] < 1500


@pytest.mark.parametrize("deployed", ["nginx"], indirect=True)
def test_a_person_reads_what_is_closed_and_what_works(deployed):
    done = run(deployed, "--photos", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "closed   files below" in done.stdout
    assert "works    a public photo is shown" in done.stdout
    assert "All closed" in done.stdout


@pytest.mark.parametrize("deployed", ["nginx"], indirect=True)
def test_an_address_that_only_redirects_is_no_leak_and_is_named(deployed):
    plain = f"http://localhost:{deployed.server.plain_port}/photos/"
    code, report = checked(deployed, "--photos", "2", "--url", plain)
    assert (code, report["leaks"]) == (0, []), json.dumps(report["leaks"], indent=1)
    assert [note.partition(";")[0] for note in report["notes"]] == [
        f"server.public_url redirects to https://localhost:{deployed.server.port}"
    ]


@pytest.mark.parametrize("deployed", ["nginx"], indirect=True)
def test_a_check_that_cannot_be_made_says_why_in_one_line(deployed):
    for options in (
        ("--url", "https://localhost:1/photos/"),
        ("--url", "gallery.example.org"),
        ("--also", "gallery.example.org"),
        ("--photo", "999999"),
        ("--photo", str(LAKE)),
    ):
        done = run_here(deployed, *options)
        assert done.code == 2
        assert done.err.startswith("pwgserve: ")
        assert done.err.count("\n") == 1
        assert "certificate" not in done.err
    untrusted = subprocess.run(
        [sys.executable, "-m", "pwgserve", "check", "--config", str(deployed.daemon.directory / "pwgserve.toml")],
        capture_output=True,
        text=True,
        timeout=250,
    )
    assert untrusted.returncode == 2
    assert "certificate" in untrusted.stderr
