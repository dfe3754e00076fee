"""Steps that misbehave: too much output, no output, unreadable reports, deaf to signals, gone in the middle."""

import os
import shutil
import subprocess
import threading
import time
from pathlib import Path

import pytest

from end_to_end.project import Project, finish
from headway.testing.processes import eventually, is_alive


def told(project: Project, step: str = "s") -> str:
    """Why the step of the newest run did not pass."""
    return str(project.shown()["steps"][step]["why"])


# --- outputs and inputs -----------------------------------------------------------------------------------------------


def test_a_declared_output_that_never_appears_fails_the_step(project: Project) -> None:
    project.pipeline("steps:\n  - {id: s, run: echo hi, out: {model: models/model.pkl}}\n  - {id: t, run: 'true'}\n")
    ended = project("run", expect=1)
    assert told(project) == (
        "it ended well, but its declared output models/model.pkl is not there (step s: out); "
        "let the step write it, or take it out of `out`"
    )
    assert told(project) in ended.err
    assert project.states() == {"s": "failed", "t": "skipped"}
    project.pipeline("steps:\n  - {id: s, run: mkdir -p models && echo hi > models/model.pkl, out: models/model.pkl}\n")
    project.is_usable()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_an_output_that_is_no_file_fails_the_step(project: Project) -> None:
    project.pipeline("steps:\n  - {id: s, run: rm -f out && mkfifo out, out: out}\n")
    project("run", expect=1)
    assert "is a pipe, a socket or a device" in told(project)


def test_an_input_changed_while_the_step_ran_passes_but_is_not_reused(project: Project) -> None:
    project.write("data", "1\n")
    project.pipeline(
        "steps:\n  - {id: s, run: cat data > out && echo new >> data && echo s >> ledger, in: data, out: out}\n"
    )
    ended = project("run")
    assert "not to be reused: data changed while it ran" in ended.err
    # The same inputs again: the result of the first run does not count.
    project.write("data", "1\n")
    project("run")
    assert project.ledger() == ["s", "s"]


def test_an_input_that_is_not_there_fails_the_step_before_it_starts(project: Project) -> None:
    project.pipeline("steps:\n  - {id: s, run: echo s >> ledger, in: [data/a.csv, 'data/*.json']}\n")
    ended = project("run", expect=1)
    assert "declared input not there: data/a.csv, data/*.json" in ended.err
    assert project.ledger() == []
    project.write("data/a.csv", "1")
    project.write("data/b.json", "1")
    project("resume")
    assert project.ledger() == ["s"]


# --- reports ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variable", "line", "problem"),
    [
        ("OUTPUT", "just words", "'just words' is not key=value (HEADWAY_OUTPUT, line 1); write key=value lines"),
        ("OUTPUT", "a<<END", "has no closing line END"),
        ("OUTPUT", "=3", "has no key"),
        ("METRICS", "auc=0.7", "(HEADWAY_METRICS, line 1)"),
        ("METRICS", '{"auc": "high"}', "auc is 'high', not a number"),
        ("METRICS", '{"name": "auc", "value": 1e999}', "HEADWAY_METRICS, line 1"),
    ],
)
def test_a_report_that_cannot_be_read_fails_the_step_and_names_the_line(
    project: Project, variable: str, line: str, problem: str
) -> None:
    project.write("line", line + "\n")
    project.pipeline(f"steps:\n  - {{id: s, run: cat line >> $HEADWAY_{variable}, in: line}}\n")
    ended = project("run", expect=1)
    assert problem in told(project)
    assert told(project) in ended.err
    project.write("line", "")
    project.is_usable()


def test_a_report_that_cannot_be_read_does_not_hide_why_a_step_failed(project: Project) -> None:
    project.pipeline("steps:\n  - {id: s, run: echo nonsense >> $HEADWAY_OUTPUT && exit 4}\n")
    project("run", expect=1)
    assert told(project) == "exit code 4"


def test_a_broken_test_report_is_said(project: Project) -> None:
    project.pipeline("steps:\n  - {id: s, run: echo '<testsuite><testc' > report.xml, tests: report.xml}\n")
    project("run", expect=1)
    assert "report.xml, line 1" in told(project)


