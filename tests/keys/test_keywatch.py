import asyncio
import shutil

from structlog.testing import capture_logs

from pwgserve.keys import keywatch
from pwgserve.keys.keys_file import load_or_create, rotated
from pwgserve.keys.keywatch import KeyWatch

LIFETIME = 100.0


async def test_keys_that_could_not_be_read_count_once_their_mode_is_mended(tmp_path, monkeypatch):
    """As when a backup was restored. What the log says to do changes neither the file's time nor its size."""
    monkeypatch.setattr(keywatch, "LOOK_SECONDS", 0.01)
    file, restored = tmp_path / "keys", tmp_path / "restored"
    watch = KeyWatch(file, load_or_create(file), lambda: LIFETIME)
    shutil.copy(file, restored)
    new = rotated(restored, LIFETIME, forget=True)
    restored.chmod(0o644)
    following = asyncio.create_task(watch.follow([]))
    with capture_logs() as log:
        restored.replace(file)
        await asyncio.sleep(0.3)
        assert watch.now.link_keys != new.link_keys
        assert [line["event"] for line in log] == ["keys-not-read"], "told once"
        file.chmod(0o600)
        async with asyncio.timeout(60):
            while watch.now.link_keys != new.link_keys:
                await asyncio.sleep(0.01)
    following.cancel()
