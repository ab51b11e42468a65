"""wiretape records and replays LLM traffic: an async reverse proxy with exact cassettes."""

__version__ = "0.1.0"
