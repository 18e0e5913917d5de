"""One reader a format: files in, concepts, terms and relations out."""
