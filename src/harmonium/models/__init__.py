"""Models: the Boltzmann family, deep and autoregressive models, variational autoencoders, baselines."""

from harmonium.models import baselines
from harmonium.models.autoregressive.convnade import ConvNADE
from harmonium.models.autoregressive.made import MADE
from harmonium.models.autoregressive.nade import NADE
from harmonium.models.autoregressive.orderless import OrderlessNADE
from harmonium.models.conditionals import MixtureConditional, UnitConditional
from harmonium.models.deep.dbn import DBN
from harmonium.models.io import load, save
from harmonium.models.machine.boltzmann import BoltzmannMachine
from harmonium.models.machine.classification import ClassificationRBM, with_labels
from harmonium.models.machine.dbm import DBM
from harmonium.models.machine.documents import at_length
from harmonium.models.machine.machine import Machine
from harmonium.models.machine.rbm import RBM
from harmonium.models.model import Model
from harmonium.models.vae.architecture import Convolutional, Dense
from harmonium.models.vae.vae import VAE

__all__ = [
    "baselines", "BoltzmannMachine", "ClassificationRBM", "ConvNADE", "Convolutional", "DBM", "DBN", "Dense", "MADE",
    "Machine", "MixtureConditional", "Model", "NADE", "OrderlessNADE", "RBM", "UnitConditional", "VAE", "at_length",
    "load", "save", "with_labels",
]  # fmt: skip
