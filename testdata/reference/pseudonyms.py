"""Pseudonyms by Python's hmac and hashlib: the first 128 bits of HMAC-SHA256 over
"jobeffekt person_id 1", a byte 0 and the text of the identifier. Python 3, standard library.
Run: python3 pseudonyms.py > pseudonyms.json"""
import hmac, json

key = bytes(range(32))
ids = {"17": "17", "-3": "-3", "017": "017", "Aa": "Aa", "æ": "æ", "0101701234": "0101701234", "010170-1234": "0101701234", "101701234": "0101701234", "3112991234": "3112991234"}
print(json.dumps({id: hmac.new(key, b"jobeffekt person_id 1\0" + text.encode(), "sha256").hexdigest()[:32] for id, text in ids.items()}, indent=1, ensure_ascii=False))