# --- commands ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["no-such-program --x", "no-such-program | cat", "no-such-program; true"])
def test_a_program_that_is_not_found_ends_with_127_and_the_shells_message(project: Project, command: str) -> None:
    project.pipeline(f"steps:\n  - {{id: s, run: {command}}}\n")
    ended = project("run", expect=1)
    assert told(project) == "exit code 127"
    assert "no-such-program: command not found" in ended.err
    assert project.shown()["steps"]["s"]["exit_code"] == 127


def test_a_fault_of_a_step_type_that_shows_only_in_the_run_names_the_file_and_the_step(project: Project) -> None:
    project.write("params.yaml", "name: [1, 2]\n")
    project.write("model.pkl", "m")
    project.write(
        "other.yaml",
        """
        params: params.yaml
        steps:
          - {id: reg, uses: register, with: {model: model.pkl, name: "${{ params.name }}"}}
        """,
    )
    project("run", "other.yaml", expect=1)
    assert "other.yaml: step reg" in project("logs", "1", "reg").out


def test_a_shell_that_is_not_installed_is_said(project: Project) -> None:
    project.pipeline("steps:\n  - {id: s, run: x, shell: no-such-shell -c}\n")
    project("run", expect=1)
    assert "there is no command 'no-such-shell'" in told(project)


def test_a_step_killed_by_a_signal_says_which(project: Project) -> None:
    project.pipeline("steps:\n  - {id: s, run: kill -KILL $$}\n")
    project("run", expect=1)
    assert told(project) == "exit code 137 (killed by signal 9)"


def test_a_step_that_reads_its_input_finds_an_end(project: Project) -> None:
    project.pipeline("steps:\n  - {id: s, run: cat > got}\n")
    project("run")
    assert project.read("got") == ""


def test_a_step_that_leaves_something_in_the_background_ends_all_the_same(project: Project) -> None:
    project.pipeline("steps:\n  - {id: s, run: 'sleep 600 & echo $! > pid'}\n")
    project("run")
    # It ended, and what it left goes on: nobody waited for it.
    os.kill(int(project.read("pid")), 9)


def test_what_the_background_prints_later_is_in_no_log_of_another_step_and_harms_no_blob(project: Project) -> None:
    project.pipeline("""
        steps:
          - {id: loud, run: "(sleep 0.4; echo late) & echo now"}
          - {id: quiet, run: "(sleep 0.4; echo later) &"}
          - {id: next, run: sleep 0.6; echo next}
    """)
    project("run")
    assert project("logs", "1", "loud").out == "now\n"
    assert project("logs", "1", "quiet").out == ""
    assert project("logs", "1", "next").out == "next\n"


def test_output_of_any_bytes_is_kept_as_it_was(project: Project) -> None:
    project.write("data.bin", "")
    data = bytes(range(256)) * 4 + b"no line end"
    (project.folder / "data.bin").write_bytes(data)
    project.pipeline("steps:\n  - {id: s, run: cat data.bin; exit 1}\n")
    project("run", expect=1)
    process = project.start("logs", "1", "s")
    assert process.communicate()[0] == data


def test_a_long_script_and_a_large_environment_are_no_trouble(project: Project) -> None:
    lines = "\n".join(f"      echo {i:05} > /dev/null" for i in range(8000))
    project.pipeline(f"steps:\n  - id: s\n    run: |\n{lines}\n      echo end >> ledger\n")
    project("run", env={"BIG": "x" * 100_000})
    assert project.ledger() == ["end"]


MOST_MEMORY = 80 << 20

DEAF = """
    steps:
      - id: s
        timeout: TIMEOUT
        run: |
          trap '' TERM INT HUP
          echo $$ > pid
          while true; do sleep 0.2; done
"""


@pytest.mark.slow
def test_a_step_that_ignores_sigterm_is_gone_five_seconds_after_its_timeout(project: Project) -> None:
    project.pipeline(DEAF.replace("TIMEOUT", "300ms"))
    began = time.monotonic()
    ended = project("run", expect=1)
    assert time.monotonic() - began < 0.3 + 5 + 1
    assert "it took longer than its timeout of 0.3 s" in ended.err
    assert not is_alive(int(project.read("pid")))


