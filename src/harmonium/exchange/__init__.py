"""Import from scikit-learn and rbms, export to ONNX, exchange with the Hugging Face Hub."""

from harmonium.exchange.hub import from_pretrained, save_pretrained
from harmonium.exchange.onnx import to_onnx
from harmonium.exchange.rbms import from_rbms
from harmonium.exchange.scikit import from_sklearn

__all__ = ["from_pretrained", "from_rbms", "from_sklearn", "save_pretrained", "to_onnx"]
