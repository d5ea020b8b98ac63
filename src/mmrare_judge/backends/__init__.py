"""How a model is reached: what is sent, what comes back, what went wrong, how much at once.

In comes a `Request` (messages, sampling, the schema of the reply); out goes a `Reply` (the model's
JSON text), or an exception of `mmrare_judge.errors`. Nothing here knows rubrics or grades.

Start reading with `base` (the records), then `chat` (one request from its first attempt to its last
re-ask). `litellm` and `direct` are the two ways to a model, and `fake` sends nothing. `replies`
reads what came back, `faults` what went wrong. `retry` and `limits` decide when to send.
"""
