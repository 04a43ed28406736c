"""Receives NewStore's webhooks and makes them durable in the landing bucket before it answers."""
