"""The on-disk layouts of public data sets, one file each: read(root) → labelled images."""
