"""A folder for a while is gone when the block is left, and when its process was killed, by the next one's hand."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from headway.tables.scratch import scratch

HOLDS = """
import sys, time
from headway.tables.scratch import scratch
with scratch(sys.argv[1], "kind-") as folder:
    open(folder + "/spill", "w").close()
    print(folder, flush=True)
    time.sleep(100)
"""


def test_it_is_empty_and_gone_afterwards_also_when_the_work_fails(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), scratch(str(tmp_path), "kind-") as folder:  # noqa: PT012 - it must end within
        assert os.listdir(folder) == []
        Path(folder, "spill").touch()
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_taken_away_by_the_next(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", HOLDS, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    left = Path(process.stdout.readline().strip())
    with scratch(str(tmp_path), "kind-"):
        assert (left / "spill").exists()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert (left / "spill").exists()
    with scratch(str(tmp_path), "kind-") as folder:
        assert [str(path) for path in tmp_path.iterdir()] == [folder]


def test_what_another_has_in_hand_and_what_is_of_another_kind_stays(tmp_path: Path) -> None:
    (tmp_path / "other-1").mkdir()
    (tmp_path / "kind-file").touch()
    (tmp_path / "kind-link").symlink_to(tmp_path / "other-1")
    with scratch(str(tmp_path), "kind-") as one, scratch(str(tmp_path), "kind-") as other:
        assert os.path.isdir(one)
        assert one != other
    assert sorted(os.listdir(tmp_path)) == ["kind-file", "kind-link", "other-1"]
