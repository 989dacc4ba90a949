"""Recipes: procedures that call `fit`."""

from harmonium.recipes.compare import compare
from harmonium.recipes.comparison import Comparison
from harmonium.recipes.finetune import finetune
from harmonium.recipes.greedy import greedy
from harmonium.recipes.pretrain import Pretraining, pretrain
from harmonium.recipes.up_down import up_down

__all__ = ["Comparison", "Pretraining", "compare", "finetune", "greedy", "pretrain", "up_down"]
