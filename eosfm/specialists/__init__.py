"""Training one specialist, and the file that holds it."""

from eosfm.specialists.specialist import Specialist
from eosfm.specialists.training import train_specialist

__all__ = ["Specialist", "train_specialist"]