@pytest.mark.slow
def test_a_step_that_ignores_sigterm_is_gone_five_seconds_after_ctrl_c(project: Project) -> None:
    project.pipeline(DEAF.replace("TIMEOUT", "1h"))
    process = project.start("run")
    eventually((project.folder / "pid").exists)
    began = time.monotonic()
    process.send_signal(2)
    ended = finish(process)
    assert time.monotonic() - began < 5
    assert ended.code == 130
    eventually(lambda: not is_alive(int(project.read("pid"))), within_s=1)


SIZE = 1 << 30
GIGABYTE = {
    "in many lines": f"(yes a line like all the others || true) | head -c {SIZE}",
    "in one line, and then failed": f"head -c {SIZE} /dev/zero | tr '\\0' x; exit 1",
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", GIGABYTE)
def test_a_step_that_writes_a_gigabyte_costs_the_driver_no_memory_and_logs_streams_it(
    project: Project, kind: str
) -> None:
    project.pipeline(f"steps:\n  - id: s\n    run: {GIGABYTE[kind]}\n")
    ran = Measured(project.start("run"))
    ran.finish()
    assert ran.code == ("failed" in kind)
    assert ran.peak or not Path("/proc/self/status").exists()
    assert ran.peak < MOST_MEMORY, f"{ran.peak >> 20} MB"
    assert project.shown()["steps"]["s"]["log_bytes"] == SIZE
    counted = 0
    logs = project.start("logs", "1", "s")
    read = Measured(logs)
    assert logs.stdout is not None
    while block := logs.stdout.read(1 << 20):
        counted += len(block)
    read.finish()
    assert counted == SIZE
    assert read.peak < MOST_MEMORY, f"{read.peak >> 20} MB"
    # Not left for the next three sessions, as pytest would.
    shutil.rmtree(project.home)


class Measured:
    """A process whose memory is watched: `peak` in bytes, and its exit code, once it has ended.

    The kernel's own figure for an ended child begins with what its parent had when it was started, and pytest has more
    than what is to be shown; the one in /proc begins with the program itself.
    """

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.peak = 0
        self.code = -1
        self._process = process
        self._watch = threading.Thread(target=self._look)
        self._watch.start()

    def _look(self) -> None:
        status = Path(f"/proc/{self._process.pid}/status")
        while self._process.returncode is None:
            try:
                lines = status.read_text().splitlines()
            except OSError:
                return
            for line in lines:
                if line.startswith("VmHWM:"):
                    self.peak = max(self.peak, int(line.split()[1]) * 1024)
            time.sleep(0.01)

    def finish(self) -> None:
        """Wait for its end."""
        self._process.communicate()
        self.code = self._process.returncode
        self._watch.join()


def test_a_step_that_deletes_the_runs_own_folder(project: Project) -> None:
    project.pipeline("steps:\n  - {id: s, run: rm -rf .headway/runs}\n  - {id: t, run: echo t >> ledger}\n")
    ended = project("run", expect=None)
    assert ended.code in (0, 1)
    project.pipeline("steps:\n  - {id: t, run: echo t >> ledger}\n")
    project.is_usable()


# --- built-in steps ---------------------------------------------------------------------------------------------------


def test_a_built_in_step_that_fails_says_why_where_the_run_is_told(project: Project) -> None:
    project.pipeline("steps:\n  - {id: s, uses: register, with: {model: nothing.pkl, name: m}}\n")
    ended = project("run", expect=1)
    assert told(project) == "nothing.pkl is not there"
    assert ended.err.count("nothing.pkl is not there") >= 2
    assert "exit code" not in ended.err


def test_of_a_built_in_step_whose_values_turn_out_wrong_the_first_fault_is_told(project: Project) -> None:
    project.pipeline("""
        env: {PORT: far}
        steps:
          - {id: s, uses: deploy, with: {endpoint: e, model: m@1, port: "${{ env.PORT }}"}}
    """)
    project("run", expect=1)
    assert told(project).endswith("`port` must be a whole number, not the text `far` (in with.port)")
