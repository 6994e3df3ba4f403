"""The images: a Dockerfile each, and the exact list of packages that each installs."""
