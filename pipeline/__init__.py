"""The stages of dvc.yaml: thin Hydra apps around the library."""
