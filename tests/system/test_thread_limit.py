"""One thread for a BLAS that is loaded later: each test is a process of its own, without SciPy at first."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one core has one thread at most")

BEGIN = """
import sys
import numpy
from threadpoolctl import threadpool_info, threadpool_limits
from autoenc.system.surroundings import one_library_thread
from autoenc.system.thread_limit import ThreadLimit

def threads():
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}

threadpool_limits(2, "blas")
before = list(sys.meta_path)
"""


def run(code: str) -> None:
    environment = {"OPENBLAS_NUM_THREADS": "2"}  # of SciPy's, when it is loaded
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + code], env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "words", ["import scipy.linalg", "from scipy.linalg import svd", "import scipy.optimize"]
)
def test_scipy_has_one_thread_from_its_import_to_the_end_of_the_block(words) -> None:
    run(f"""
with one_library_thread():
    assert "scipy.linalg" not in sys.modules
    {words}
    assert threads() == {{1}}, threads()
assert threads() == {{2}}, threads()
assert sys.meta_path == before
""")


def test_what_loads_scipy_after_the_block_has_all_threads() -> None:
    run("""
with one_library_thread():
    pass
assert sys.meta_path == before
import scipy.linalg
assert threads() == {2}
""")


def test_limits_may_overlap_while_scipy_is_loaded() -> None:
    run("""
first, second = ThreadLimit(None), ThreadLimit()
import scipy.linalg
assert threads() == {1}
second.close()
assert threads() == {1}
first.close()
assert threads() == {2}
""")


def test_without_an_end_it_holds_for_good() -> None:
    run("""
import gc
ThreadLimit()
gc.collect()
import scipy.linalg
assert threads() == {1}
""")


def test_the_module_is_as_if_nobody_had_waited() -> None:
    run("""
import importlib.util, inspect
with one_library_thread():
    assert importlib.util.find_spec("scipy.linalg").origin.endswith("__init__.py")  # a look is no import
    import scipy.linalg
assert type(scipy.linalg.__loader__).__module__ == type(numpy.__loader__).__module__
assert scipy.linalg.__spec__.loader is scipy.linalg.__loader__
assert "import" in inspect.getsource(scipy.linalg)
""")


def test_where_there_is_no_scipy_the_import_fails_as_ever() -> None:
    run("""
import scipy
scipy.__path__ = []
with one_library_thread():
    try:
        import scipy.linalg
    except ModuleNotFoundError:
        pass
    else:
        raise AssertionError
""")
