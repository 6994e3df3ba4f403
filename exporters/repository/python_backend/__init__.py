"""The steps that Triton's python backend runs.

A copy of this package, of `exporters.preprocessing` and of `gateway.contract.input_fault` and
`.tensors` travels in every model's folder, so that what serves is what was proved, whatever is
installed beside Triton. Nothing here may import more than that, numpy, onnxruntime and Triton's
`triton_python_backend_utils`.
"""
