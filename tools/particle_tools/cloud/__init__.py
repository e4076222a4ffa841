"""The local cloud: device gateways, REST and event streams over one SQLite file.

An independent witness of the device side: nothing here imports lib/particle. CoAP is decoded
with aiocoap, cryptography comes from `cryptography`.
"""
