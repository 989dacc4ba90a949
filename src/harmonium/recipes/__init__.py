"""Whole procedures that call `fit`: greedy stacking, up-down training, fine-tuning, pretraining."""
