"""The bundled Triton and the gateway on one machine: no container, no root, no GPU.

`python -m deploy.local up` starts and supervises both, `status` looks at them, `down` stops them.
"""
