"""Training runs wait in line for a worker process; the server only looks on."""

import multiprocessing
import os
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from mnist_mlp.data import Dataset
from mnist_mlp.training import TrainConfig
from mnist_mlp.ui.worker import Failed, Ready, Snapshot, Trained, work

WORKER_DIED = (
    "The training process ended without a word, stopped or out of memory: your settings are kept, "
    "so train again, perhaps a smaller network."
)

NO_WORKER = (
    "The training process cannot be started, perhaps for want of memory: the server's terminal "
    "says more. Your settings are kept; try again later."
)
STARTS_BEFORE_GIVING_UP = 2
SECONDS_BETWEEN_STARTS = 5


def threads_of_a_worker(jobs: int = 1) -> int:
    """All cores but one, which stays free for whoever draws: on two cores that keeps an answer's
    95th percentile where it is, and training a fifth slower than it could be."""
    return max(1, ((os.cpu_count() or 1) - 1) // jobs)


@dataclass(eq=False)
class Job:
    """One run, as the line knows it. Only the line changes it."""

    config: TrainConfig
    snapshot: Snapshot | None = None
    outcome: Trained | Failed | None = None
    stopping: bool = False
    was_put_back: bool = False
    finished: threading.Event = field(default_factory=threading.Event)


class TrainingLine:
    """Runs jobs in the order in which they came, `jobs` of them at a time, each in a worker.

    Workers are started ahead of the first job and started again when they die. The data is loaded
    by the first of them; the others, and those that follow, get it through shared memory.
    """

    def __init__(self, jobs: int = 1, data_dir: Path | None = None, threads: int | None = None):
        self.data: Dataset | None = None
        self._data_dir = data_dir
        self._threads = threads or threads_of_a_worker(jobs)
        self._changed = threading.Condition()
        self._waiting: list[Job] = []
        self._running: dict[Job, object] = {}
        self._closed = False
        self._processes: set[multiprocessing.Process] = set()
        self._data_is_here = threading.Event()
        self._jobs = jobs

    def start(self) -> None:
        """Start the workers; jobs may be in line before that."""
        for number in range(self._jobs):
            threading.Thread(target=self._attend, args=(number,), daemon=True).start()

    def submit(self, config: TrainConfig) -> Job:
        job = Job(config)
        with self._changed:
            self._waiting.append(job)
            self._changed.notify()
        return job

    def place(self, job: Job) -> int:
        """How many runs are ahead of a waiting job, itself counted; 0 once it runs or is over."""
        with self._changed:
            if job not in self._waiting:
                return 0
            return self._waiting.index(job) + 1

    def stop(self, job: Job) -> None:
        """End a job: at its next batch when it runs, at once when it waits."""
        with self._changed:
            job.stopping = True
            if job in self._waiting:
                self._waiting.remove(job)
                self._end(job, Failed("Stopped before it began."))
            elif connection := self._running.get(job):
                connection.send("stop")

    def close(self) -> None:
        """End all workers."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            for process in self._processes:
                process.terminate()

    def _attend(self, number: int) -> None:
        """Keep one worker alive and hand it job after job."""
        if number > 0:
            self._data_is_here.wait()
        failed_starts = 0
        while not self._closed:
            if failed_starts >= STARTS_BEFORE_GIVING_UP:
                self._send_away(NO_WORKER)
                time.sleep(SECONDS_BETWEEN_STARTS)
            process, connection = self._start_worker()
            failed_starts += 1
            try:
                self._hand_over_data(connection)
                failed_starts = 0
                while job := self._next_job(process):
                    self._follow(job, connection)
            except (EOFError, OSError):
                pass  # the worker died: its job is told or put back, and a new one takes its place
            finally:
                self._processes.discard(process)
                connection.close()
                process.join()

    def _start_worker(self) -> tuple[multiprocessing.Process, object]:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(
            target=work, args=(theirs, self._data_dir, self.data, self._threads), daemon=True
        )
        process.start()
        theirs.close()
        self._processes.add(process)
        return process, ours

    def _hand_over_data(self, connection) -> None:
        ready: Ready = connection.recv()
        if self.data is None:
            self.data = ready.data
            print(self.data.notice, flush=True)
        self._data_is_here.set()

    def _next_job(self, process: multiprocessing.Process) -> Job | None:
        """The next job, or None when the line is closed; raises EOFError for a dead worker."""
        with self._changed:
            while not self._closed:
                if not process.is_alive():
                    raise EOFError  # whoever waits is served by the next worker
                if self._waiting:
                    return self._waiting.pop(0)
                self._changed.wait(timeout=1)
            return None

    def _follow(self, job: Job, connection) -> None:
        try:
            with self._changed:
                self._running[job] = connection
                connection.send(job.config)
                if job.stopping:
                    connection.send("stop")
            while isinstance(message := connection.recv(), Snapshot):
                job.snapshot = message
            self._end(job, message)
        except (EOFError, OSError):
            self._put_back_or_end(job)
            raise
        finally:
            with self._changed:
                del self._running[job]

    def _put_back_or_end(self, job: Job) -> None:
        """A worker that died before the job began gives it up to the next one, but only once."""
        with self._changed:
            if job.snapshot or job.stopping or job.was_put_back:
                self._end(job, Failed(WORKER_DIED))
            else:
                job.was_put_back = True
                self._waiting.insert(0, job)

    def _send_away(self, sentence: str) -> None:
        """Nobody waits for a worker that does not come, unless another one is at work."""
        with self._changed:
            while self._waiting and not self._running:
                self._end(self._waiting.pop(0), Failed(sentence))

    def _end(self, job: Job, outcome: Trained | Failed) -> None:
        job.outcome = outcome
        job.finished.set()
