"""What searches leave on disk and find again: storages, the record in them, identities, digests, locks."""
