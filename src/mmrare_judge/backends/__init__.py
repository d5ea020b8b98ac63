"""Where verdicts come from: language models, the embedded judge, and a fake for tests."""
