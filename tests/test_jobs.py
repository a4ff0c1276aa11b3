"""Workers and visitors' sessions, with real processes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mnist_mlp.classify import Classifier
from mnist_mlp.evaluate import evaluate
from mnist_mlp.preprocess import Drawing
from mnist_mlp.training import TrainConfig, train
from mnist_mlp.ui.jobs import NO_WORKER, WORKER_DIED, TrainingLine
from mnist_mlp.ui.sessions import MAX_RUNS, Sessions
from mnist_mlp.ui.worker import CURVE_POINTS, BatchEnd, Failed, LossCurve, Trained

QUICK = TrainConfig(epochs=1, batch_size=256, hidden_sizes=(16,))
ENDLESS = TrainConfig(epochs=10_000, batch_size=64, hidden_sizes=(16,))
SEVEN = Drawing.from_lists([[[60, 200, 110], [50, 50, 220]]])


@pytest.fixture(scope="module")
def line(tmp_path_factory) -> Iterator[TrainingLine]:
    """One worker on the embedded sample, as on a machine without a network."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("http_proxy", "https_proxy"):
            patch.setenv(name, "http://127.0.0.1:9")
        line = TrainingLine(jobs=1, data_dir=tmp_path_factory.mktemp("empty"), threads=1)
        line.start()
        yield line
        line.close()


def wait_for(condition: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.02)


def worker_of(line: TrainingLine) -> int:
    wait_for(lambda: len(line._processes) == 1)
    return next(iter(line._processes)).pid


def test_a_run_trains_as_train_does(line: TrainingLine, sample):
    job = line.submit(QUICK)
    assert job.finished.wait(60)
    outcome = job.outcome
    assert isinstance(outcome, Trained)
    torch.set_num_threads(1)
    *_, expected = train(QUICK, sample)
    assert outcome.best.test_accuracy == pytest.approx(expected.best.test_accuracy, abs=0.02)
    report = outcome.report
    assert report.images == len(sample.test)
    assert report.errors == round((1 - report.test_accuracy) * report.images)
    assert report.confusion_matrix.sum() == report.images
    assert report.confusion_matrix.trace() == report.images - report.errors
    assert len(report.mistakes) == 24
    assert all(mistake.label != mistake.prediction for mistake in report.mistakes)
    surest = [mistake.probability for mistake in report.mistakes]
    assert surest == sorted(surest, reverse=True)
    assert job.snapshot.history[-1].epoch == 1


def test_the_data_is_the_servers_too(line: TrainingLine, sample):
    wait_for(lambda: line.data)
    torch.testing.assert_close(line.data.test.images, sample.test.images)
    assert line.data.train.images.is_shared()


def test_a_stopped_run_keeps_its_best_so_far(line: TrainingLine):
    job = line.submit(ENDLESS)
    wait_for(lambda: job.snapshot and len(job.snapshot.history) >= 1)
    line.stop(job)
    assert job.finished.wait(10)
    assert job.outcome.stopped
    assert job.outcome.report.test_accuracy > 0.3


def test_runs_wait_in_line_and_may_leave_it(line: TrainingLine):
    first, second, third = (line.submit(config) for config in (ENDLESS, QUICK, QUICK))
    wait_for(lambda: first.snapshot)
    assert [line.place(job) for job in (first, second, third)] == [0, 1, 2]
    line.stop(second)
    assert second.finished.is_set()
    assert line.place(third) == 1
    line.stop(first)
    assert third.finished.wait(60)
    assert isinstance(third.outcome, Trained)


def test_a_loss_that_is_no_number_is_told_and_the_next_run_works(line: TrainingLine):
    bad = line.submit(TrainConfig(optimizer="sgd", learning_rate=10))
    good = line.submit(QUICK)
    assert bad.finished.wait(60)
    assert "learning rate 10 is too high" in bad.outcome.sentence
    assert good.finished.wait(60)
    assert isinstance(good.outcome, Trained)


def test_a_killed_worker_is_told_and_replaced(line: TrainingLine):
    job, next_job = line.submit(ENDLESS), line.submit(QUICK)
    wait_for(lambda: job.snapshot)
    killed = worker_of(line)
    os.kill(killed, signal.SIGKILL)
    assert job.finished.wait(10)
    assert job.outcome == Failed(WORKER_DIED)
    assert next_job.finished.wait(60)
    assert isinstance(next_job.outcome, Trained)
    assert worker_of(line) != killed


def test_an_idle_worker_that_is_killed_is_replaced(line: TrainingLine):
    killed = worker_of(line)
    os.kill(killed, signal.SIGKILL)
    wait_for(lambda: not is_running(killed))
    job = line.submit(QUICK)
    assert job.finished.wait(60)
    assert isinstance(job.outcome, Trained)


def test_a_worker_that_cannot_start_is_told(tmp_path: Path):
    line = TrainingLine(data_dir=tmp_path, threads=-1)  # PyTorch refuses that
    job = line.submit(QUICK)
    line.start()
    try:
        assert job.finished.wait(60)
        assert job.outcome == Failed(NO_WORKER)
    finally:
        line.close()


def test_a_killed_server_leaves_no_worker_behind(tmp_path: Path, offline_environment):
    script = tmp_path / "server.py"
    script.write_text(
        "import sys, time\n"
        "from pathlib import Path\n"
        "if __name__ == '__main__':\n"
        "    from mnist_mlp.training import TrainConfig\n"
        "    from mnist_mlp.ui.jobs import TrainingLine\n"
        "    line = TrainingLine(data_dir=Path(sys.argv[1]))\n"
        "    line.start()\n"
        "    job = line.submit(TrainConfig(epochs=10_000))\n"
        "    while job.snapshot is None: time.sleep(0.05)\n"
        "    print(next(iter(line._processes)).pid, flush=True)\n"
        "    time.sleep(60)\n"
    )
    environment = {**offline_environment, "PYTHONPATH": str(Path(__file__).parents[1])}
    server = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    worker = next(int(text) for text in server.stdout if text.strip().isdigit())
    os.kill(worker, 0)
    server.kill()
    server.wait()
    wait_for(lambda: not is_running(worker), seconds=5)


