#!/usr/bin/env python3
"""A Quorate agent: bids the length of the payload, answers with the payload in capitals."""
import json, sys

for line in sys.stdin:
    ask = json.loads(line)
    if ask["type"] == "call":
        print(json.dumps({"type": "bid", "id": ask["id"], "price": len(ask["payload"])}), flush=True)
    elif ask["type"] == "execute":
        print(json.dumps({"type": "outcome", "id": ask["id"], "detail": ask["payload"].upper()}), flush=True)
