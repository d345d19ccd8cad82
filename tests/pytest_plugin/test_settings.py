from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.slow

TWO = """
    import pytest

    def test_plain(testbench): assert testbench.mode == "{plain}"

    @pytest.mark.testbench(mode="off")
    def test_marked(testbench): assert testbench.mode == "{marked}"
"""


def test_a_flag_beats_a_marker_beats_the_environment_beats_the_ini_file(suite: Any) -> None:
    """Who wins is said in the header."""
    suite.write("test_a.py", TWO.format(plain="record", marked="off"))
    suite.write("pytest.ini", "[pytest]\ntestbench_mode = record\ntestbench_dir = elsewhere\n")
    assert "testbench: mode record (ini), tapes in elsewhere (ini), orphans warn" in suite.run(expect="2 passed")
    assert (suite.path / "elsewhere/test_a/test_plain.tape").exists()
    suite.write("test_a.py", TWO.format(plain="replay", marked="off"))
    assert "mode replay (environment)" in suite.run(TESTBENCH_MODE="replay", expect="2 passed")
    suite.write("test_a.py", TWO.format(plain="record", marked="record"))
    out = suite.run("--testbench-mode=all", TESTBENCH_MODE="replay", expect="2 passed")
    assert "mode all (flag)" in out


@pytest.mark.parametrize(
    ("words", "environment", "told"),
    [
        (["--testbench-mode=sometimes"], {}, "--testbench-mode is 'sometimes'"),
        ([], {"TESTBENCH_ORPHANS": "no"}, "TESTBENCH_ORPHANS is 'no'; expected one of ignore, warn, fail"),
    ],
)
def test_a_setting_that_means_nothing_ends_the_run(
    words: list[str], environment: dict[str, str], told: str, suite: Any
) -> None:
    """The error says where it was set, and what there is."""
    suite.write("test_a.py", "def test_a(): pass\n")
    assert told in suite.run(*words, **environment)
    assert suite.status == 4


def test_an_unknown_option_of_the_marker_is_a_type_error(suite: Any) -> None:
    """A word misspelled is not passed over, nor one without a name."""
    suite.write(
        "test_a.py",
        """
        import pytest

        @pytest.mark.testbench(clok="paused")
        def test_a(testbench): pass

        @pytest.mark.testbench("record")
        def test_b(testbench): pass
        """,
    )
    out = suite.run(expect="2 errors")
    assert "TypeError: the marker testbench has no option 'clok'; expected one of mode, tape, recorders, clock" in out
    assert "TypeError: the marker testbench takes options by name only" in out


def test_a_tape_that_is_not_below_the_directory_is_a_type_error(suite: Any) -> None:
    """The error names it, whatever it is, and other tests run."""
    wrong = ["/abs/x.tape", "../x.tape", "", 5]
    marked = "@pytest.mark.testbench(tape={!r})\ndef test_{}(testbench): pass\n"
    tests = [marked.format(tape, number) for number, tape in enumerate(wrong)]
    suite.write("test_a.py", "".join(["import pytest\n", *tests, "def test_b(testbench): pass\n"]))
    out = suite.run(expect="1 passed, 4 errors")
    assert not [tape for tape in wrong if f"TypeError: the marker testbench has tape={tape!r}" not in out]
    assert suite.tapes == ["test_a/test_b.tape"]


def test_a_marker_without_the_fixture_is_an_error(suite: Any) -> None:
    """On a test of its own it would do nothing; on a module it is for the tests that use the fixture."""
    suite.write("test_a.py", "import pytest\n@pytest.mark.testbench(mode='off')\ndef test_a(): pass\n")
    suite.write(
        "test_b.py",
        "import pytest\npytestmark = pytest.mark.testbench(mode='off')\ndef test_a(): pass\n"
        "def test_b(testbench): assert testbench.mode == 'off'\n",
    )
    assert "has the marker testbench and does not use the fixture" in suite.run(expect="2 passed, 1 error")


def test_the_nearest_marker_wins(suite: Any) -> None:
    """Options of the module hold where the test says nothing else."""
    suite.write(
        "test_a.py",
        """
        import pytest, time

        pytestmark = pytest.mark.testbench(clock="paused", start="2030-01-01T00:00:00Z")

        def test_a(testbench): assert time.time() == 1893456000

        @pytest.mark.testbench(start="2031-01-01T00:00:00Z")
        def test_b(testbench): assert time.time() == 1924992000
        """,
    )
    suite.run(expect="2 passed")


def test_two_tests_cannot_have_one_tape(suite: Any) -> None:
    """Both are named, and nothing is recorded."""
    suite.write(
        "test_a.py",
        """
        import pytest

        @pytest.mark.testbench(tape="shared.tape")
        @pytest.mark.parametrize("n", [1, 2])
        def test_a(testbench, n): pass

        @pytest.mark.testbench(tape="other/own.tape")
        def test_b(testbench): pass
        """,
    )
    out = suite.run(expect="1 passed, 2 errors")
    assert "2 tests have the tape" in out
    assert "test_a.py::test_a[1], test_a.py::test_a[2]" in out
    assert suite.tapes == ["other/own.tape"]
    suite.run("-n4", expect="1 passed, 2 errors")


def test_the_tape_of_another_test_is_refused(suite: Any) -> None:
    """A tape that was copied or moved is not taken for one's own."""
    suite.write("test_a.py", "def test_a(testbench): pass\n")
    suite.run(expect="1 passed")
    (suite.path / "tapes/test_a/test_a.tape").rename(suite.path / "tapes/test_a/test_b.tape")
    suite.write("test_a.py", "def test_b(testbench): pass\n")
    out = suite.run(expect="1 failed")
    assert "was recorded by 'test_a.py::test_a' and is used by 'test_a.py::test_b'" in out
    assert "pytest test_a.py::test_b --testbench-mode=record" in out


def test_a_directory_that_cannot_be_made_is_named(suite: Any) -> None:
    """The error says which, and what to do."""
    suite.write("tapes", "a file in the way")
    suite.write("test_a.py", "def test_a(testbench): pass\n")
    out = suite.run(expect="1 error")
    assert "TapeWriteError" in out
    assert "--testbench-dir" in out


def test_tests_that_differ_by_case_have_different_files(suite: Any) -> None:
    """Names stay apart where a file system ignores case, whichever tests are asked for."""
    suite.write(
        "test_a.py",
        """
        import pytest

        def test_a(testbench): pass
        def test_A(testbench): pass

        class TestOne:
            def test_b(self, testbench): pass

        class Testone:
            def test_b(self, testbench): pass

        @pytest.mark.parametrize("word", ["x", "X", "a/b", "w" * 300, "v" * 300, "..", "con:"])
        def test_words(testbench, word): pass
        """,
    )
    suite.run(expect="11 passed")
    names = suite.tapes
    assert len({name.lower() for name in names}) == 11
    assert "test_a/test_words[x].tape" in names
    assert max(len(name.rpartition("/")[2]) for name in names) <= 125
    suite.run("test_a.py::test_A", "test_a.py::Testone", "--testbench-mode=replay", expect="2 passed")
