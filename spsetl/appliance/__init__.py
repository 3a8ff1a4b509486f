"""Talking to one SPS appliance: what to ask and how to read it (protocol), and the asking itself (client)."""
