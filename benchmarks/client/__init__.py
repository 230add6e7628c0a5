"""What a call costs the client, side by side with ollama-python."""
