"""What belongs to one visitor: the runs on the Train tab and the network that reads the pad."""

import secrets
import threading
from dataclasses import dataclass, field
from functools import cached_property

from safetensors.torch import load

from mnist_mlp.classify import Classifier
from mnist_mlp.model import MLP
from mnist_mlp.training import TrainConfig
from mnist_mlp.ui.jobs import Job, TrainingLine
from mnist_mlp.ui.worker import Failed, Trained

MAX_RUNS = 10


@dataclass(eq=False)
class Run:
    """One training run of a visitor, counted from 1."""

    number: int
    job: Job

    @property
    def is_over(self) -> bool:
        return self.job.finished.is_set()

    @property
    def trained(self) -> Trained | None:
        """The network that the run ended with, if it did."""
        outcome = self.job.outcome
        return outcome.best if isinstance(outcome, Failed) else outcome

    @cached_property
    def classifier(self) -> Classifier:
        """The run's own network, of its own weights; ask only once it is trained."""
        model = MLP(self.job.config.hidden_sizes)
        model.load_state_dict(load(self.trained.weights))
        model.temperature = self.trained.temperature
        return Classifier(model)


@dataclass(eq=False)
class Session:
    """A visitor's own state. The key names it in what the page posts and cannot be guessed."""

    key: str = field(default_factory=lambda: secrets.token_urlsafe(18))
    runs: dict[int, Run] = field(default_factory=dict)
    runs_so_far: int = 0
    network: int | None = None  # the number of the run that reads the pad; None: the shipped one

    @property
    def latest(self) -> Run | None:
        return self.runs.get(self.runs_so_far)

    @property
    def is_training(self) -> bool:
        return self.latest is not None and not self.latest.is_over

    @property
    def trained_runs(self) -> list[Run]:
        return [run for run in self.runs.values() if run.is_over and run.trained]

    def forget_earlier_runs(self) -> None:
        """Keep the latest run and the one that reads the pad."""
        kept = {self.runs_so_far, self.network}
        self.runs = {number: run for number, run in self.runs.items() if number in kept}


class Sessions:
    """All visitors that have the page open, by the key that their page was given."""

    def __init__(self, shipped: Classifier, line: TrainingLine):
        self.shipped = shipped
        self.line = line
        self._lock = threading.Lock()
        self._by_key: dict[str, Session] = {}
        self._key_of_page: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._by_key)

    def open(self, page: str) -> Session:
        """A new visitor; `page` is gradio's name for the connection, which ends with the page."""
        session = Session()
        with self._lock:
            self._by_key[session.key] = session
            self._key_of_page[page] = session.key
        return session

    def close(self, page: str) -> None:
        """The visitor is gone: so is a run that is going, and everything that was kept."""
        with self._lock:
            session = self._by_key.pop(self._key_of_page.pop(page, ""), None)
        if session and session.is_training:
            self.line.stop(session.latest.job)

    def get(self, key: object) -> Session | None:
        return self._by_key.get(key) if isinstance(key, str) else None

    def classifier(self, key: object) -> Classifier:
        """The network that reads this visitor's pad; the shipped one for a key nobody has."""
        session = self.get(key)
        run = session and session.runs.get(session.network)
        return run.classifier if run else self.shipped

    def train(self, session: Session, config: TrainConfig) -> Run:
        """Put a new run in line; beyond ten the oldest is forgotten, unless it reads the pad."""
        with self._lock:
            session.runs_so_far += 1
            run = Run(session.runs_so_far, self.line.submit(config))
            session.runs[run.number] = run
            for number in sorted(session.runs)[: max(0, len(session.runs) - MAX_RUNS)]:
                if number != session.network:
                    del session.runs[number]
        return run
