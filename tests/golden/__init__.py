"""The golden run: every decision on the whole real history and on a faulty synthetic market, pinned by digests.

`make golden` compares; names, texts and layout may change under it, decisions may not. A difference is a fault unless
a ruling explains it; then the baseline is renewed (`make golden ARGS=--write`) in the commit that declares it.
"""
