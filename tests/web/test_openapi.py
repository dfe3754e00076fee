"""The OpenAPI document of the pages is kept, whatever is sent by its rules or against them."""

import re
import subprocess
from pathlib import Path

import pytest

import serving_peers
from foreign import environment
from web_world import TOKENS, served, write


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_schemathesis_finds_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    command = [str(environment(serving_peers.SCHEMATHESIS) / "schemathesis"), "run"]
    # Time goes on, so that nobody asks too often.
    clock = iter(range(1_790_007_200, 10**12))
    project = tmp_path / "project"
    project.mkdir()
    with served(write(project), now=lambda: float(next(clock))) as visitor:
        command += [f"{visitor.server.url}/api/v1/openapi.json", "--seed", "1", "--max-examples", "10"]
        command += ["--header", f"Authorization: Bearer {TOKENS['admin']}"]
        # Which names there are, and which acts a release takes now, no schema can say; links of people are no tokens.
        command += [
            "--checks",
            "all",
            "--exclude-checks",
            "positive_data_acceptance,negative_data_rejection,ignored_auth",
        ]
        command += ["--continue-on-failure", "--phases", "examples,coverage,fuzzing", "--suppress-health-check", "all"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=800, check=False)
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-1000:]
        assert re.search(r"Tested: +(\d+)", done.stdout)
        assert "Traceback" not in capfd.readouterr().err
        assert visitor.ask("/health")[0].status == 200
