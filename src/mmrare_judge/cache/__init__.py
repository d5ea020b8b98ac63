"""Replies kept on disk, found again, replayed, and shipped as a bundle.

In comes a `Request`; out comes the `Reply` that was kept for its hash. Start reading at
`ReplyCache` in `store.py`, which reads and writes. `read_only.py` reads a cache without touching
it; `bundle.py` exports, imports and checks one.
"""
