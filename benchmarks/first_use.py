"""Reduces a minute stream when imported: what the first use costs beyond the import."""

import reducer

reducer.reduce(b'data: {"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"."}}]}\n\n')
