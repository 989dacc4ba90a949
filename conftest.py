"""Which files pytest leaves out of its search for examples."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("triton") else ["src/harmonium/kernels/triton_loops.py"]  # it imports an extra
