"""Estimators for scikit-learn: the same models, trained and evaluated by the same functions.

They work in `Pipeline`, `GridSearchCV` and `clone`, take sparse matrices and pandas, and return NumPy arrays (or what
`set_output` selects).  The trained model is ``model_``.

>>> from sklearn.pipeline import make_pipeline
>>> from sklearn.linear_model import LogisticRegression
>>> from harmonium.sklearn import BernoulliRBM
>>> pipeline = make_pipeline(BernoulliRBM(n_components=100, random_state=0), LogisticRegression(C=6000))
"""

from harmonium.sklearn.base import Estimator, Features
from harmonium.sklearn.bernoulli_rbm import BernoulliRBM
from harmonium.sklearn.dbn import DBN
from harmonium.sklearn.dbn_classifier import DBNClassifier
from harmonium.sklearn.density import Density
from harmonium.sklearn.domain import DomainWarning
from harmonium.sklearn.imputer import RBMImputer
from harmonium.sklearn.nade_density import NADEDensity
from harmonium.sklearn.outliers import RBMOutlierDetector
from harmonium.sklearn.rbm import RBM
from harmonium.sklearn.rbm_classifier import RBMClassifier
from harmonium.sklearn.table_imputer import TableImputer
from harmonium.sklearn.table_outliers import TableOutlierDetector
from harmonium.sklearn.table_predictors import TableClassifier, TableRegressor
from harmonium.sklearn.vae_density import VAEDensity

__all__ = [
    "DBN", "RBM", "BernoulliRBM", "DBNClassifier", "Density", "DomainWarning", "Estimator", "Features", "NADEDensity",
    "RBMClassifier", "RBMImputer", "RBMOutlierDetector", "TableClassifier", "TableImputer", "TableOutlierDetector",
    "TableRegressor", "VAEDensity",
]  # fmt: skip
