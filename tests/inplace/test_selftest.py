"""The self-test: it passes here, and it can fail."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import types

import pytest

from testbench.errors import UnsupportedError
from testbench.inplace import _forward, _layout, _selftest, check_supported


@pytest.fixture(autouse=True)
def fresh():
    """Let each test ask anew."""
    _selftest._reason.cache_clear()
    yield
    _selftest._reason.cache_clear()


def test_this_interpreter_is_supported():
    """All three questions are answered well on the interpreters that the tests run on."""
    check_supported()
    assert _selftest.other_interpreter() is None
    assert _selftest.other_layout() is None
    assert _selftest.other_behaviour() is None


@pytest.mark.parametrize("version", [(3, 10, 13), (3, 14, 0), (4, 0, 0)])
def test_other_versions_are_refused(monkeypatch, version):
    """A version that was not tried is refused by its number."""
    monkeypatch.setattr(sys, "version_info", version)
    with pytest.raises(UnsupportedError, match="this is CPython " + r"\.".join(map(str, version))):
        check_supported()


def test_pypy_is_refused(monkeypatch):
    """Another implementation is refused by its name."""
    monkeypatch.setattr(sys, "implementation", types.SimpleNamespace(name="pypy", cache_tag="x"))
    with pytest.raises(UnsupportedError, match="this is pypy, not CPython"):
        check_supported()


def test_free_threaded_build_is_refused(monkeypatch):
    """A build without the GIL is refused, with the reason."""
    stock = sysconfig.get_config_var
    monkeypatch.setattr(sysconfig, "get_config_var", lambda name: 1 if name == "Py_GIL_DISABLED" else stock(name))
    with pytest.raises(UnsupportedError, match="free-threaded"):
        check_supported()


def test_other_platform_is_refused(monkeypatch):
    """A platform that was not tried is refused by its name."""
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(UnsupportedError, match="the platform is darwin"):
        check_supported()


def test_32_bit_is_refused(monkeypatch):
    """A build with small words is refused."""
    monkeypatch.setattr(sys, "maxsize", 2**31 - 1)
    with pytest.raises(UnsupportedError, match="32-bit"):
        check_supported()


def test_other_object_size_is_refused(monkeypatch):
    """A larger object head, as another layout would have it, is noticed before any word is read."""
    monkeypatch.setattr(_layout, "HEAD", _layout.HEAD + 8)
    monkeypatch.setattr(_layout, "read", lambda function: pytest.fail("memory was read"))
    with pytest.raises(UnsupportedError, match="another size"):
        check_supported()


def test_swapped_words_are_refused(monkeypatch):
    """Words in another order are noticed by reading alone."""
    stock = _layout.read
    monkeypatch.setattr(
        _layout, "read", lambda f: _layout.Body(stock(f).owner, stock(f).definition, stock(f).vectorcall)
    )
    with pytest.raises(UnsupportedError, match="m_ml and m_self"):
        check_supported()


def test_other_definition_is_refused(monkeypatch):
    """A method definition whose name is elsewhere is noticed by reading alone."""
    monkeypatch.setattr(_layout, "definition_at", lambda address: _layout.MethodDef(b"other", 0, 0, None))
    with pytest.raises(UnsupportedError, match="method definition"):
        check_supported()


def test_target_that_is_not_reached_is_noticed(monkeypatch):
    """A redirect that has no effect fails the rehearsal."""
    monkeypatch.setattr(_selftest, "forwarded", lambda function, before, target: (before, None))
    with pytest.raises(UnsupportedError, match="does not call its target"):
        check_supported()


def test_wrong_reference_count_is_noticed(monkeypatch):
    """A write that forgets a reference fails the rehearsal."""
    kept = []
    stock = _layout.write

    def forgetful(function, body):
        kept.append(function.__self__)
        stock(function, body)

    monkeypatch.setattr(_layout, "write", forgetful)
    with pytest.raises(UnsupportedError, match="references"):
        check_supported()


def test_user_functions_are_left_alone(monkeypatch):
    """The rehearsal writes to builtins of its own only."""
    written = []
    stock = _layout.write
    monkeypatch.setattr(_layout, "write", lambda f, body: (written.append(f.__name__), stock(f, body)))
    check_supported()
    assert set(written) == {"copy"}


def test_it_runs_once(monkeypatch):
    """The rehearsal is made at the first question and not again."""
    check_supported()
    monkeypatch.setattr(_forward, "forwarded", lambda *_: pytest.fail("asked again"))
    check_supported()


def test_without_the_c_api_it_is_refused_in_words():
    """Where ctypes has no C-API, importing works, the real functions are the plain ones, and redirecting is refused."""
    program = (
        "import ctypes, sys, time, types\n"
        "del ctypes.pythonapi\n"
        "sys.implementation = types.SimpleNamespace(**{**vars(sys.implementation), 'name': 'pypy'})\n"
        "from testbench.errors import UnsupportedError\n"
        "from testbench.inplace import Redirect, real\n"
        "assert real.time_ns is time.time_ns\n"
        "try: Redirect(time.time)\n"
        "except UnsupportedError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("functions cannot be redirected in place here: this is pypy")
