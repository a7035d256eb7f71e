"""Training: one loop on Accelerate, schedules as functions of the images seen, checkpoints, the journal."""

from spatialvae.training.api import train
from spatialvae.training.callbacks import Callback, StopTraining, TrainingEvent
from spatialvae.training.finish import attach_gaussian, fit_run_prior
from spatialvae.training.finished import Curve, FinishedRun, JournalLine, open_run
from spatialvae.training.interrupt import Interrupted
from spatialvae.training.journal import read_journal
from spatialvae.training.run import Run

__all__ = [
    "Callback",
    "Curve",
    "FinishedRun",
    "Interrupted",
    "JournalLine",
    "Run",
    "StopTraining",
    "TrainingEvent",
    "attach_gaussian",
    "fit_run_prior",
    "open_run",
    "read_journal",
    "train",
]
