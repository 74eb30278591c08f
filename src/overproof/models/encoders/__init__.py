"""Encoders: models that turn a text into a vector, installed once and shared by whoever needs them."""
