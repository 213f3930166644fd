from __future__ import annotations

import pytest
from executor_suite import ExecutorSuite, LocalExecutorSuite

from autoenc.engines.gathering import Gathering
from autoenc.engines.stacked import StackedEngine
from autoenc.searching.executors import Here, Threads
from autoenc.searching.fits import FitObjective


class TestHere(LocalExecutorSuite):
    @pytest.fixture
    def executor(self, objective, stop):
        return Here(objective, stop)


class TestOneThread(LocalExecutorSuite):
    @pytest.fixture
    def executor(self, objective, stop):
        threads = Threads(objective, 1, stop)
        yield threads
        threads.close()


class TestStackedTogether(LocalExecutorSuite):
    """Threads that wait while one of them trains for all."""

    exactly = False

    @pytest.fixture
    def executor(self, split, stop):
        engine = Gathering(StackedEngine())
        threads = Threads(FitObjective(engine, lambda fold: split), engine.n_at_once, stop)
        yield threads
        threads.close()


class TestThreeThreads(LocalExecutorSuite):
    @pytest.fixture
    def executor(self, objective, stop):
        threads = Threads(objective, 3, stop)
        yield threads
        threads.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    pytest.importorskip("distributed", reason="the extra `dask` is not installed")
    from dask_cluster import DaskProcesses

    processes = DaskProcesses(tmp_path_factory.mktemp("dask"))
    processes.start_worker()
    yield processes.address
    processes.stop()


class TestDask(ExecutorSuite):
    @pytest.fixture
    def executor(self, address, compiled_engine, split):
        from autoenc.searching.connect import connect
        from autoenc.searching.remote import remote_fits

        cluster = connect(address, remote_fits(compiled_engine, lambda fold: split))
        yield cluster
        cluster.close()
