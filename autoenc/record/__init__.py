"""Records of searches on disk: storages, the record in them, identities, digests, locks."""
