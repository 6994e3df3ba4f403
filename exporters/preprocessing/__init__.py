"""Raw bytes and text to the arrays an encoder takes: the same code in training and in serving.

A copy travels with every python-backend model, so these modules import numpy, Pillow, tokenizers
and `gateway.contract` alone.
"""
