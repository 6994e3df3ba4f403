"""How Diptych is brought up: on one machine (`deploy.local`), in containers, on Kubernetes."""
