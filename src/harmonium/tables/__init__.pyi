from .quality.judge import quality as quality
from .quality.result import Quality as Quality
from .quality.result import Scores as Scores