def is_running(process: int) -> bool:
    status = Path(f"/proc/{process}/stat")
    return status.exists() and status.read_text().split()[2] != "Z"


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_the_loss_curve_never_grows_beyond_its_points():
    curve = LossCurve()
    for step in range(43_000):
        epoch, batch = divmod(step, 860)
        curve.add(BatchEnd(epoch + 1, batch + 1, 860, float(step), 0.5, 1.0))
    assert CURVE_POINTS / 2 <= len(curve.points) <= CURVE_POINTS
    places = [place for place, _ in curve.points]
    assert places == sorted(places)
    assert 49 < places[-1] <= 50
    # The loss was the step's number: the means lie on the same line.
    for place, loss in curve.points[1:]:
        assert loss == pytest.approx(place * 860, abs=1_000)


class TestSessions:
    @pytest.fixture
    def sessions(self, classifier: Classifier, line: TrainingLine) -> Sessions:
        return Sessions(classifier, line)

    def trained(self, sessions: Sessions, page: str, config: TrainConfig):
        session = sessions.open(page)
        run = sessions.train(session, config)
        assert run.job.finished.wait(60)
        session.network = run.number
        return session, run

    def test_each_visitor_has_a_network_of_their_own(self, sessions: Sessions, tmp_path: Path):
        one, run_one = self.trained(sessions, "a", QUICK)
        two, run_two = self.trained(sessions, "b", replace(QUICK, seed=1))
        readings = [sessions.classifier(s.key).read_drawing(SEVEN, top=10) for s in (one, two)]
        assert readings[0].guesses != readings[1].guesses
        for run, reading in zip((run_one, run_two), readings, strict=True):
            file = tmp_path / "weights.safetensors"
            file.write_bytes(run.trained.weights)
            assert run.trained.temperature != 1
            assert Classifier.load(file).read_drawing(SEVEN, top=10).guesses == reading.guesses

    def test_the_shipped_network_is_scored_once(self, sessions: Sessions, sample):
        wait_for(lambda: sessions.line.data)
        evaluation = sessions.evaluation("nobody's key")
        expected = evaluate(sessions.shipped.model, sample.test).probabilities
        torch.testing.assert_close(evaluation.probabilities, expected)
        assert sessions.evaluation(sessions.open("page").key) is evaluation

    def test_before_the_data_is_loaded_nothing_is_scored(self, classifier: Classifier):
        assert Sessions(classifier, TrainingLine()).evaluation("") is None

    def test_a_visitors_own_network_is_scored_as_it_reads(self, sessions: Sessions, sample):
        session, run = self.trained(sessions, "page", QUICK)
        evaluation = sessions.evaluation(session.key)
        assert evaluation.accuracy == pytest.approx(run.trained.report.test_accuracy)
        for index in range(5):
            reading = sessions.classifier(session.key).read_mnist(sample.test.images[index].numpy())
            best = reading.guesses[0]
            assert best.digit == evaluation.predictions[index]
            assert best.probability == pytest.approx(
                evaluation.probabilities[index].max().item(), abs=1e-5
            )
        session.network = None
        assert sessions.evaluation(session.key) is sessions.evaluation("nobody's key")

    def test_a_key_that_nobody_has_means_the_shipped_network(self, sessions: Sessions):
        for key in ("", "guess", None, 7, ["x"]):
            assert sessions.classifier(key) is sessions.shipped

    def test_keys_cannot_be_guessed(self, sessions: Sessions):
        keys = {sessions.open(str(number)).key for number in range(100)}
        assert len(keys) == 100
        assert min(map(len, keys)) >= 24

    def test_a_visitor_who_leaves_ends_the_run(self, sessions: Sessions):
        run = sessions.train(sessions.open("page"), ENDLESS)
        wait_for(lambda: run.job.snapshot)
        sessions.close("page")
        assert run.job.finished.wait(2)

    def test_old_runs_are_forgotten(self, sessions: Sessions):
        session = sessions.open("page")
        for _ in range(MAX_RUNS + 3):
            run = sessions.train(session, QUICK)
            assert run.job.finished.wait(60)
        assert list(session.runs) == list(range(4, MAX_RUNS + 4))
        session.network = 5
        session.forget_earlier_runs()
        assert list(session.runs) == [5, MAX_RUNS + 3]

    def test_two_hundred_visitors_leave_nothing_behind(self, sessions: Sessions):
        import gc
        import weakref

        descriptors = open_files()
        gone = []
        for number in range(200):
            session, run = sessions.open(str(number)), None
            if number % 20 == 0:
                run = sessions.train(session, QUICK)
                assert run.job.finished.wait(60)
                session.network = run.number
                gone.append(weakref.ref(sessions.classifier(session.key)))
            gone.append(weakref.ref(session))
            sessions.close(str(number))
        del session, run
        gc.collect()
        assert len(sessions) == 0
        assert [ref() for ref in gone if ref() is not None] == []
        assert open_files() <= descriptors + 2

    def test_the_shipped_weights_are_never_touched(self, sessions: Sessions):
        before = {n: t.numpy().copy() for n, t in sessions.shipped.model.state_dict().items()}
        self.trained(sessions, "page", QUICK)
        for name, tensor in sessions.shipped.model.state_dict().items():
            np.testing.assert_array_equal(tensor.numpy(), before[name])
