"""Text in, mentions of concepts out: present, absent or uncertain."""
