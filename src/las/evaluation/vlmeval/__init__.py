"""Vision-language benchmarks through VLMEvalKit, an optional package."""
